package proxy

import (
	"sync"
	"testing"
	"time"

	"ssedge/engine"
)

// TestIdle: a stream without events outlasts the proxies' own time limits, and those of
// their distributions, thanks to heartbeats; and one without heartbeats does not. It takes
// a bit more than a minute, for the limits are 50 s and 60 s; Caddy has none.
func TestIdle(t *testing.T) {
	t.Parallel()
	beating := startEdge(t, nil) // every 25 s
	silent := startEdge(t, func(c *engine.Config) { c.Heartbeat = 0 })
	const past = 64 * time.Second
	var all sync.WaitGroup
	var events []chan string
	for _, k := range kinds {
		for _, e := range []*edge{beating, silent} {
			address := k.start(t, []*edge{e}, k.usual...)
			r, err := newClient(t, address, "").ask()
			if err != nil || r.StatusCode != 200 {
				t.Fatal(r, err)
			}
			s := newStream(t, r, 2*past)
			came := make(chan string, 1)
			began := time.Now()
			go func() {
				m, err := s.receive()
				if err != nil && time.Since(began) < past {
					t.Logf("%s: a stream with heartbeats of %v ended after %v", k.name,
						e.config.Heartbeat, time.Since(began).Round(time.Second))
				}
				came <- m.Data
			}()
			if e == beating {
				events = append(events, came)
			}
			all.Go(func() {
				select {
				case <-came:
					if e == beating {
						t.Errorf("%s: it ended in spite of its heartbeats", k.name)
					}
				case <-time.After(past):
					if e == silent && k.name != "caddy" {
						t.Errorf("%s: no time limit has ended the silence: this test shows nothing",
							k.name)
					}
				}
			})
		}
	}
	all.Wait()
	if t.Failed() {
		return
	}
	newClient(t, beating.addr, "").publish("after all that time")
	for i, came := range events {
		if got := <-came; got != "after all that time" {
			t.Errorf("%s: %q", kinds[i].name, got)
		}
	}
}
