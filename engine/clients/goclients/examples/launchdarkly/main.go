package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/launchdarkly/eventsource"
)

func main() {
	request, err := http.NewRequest("GET", "https://push.example/events?topic=orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer KEY")
	stream, err := eventsource.SubscribeWithRequestAndOptions(request,
		eventsource.StreamOptionCanRetryFirstConnection(-1),
		eventsource.StreamOptionErrorHandler(func(err error) eventsource.StreamErrorHandlerResult {
			log.Print(err)
			return eventsource.StreamErrorHandlerResult{} // comes back after a refusal, too
		}))
	if err != nil {
		log.Fatal(err)
	}
	for e := range stream.Events {
		switch e.Event() {
		case "ssedge":
			fmt.Println("opening", e.Data())
		case "gap":
			fmt.Println("missed", e.Data())
		default:
			fmt.Println(e.Id(), e.Data())
		}
	}
}
