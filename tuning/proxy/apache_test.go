package proxy

import (
	"testing"
	"time"

	"ssedge/engine"
)

// apache is the last of the proxies.
var apache = kinds[len(kinds)-1]

// TestApacheNoticesAtTheSecondSend: the edge keeps the stream of a client that has left until
// Apache has sent the client something twice. The first is answered with a reset, and the second
// fails. Once only events are sent, once only heartbeats.
func TestApacheNoticesAtTheSecondSend(t *testing.T) {
	t.Parallel()
	e := startEdge(t, func(c *engine.Config) { c.Heartbeat = 0 })
	address := apache.start(t, []*edge{e})
	s := newClient(t, address, "").follow()
	s.opens() // what is unread would be answered with a reset at once
	e.awaitStreams(t, 1)
	s.leave()
	publisher := newClient(t, e.addr, "")
	for n := range 2 {
		time.Sleep(300 * time.Millisecond)
		if e.engine.Streams() != 1 {
			t.Errorf("Apache has noticed after %d events; README.md says otherwise", n)
		}
		publisher.publish("an event")
	}
	e.awaitStreams(t, 0)

	beating := startEdge(t, func(c *engine.Config) { c.Heartbeat = time.Second })
	newClient(t, apache.start(t, []*edge{beating}), "").follow().leave()
	began := time.Now()
	beating.awaitStreams(t, 0)
	t.Logf("with a heartbeat each second, a client that has left is noticed after %v",
		time.Since(began))
}
