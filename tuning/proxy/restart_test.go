package proxy

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// follower is a client that comes back as an EventSource does: at once, with the last
// id, unless it is answered anything but 200. Then it has given up.
type follower struct {
	mu     sync.Mutex
	heard  []string
	gaveUp string
	ended  chan struct{}
}

func (c *client) comeBack(stop chan struct{}) *follower {
	f := &follower{ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for last := ""; ; time.Sleep(20 * time.Millisecond) {
			select {
			case <-stop:
				return
			default:
			}
			var fields []string
			if last != "" {
				fields = []string{"Last-Event-ID: " + last}
			}
			r, err := c.ask(fields...)
			if err != nil {
				continue
			}
			if r.StatusCode != 200 {
				body, _ := io.ReadAll(r.Body)
				f.mu.Lock()
				f.gaveUp = fmt.Sprint(r.Status, " ", string(body))
				f.mu.Unlock()
				r.Body.Close()
				return
			}
			s := newStream(c.t, r, patience)
			unfollow := make(chan struct{})
			go func() {
				select {
				case <-stop:
					s.leave()
				case <-unfollow:
				}
			}()
			for {
				m, err := s.receive()
				if err != nil {
					break
				}
				last = m.LastEventID
				f.mu.Lock()
				f.heard = append(f.heard, m.Event+" "+m.Data)
				f.mu.Unlock()
			}
			close(unfollow)
			s.leave()
		}
	}()
	return f
}

func (f *follower) has(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.heard, func(h string) bool { return strings.HasPrefix(h, what) })
}

// TestTheEdgeStartsAgain behind a proxy: clients are told, cannot connect for a while,
// and none gives up; the history was in memory, so they are told of a gap, and go on.
func TestTheEdgeStartsAgain(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		e := startEdge(t, nil)
		address := k.start(t, []*edge{e})
		stop := make(chan struct{})
		f := newClient(t, address, "").comeBack(stop)
		t.Cleanup(func() { close(stop); <-f.ended })
		e.awaitStreams(t, 1)
		newClient(t, e.addr, "").publish("one")
		await(t, "the first event", func() bool { return f.has("message one") })
		for round := range 2 {
			e.stop()
			if round > 0 {
				time.Sleep(2500 * time.Millisecond) // until the proxy has noticed
			}
			r, err := http.Post("http://"+address+"/publish?topic=t", "text/plain",
				strings.NewReader("no edge takes it"))
			if err != nil || r.StatusCode < 502 {
				t.Errorf("publishing without an edge: %v, %v", r, err)
			}
			if err == nil {
				r.Body.Close()
			}
			e.start(t)
			e.awaitStreams(t, 1)
			data := fmt.Sprint("again ", round)
			newClient(t, e.addr, "").publish(data)
			await(t, data+" after a restart", func() bool {
				return f.has("message "+data) || !f.up()
			})
			if !f.up() {
				t.Fatalf("the client gave up: %s", f.gaveUp)
			}
		}
		if !f.has("gap ") {
			t.Errorf("no gap is told: %q", f.heard)
		}
	})
}

func (f *follower) up() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gaveUp == ""
}

// TestOneOfTwoEdgesStartsAgain: no client is left without a stream for longer than it takes
// to connect, and none is answered anything but 200.
func TestOneOfTwoEdgesStartsAgain(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		a, b := twoEdges(t)
		address := k.start(t, []*edge{a, b})
		stop := make(chan struct{})
		var all []*follower
		for range 20 {
			all = append(all, newClient(t, address, "").comeBack(stop))
		}
		t.Cleanup(func() {
			close(stop)
			for _, f := range all {
				<-f.ended
			}
		})
		await(t, "all are there", func() bool {
			return a.engine.Streams()+b.engine.Streams() == len(all)
		})
		if a.engine.Streams() == 0 || b.engine.Streams() == 0 {
			t.Errorf("%d and %d streams: one edge has all", a.engine.Streams(), b.engine.Streams())
		}
		for _, both := range [][2]*edge{{a, b}, {b, a}} {
			e, other := both[0], both[1]
			e.stop()
			await(t, "all are at the other edge", func() bool {
				for i, f := range all {
					if !f.up() {
						t.Fatalf("client %d gave up: %s", i, f.gaveUp)
					}
				}
				return other.engine.Streams() == len(all)
			})
			e.start(t)
			time.Sleep(2500 * time.Millisecond) // until the proxy has noticed that it is back
		}
		for i, f := range all {
			if !f.up() {
				t.Errorf("client %d gave up: %s", i, f.gaveUp)
			}
		}
	})
}
