package intake_test

import (
	"net/http"
	"testing"
)

// A request that is on its way to a handler counts until one has it, or until its connection
// has ended without one. None counts for ever.
func TestADrainKnowsRequestsOnTheirWay(t *testing.T) {
	t.Parallel()
	held, let := make(chan struct{}), make(chan struct{})
	n := start(t, func(s *setup) {
		s.handler = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/hold" {
					held <- struct{}{}
					<-let
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	c := n.ask(get("/hold"))
	<-held
	if got := n.in.EnteringCount(); got != 1 {
		t.Errorf("%d are on their way, expected the one that is held", got)
	}
	close(let)
	c.answer("GET")
	c = n.ask(get("/nope") + get("/events?topic=t")) // leaves net/http as a stream
	c.answer("GET")
	c.stream()
	// net/http answers that by itself
	n.ask("GET /nope HTTP/1.1\r\nHost: x\r\nExpect: everything\r\n\r\n").answer("GET")
	n.ask("POST /publish?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").Close()
	await(t, "no request is on its way any more", func() bool { return n.in.EnteringCount() == 0 })
	n.close(false)
	if got := n.in.EnteringCount(); got != 0 {
		t.Errorf("%d are on their way to a node that was closed", got)
	}
}
