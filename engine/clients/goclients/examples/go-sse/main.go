package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
)

func main() {
	request, err := http.NewRequest("GET", "https://push.example/events?topic=orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer KEY")
	connection := sse.NewConnection(request)
	connection.Buffer(nil, 2<<20) // bytes of an event; otherwise 64 KB at most
	connection.SubscribeToAll(func(e sse.Event) {
		switch e.Type {
		case "ssedge":
			fmt.Println("opening", e.Data)
		case "gap":
			fmt.Println("missed", e.Data)
		default:
			fmt.Println(e.LastEventID, e.Data)
		}
	})
	for { // Connect ends at a refusal; this comes back after a refusal, with the last id
		log.Print(connection.Connect())
		time.Sleep(5 * time.Second)
	}
}
