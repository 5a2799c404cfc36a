package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine"
)

// every runs a test for each proxy.
func every(t *testing.T, test func(t *testing.T, k kind)) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// TestEvents: through each proxy, in both framings, with connections that are kept on
// either side and with such that are not: the first bytes come at once, each event
// before the next is published, and a client resumes where it was.
func TestEvents(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		for variant := range 8 {
			chunked, keptHere, keptThere := variant&1 > 0, variant&2 > 0, variant&4 > 0
			t.Run(fmt.Sprintf("chunked=%v,client=%v,server=%v", chunked, keptHere, keptThere),
				func(t *testing.T) {
					e := startEdge(t, func(c *engine.Config) {
						c.Chunked, c.Heartbeat = chunked, time.Hour
					})
					wire := newWire(t, e.addr)
					edits := k.fresh
					if keptThere {
						edits = k.kept
					}
					address := k.start(t,
						[]*edge{{engine: e.engine, addr: wire.Addr().String(), admin: e.admin}},
						edits...)
					c := newClient(t, address, "")
					c.http.Transport.(*http.Transport).DisableKeepAlives = !keptHere

					made := func(requests int) int64 {
						// connections to the edge; checks go to another port
						before := wire.opened.Load()
						for range requests {
							c.publish("before")
						}
						return wire.opened.Load() - before
					}
					if keptThere { // one is free again a moment after its answer
						await(t, "a publish on a connection that was kept", func() bool {
							return made(1) == 0
						})
					} else if got := made(3); got != 3 {
						t.Errorf("the proxy made %d connections for three requests", got)
					}
					before := c.opened.Load()
					c.publish("before")
					s := c.follow() // the head, and what opens a stream
					s.opens()
					if got := c.opened.Load() - before; keptHere && got != 0 || !keptHere &&
						got != 2 {
						t.Errorf("the client made %d connections for two requests", got)
					}

					e.awaitStreams(t, 1)
					other := newClient(t, address, "")
					last := ""
					for i := range 5 {
						data := fmt.Sprint("event ", i, "\nand its second line")
						other.publish(data)
						m := s.next()
						if m.Data != data {
							t.Fatalf("found %+v, expected %q", m, data)
						}
						last = m.LastEventID
					}
					s.leave()
					if k.late {
						await(t, "the edge to notice", func() bool {
							other.publish("unheard")
							return e.engine.Streams() == 0
						})
					}
					e.awaitStreams(t, 0)
					other.publish("missed")
					s = c.follow("Last-Event-ID: " + last)
					m := s.next()
					for k.late && m.Data == "unheard" {
						m = s.next()
					}
					if m.Data != "missed" {
						t.Errorf("resumed with %+v", m)
					}
				})
		}
	})
}

// opens expects the first line of a stream.
func (s *stream) opens() {
	s.t.Helper()
	line, err := s.body.ReadString('\n')
	if err != nil || line != "event: ssedge\n" {
		s.t.Errorf("the first line is %q, %v", line, err)
	}
	s.decoder.Feed([]byte(line), nil)
}

// wire counts the connections that a proxy makes to an edge.
type wire struct {
	net.Listener
	opened atomic.Int64
}

func newWire(t *testing.T, to string) *wire {
	ln, err := net.Listen("tcp", edgeHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: ln}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.opened.Add(1)
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			go func() { io.Copy(s, c); s.Close(); c.Close() }()
			go func() { io.Copy(c, s); s.Close(); c.Close() }()
		}
	}()
	return w
}

// TestLag: the first bytes and each event come through a proxy within 50 ms of when they come
// without one, in both framings. Medians are held to that, for any one may be the machine's.
func TestLag(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		for _, chunked := range []bool{false, true} {
			e := startEdge(t, func(c *engine.Config) {
				if c.Chunked = chunked; k.late {
					c.Heartbeat = time.Second
				}
			})
			address := k.start(t, []*edge{e})
			var first, lags []time.Duration
			for range 9 {
				first = append(first, firstByte(t, address)-firstByte(t, e.addr))
			}
			through, direct := newClient(t, address, "").follow(), newClient(t, e.addr, "").follow()
			e.awaitStreams(t, 2)
			publisher := newClient(t, e.addr, "")
			for n := range 60 {
				var came [2]time.Time
				var both sync.WaitGroup
				for i, s := range []*stream{through, direct} {
					both.Go(func() {
						if _, err := s.receive(); err != nil {
							t.Error(err)
						}
						came[i] = time.Now()
					})
				}
				// 2 B to 1.5 KB
				publisher.publish(fmt.Sprint(n, strings.Repeat(" padding", n%10*20)))
				both.Wait()
				lags = append(lags, came[0].Sub(came[1]))
			}
			for what, all := range map[string][]time.Duration{"first bytes": first,
				"events": lags} {
				slices.Sort(all)
				n := len(all)
				t.Logf("%s, chunked=%v: %s after a direct connection: median %v, 90 %% %v, all %v",
					k.name, chunked, what, all[n/2], all[n*9/10], all[n-1])
				if all[n/2] > 50*time.Millisecond {
					t.Errorf("%s: the median is %v behind", what, all[n/2])
				}
			}
		}
	})
}

