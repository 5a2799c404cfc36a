package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine"
)

// TestVarnish: streams go through a pipe, in both framings, on fresh client connections and on kept
// ones. The first bytes come at once, and each event before the next one is published. A client
// resumes. A client that leaves is gone at the edge. Other clients' requests get their own answers.
func TestVarnish(t *testing.T) {
	t.Parallel()
	for _, chunked := range []bool{false, true} {
		e := startEdge(t, func(c *engine.Config) { c.Chunked, c.Heartbeat = chunked, time.Hour })
		address := varnish.start(t, []*edge{e})
		other := newClient(t, address, "")
		for round := range 5 {
			c := newClient(t, address, "")
			if round > 0 {
				c.publish("before")
			}
			s := c.follow()
			s.opens()
			e.awaitStreams(t, 1)
			other.publish("event\nof two lines")
			m := s.next()
			if m.Data != "event\nof two lines" {
				t.Fatalf("chunked=%v: found %+v", chunked, m)
			}
			s.leave()
			e.awaitStreams(t, 0)
			other.publish("missed")
			again := c.follow("Last-Event-ID: " + m.LastEventID)
			if m := again.next(); m.Data != "missed" {
				t.Errorf("chunked=%v: resumed with %+v", chunked, m)
			}
			again.leave()
			e.awaitStreams(t, 0)
		}
	}
}

// TestVarnishWithoutAPipe: a stream comes even without a pipe, and every later request gets its own
// answer, because a stream says that its connection ends with it.
func TestVarnishWithoutAPipe(t *testing.T) {
	t.Parallel()
	e := startEdge(t, func(c *engine.Config) { c.Heartbeat = time.Second })
	address := varnish.start(t, []*edge{e},
		edit{"        return (pipe);\n    }\n    return (pass);",
			"        return (pass);\n    }\n    return (pass);"},
		edit{"    set bereq.http.Connection = \"close\";\n    return (fetch);",
			"    return (fetch);"})
	for range 5 {
		c, other := newClient(t, address, ""), newClient(t, address, "")
		c.publish("before")
		s := c.follow()
		other.publish("an event")
		if m := s.next(); m.Data != "an event" {
			t.Fatalf("found %+v", m)
		}
		for range 3 {
			other.publish("and other requests meanwhile")
		}
		s.leave()
	}
}

// TestVarnishAndAnEdgeThatIsAway: a stream's connection ends without an answer, so an EventSource
// comes back. With two edges it comes to the other one. Publishers get an error.
func TestVarnishAndAnEdgeThatIsAway(t *testing.T) {
	t.Parallel()
	a, b := twoEdges(t)
	for _, edges := range [][]*edge{{a, b}, {b}} {
		address := varnish.start(t, edges)
		stop := make(chan struct{})
		f := newClient(t, address, "").comeBack(stop)
		t.Cleanup(func() { close(stop); <-f.ended })
		await(t, "a stream", func() bool { return a.engine.Streams()+b.engine.Streams() > 0 })
		if len(edges) == 2 {
			a.stop()
			b.awaitStreams(t, 1)
			continue
		}
		b.stop()
		await(t, "a publisher to be told", func() bool {
			r, err := http.Post("http://"+address+"/publish?topic=t", "text/plain",
				strings.NewReader("x"))
			if err != nil {
				return false
			}
			r.Body.Close()
			return r.StatusCode == 503
		})
		time.Sleep(3 * time.Second) // Varnish has noticed by now
		b.start(t)
		b.awaitStreams(t, 2)
		if f.gaveUp != "" {
			t.Errorf("it has given up at %s", f.gaveUp)
		}
	}
}

// TestVarnishPublishesOnce: a publish that is not answered is not sent again.
func TestVarnishPublishesOnce(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"end", "reset", "half a head"} {
		var published atomic.Int64
		a := breakingEdge(t, edgeHost+":0", way, &published)
		address := varnish.start(t, []*edge{a},
			edit{".expected_response = 204;", ".expected_response = 200;"})
		for _, warm := range []bool{false, true} {
			for _, body := range []string{"an event", ""} {
				c := newClient(t, address, "")
				if warm {
					if r, err := c.http.Get("http://" + address + "/warm"); err != nil ||
						r.Body.Close() != nil {
						t.Fatal(err)
					}
				}
				before := published.Load()
				r, err := c.http.Post("http://"+address+"/publish?topic=t", "text/plain",
					strings.NewReader(body))
				if err == nil {
					r.Body.Close()
				}
				if got := published.Load() - before; got != 1 || err == nil && r.StatusCode < 500 {
					t.Errorf("%s, warm=%v, body %q: published %d times, answered %v, %v", way, warm,
						body, got, r, err)
				}
			}
		}
	}
}

// TestVarnishPassesTheClientsAddress: a client cannot forge it. What a client sends behind its
// request for a stream reaches no edge.
func TestVarnishPassesTheClientsAddress(t *testing.T) {
	t.Parallel()
	e := startEdge(t, one)
	address := varnish.start(t, []*edge{e})
	expectOneEach(t, address, "127.0.0.2", "127.0.0.3", "X-Forwarded-For: 192.0.2.1",
		"X-Forwarded-For: 192.0.2.2, 127.0.0.1")

	for _, target := range []string{"/events", "http://localhost/events"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c,
			"GET "+
				target+" HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
		c.SetDeadline(time.Now().Add(patience))
		answers, _ := io.ReadAll(c)
		if n := strings.Count(string(answers), "HTTP/1.1 "); n != 1 ||
			!strings.HasPrefix(string(answers), "HTTP/1.1 400 ") {
			t.Errorf("%s: %d answers: %q", target, n, answers)
		}
	}
}
