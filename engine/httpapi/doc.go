// Package httpapi is what net/http serves: publishing, the pages, health, metrics and profiles, and
// the requests for streams that were not plain enough for the intake's fast path.
//
//	public.go      the public listener: routes, statuses, CORS
//	subscribe.go   GET /events: out of net/http and into a shard
//	publish.go     POST /publish: one event, a batch, a raw body
//	ndjson.go      POST /publish: a stream of events
//	body.go        a body as it comes
//	memory.go      what requests that publish hold, together
//	message.go     an event as JSON, checked and put into wire form
//	admin.go       the admin listener
//	profiles.go    Go's profiles
//	local.go       requests that only this machine may make
//	answers.go     the causes of refusals, and answers of JSON
//	page.go        the development page
package httpapi
