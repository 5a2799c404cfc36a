// Command goclients has one client follow a stream and prints what the client hands out, a line
// of JSON for each thing:
//
//	goclients CLIENT '{"url": …, "key": …}'
//
// It is a module of its own: the server's does not need these libraries.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

type said struct {
	What string `json:"what"`
	Type string `json:"type,omitempty"`
	Data string `json:"data"`
	ID   string `json:"id"`
	Why  string `json:"why,omitempty"`
}

func say(s said) {
	line, _ := json.Marshal(s)
	fmt.Printf("%s\n", line)
}

func message(name, data, id string) {
	if name == "" {
		name = "message"
	}
	say(said{What: "message", Type: name, Data: data, ID: id})
}

func main() {
	follow := map[string]func(*http.Request) error{"launchdarkly-go": launchDarkly,
		"go-sse": goSSE}[os.Args[1]]
	var options struct{ URL, Key string }
	if err := json.Unmarshal([]byte(os.Args[2]), &options); err != nil {
		panic(err)
	}
	request, err := http.NewRequest("GET", options.URL, http.NoBody)
	if err != nil {
		panic(err)
	}
	if options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+options.Key)
	}
	say(said{What: "ended", Why: fmt.Sprint(follow(request))})
}