// firstByte is how long it takes from connecting to the first byte of a stream's body.
func firstByte(t *testing.T, address string) time.Duration {
	t.Helper()
	began := time.Now()
	s := newClient(t, address, "").follow()
	defer s.leave()
	if _, err := s.body.ReadByte(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// TestAbort: a client that goes is gone at the edge, though nothing is sent to it that
// could fail. The median is held to two seconds.
func TestAbort(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		if k.late {
			t.Skip("it never notices without a send: TestApacheNoticesAtTheSecondSend holds it to that")
		}
		for _, chunked := range []bool{false, true} {
			e := startEdge(t, func(c *engine.Config) { c.Heartbeat, c.Chunked = 0, chunked })
			address := k.start(t, []*edge{e})
			var took []time.Duration
			for range 5 {
				s := newClient(t, address, "").follow()
				e.awaitStreams(t, 1)
				began := time.Now()
				s.leave()
				e.awaitStreams(t, 0)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			t.Logf("%s, chunked=%v: gone after %v", k.name, chunked, took)
			if took[2] > 2*time.Second {
				t.Errorf("the median is %v", took[2])
			}
		}
	})
}

// TestWhatHAProxyMustBeTold: without http-no-delay it holds chunks back, and without
// abortonclose in defaults it does not see that a client is gone.
func TestWhatHAProxyMustBeTold(t *testing.T) {
	t.Parallel()
	k := kinds[1]
	e := startEdge(t, func(c *engine.Config) { c.Heartbeat, c.Chunked = 0, true })
	address := k.start(t, []*edge{e}, edit{"    option http-no-delay\n", ""},
		edit{"    option abortonclose\n", ""})
	if took := firstByte(t, address); took < 100*time.Millisecond {
		t.Errorf("without http-no-delay the first byte came after %v: the option is not needed",
			took)
	}
	time.Sleep(time.Second)
	if e.engine.Streams() == 0 {
		t.Error("without abortonclose the edge knows that the client is gone: the option is not needed")
	}
}

// TestCompression: streams are left alone as configured here. HAProxy heeds no-transform,
// too; nginx and Caddy do not, so compression of everything must not be switched on there.
func TestCompression(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		e := startEdge(t, nil)
		coding := func(edits ...edit) string {
			s := newClient(t, k.start(t, []*edge{e}, edits...), "").follow("Accept-Encoding: gzip")
			return s.response.Header.Get("Content-Encoding")
		}
		if got := coding(); got != "" {
			t.Errorf("as configured here: %s", got)
		}
		if got := coding(k.compress...); (got != "") == k.heeds {
			t.Errorf("told to compress everything: %q; this file and README.md say otherwise", got)
		}
	})
}

// TestBuffering: nginx, whose default is to buffer, holds even the first bytes of a stream
// back if X-Accel-Buffering is taken from it, and passes each event on at once if not.
func TestBuffering(t *testing.T) {
	t.Parallel()
	for _, ignored := range []bool{true, false} {
		e := startEdge(t, func(c *engine.Config) { c.Heartbeat = 0 })
		var edits []edit
		if ignored {
			edits = []edit{{"        gzip off;\n",
				"        gzip off; proxy_ignore_headers X-Accel-Buffering;\n"}}
		}
		conn, err := net.Dial("tcp", kinds[0].start(t, []*edge{e}, edits...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "GET /events?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n")
		var got atomic.Pointer[string]
		got.Store(new(string))
		go func() {
			piece := make([]byte, 1<<16)
			for {
				n, err := conn.Read(piece)
				text := *got.Load() + string(piece[:n])
				if got.Store(&text); err != nil {
					return
				}
			}
		}()
		e.awaitStreams(t, 1)
		publisher := newClient(t, e.addr, "")
		publisher.publish("an event")
		if ignored {
			time.Sleep(time.Second)
			if *got.Load() != "" {
				t.Errorf("nginx does not buffer, and this test shows nothing: %q", *got.Load())
			}
			publisher.publish(strings.Repeat("x", 1<<16)) // more than it holds
		}
		await(t, "the event", func() bool {
			return strings.Contains(*got.Load(), "data: an event\n")
		})
	}
}
