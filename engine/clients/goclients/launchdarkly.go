package main

import (
	"net/http"
	"time"

	"github.com/launchdarkly/eventsource"
)

// launchDarkly comes back after every error, a refusal too, if its handler lets it.
func launchDarkly(request *http.Request) error {
	stream, err := eventsource.SubscribeWithRequestAndOptions(request,
		eventsource.StreamOptionInitialRetry(200*time.Millisecond),
		eventsource.StreamOptionErrorHandler(func(err error) eventsource.StreamErrorHandlerResult {
			say(said{What: "error", Why: err.Error()})
			return eventsource.StreamErrorHandlerResult{} // comes back
		}))
	if err != nil {
		return err
	}
	for e := range stream.Events {
		message(e.Event(), e.Data(), e.Id())
	}
	return nil
}
