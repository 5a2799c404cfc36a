package main

import (
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
)

// goSSE takes events of up to 64 KB, lines and names counted, unless it is told otherwise.
func goSSE(request *http.Request) error {
	client := *sse.DefaultClient
	client.OnRetry = func(err error, _ time.Duration) { say(said{What: "error", Why: err.Error()}) }
	connection := client.NewConnection(request)
	connection.Buffer(nil, 2<<20)
	connection.SubscribeToAll(func(e sse.Event) { message(e.Type, e.Data, e.LastEventID) })
	return connection.Connect()
}
