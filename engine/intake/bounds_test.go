package intake_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/shard"
)

// expectRefused asks and expects 503 with a time to come back.
func (n *node) expectRefused(request, reason string) {
	n.t.Helper()
	c := n.ask(request)
	defer c.Close()
	resp, body := c.answer("GET")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" ||
		!strings.Contains(body, reason) || !resp.Close {
		n.t.Errorf("%s %v %s: expected 503 with %q", resp.Status, resp.Header, body, reason)
	}
	c.ended()
}

func (n *node) expectCount(cause string, expected uint64) {
	n.t.Helper()
	if got := n.in.RefusedCount(cause); got != expected {
		n.t.Errorf("%s counted %d times, expected %d", cause, got, expected)
	}
}

// viaHTTP asks on a connection that net/http has.
func (n *node) viaHTTP(request string) (*http.Response, string) {
	n.t.Helper()
	c := n.ask(get("/nope"))
	defer c.Close()
	c.answer("GET")
	c.send(request)
	return c.answer("GET")
}

func TestStreamsMax(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.StreamsMax = 3 })
	var held []*client
	for range 3 {
		c := n.ask(get("/events?topic=t"))
		c.stream()
		held = append(held, c)
	}
	n.expectRefused(get("/events?topic=t"), "as many streams")
	n.expectCount("streams_max", 1)
	if resp, body := n.viaHTTP(get("/events?topic=t")); resp.StatusCode != 503 ||
		resp.Header.Get("Retry-After") == "" {
		t.Errorf("by way of net/http: %s %s", resp.Status, body)
	}
	n.expectCount("streams_max", 2)
	held[0].Close()
	await(t, "one is gone", func() bool { return n.admission.Streams() == 2 })
	n.ask(get("/events?topic=t")).stream()
}

// The bound holds when many streams come at once.
func TestStreamsMaxInAStorm(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.StreamsMax = 50 })
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			c := n.dial()
			if i%2 == 0 {
				c.send(get("/nope"))
				c.answer("GET")
			}
			c.send(get("/events?topic=t"))
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			statuses[resp.StatusCode]++
			mu.Unlock()
		})
	}
	all.Wait()
	if statuses[200] != 50 || statuses[503] != 150 {
		t.Errorf("%v", statuses)
	}
}

func TestPerAddressMax(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.PerAddressMax = 2 })
	first := n.ask(get("/events?topic=t"))
	first.stream()
	// the address is the same to net/http
	n.ask(get("/nope") + get("/events?topic=t")).answer("GET")
	await(t, "two streams", func() bool { return n.admission.Streams() == 2 })
	n.expectRefused(get("/events?topic=t"), "address")
	n.expectCount("address_max", 1)
	first.Close()
	await(t, "one is gone", func() bool { return n.admission.Streams() == 1 })
	n.ask(get("/events?topic=t")).stream()
}

func TestAcceptRate(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.AcceptRate = 2 })
	// A second's worth is taken at once. If asking takes long, so are more.
	taken := 0
	await(t, "one is refused", func() bool {
		c := n.ask(get("/events?topic=t"))
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 200 {
			taken++
			return false
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" ||
			!strings.Contains(string(body), "new streams") {
			t.Fatalf("%s %v %s", resp.Status, resp.Header, body)
		}
		return true
	})
	if taken < 2 {
		t.Errorf("%d were taken before one was refused", taken)
	}
	n.expectCount("accept_rate", 1)
	await(t, "another is taken", func() bool {
		c := n.ask(get("/events?topic=t"))
		defer c.Close()
		resp, err := http.ReadResponse(c.r, nil)
		return err == nil && resp.StatusCode == 200
	})
}

// A request that is refused for what it asks does not use up the rate.
func TestAcceptRateIsForStreams(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.AcceptRate = 1.0 / 3600 })
	for range 3 {
		c := n.ask(get("/events?topic=t", "Authorization: Bearer wrong"))
		if resp, body := c.answer("GET"); resp.StatusCode != 401 {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
	n.ask(get("/events?topic=t")).stream()
	n.expectRefused(get("/events?topic=t"), "new streams")
}

// At the bound of incomplete heads the oldest goes.
func TestHeadsMax(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.intake.HeadsMax = 3
		// no connection is accepted before it has sent something
		s.intake.Socket.DeferAccept = time.Second
	})
	var held []*client
	for k := range 3 {
		held = append(held, n.ask("GET /ev"))
		await(t, "its head", func() bool { return n.in.HeadCount() == k+1 })
	}
	fourth := n.ask("GET /ev")
	if resp, body := held[0].answer("GET"); resp.StatusCode != 503 ||
		!strings.Contains(body, "unfinished") {
		t.Errorf("the oldest is answered %s %s", resp.Status, body)
	}
	n.expectCount("heads_max", 1)
	n.ask(get("/events?topic=t")).stream() // a request in one piece needs no place
	for _, c := range []*client{held[1], held[2], fourth} {
		c.send("ents?topic=t HTTP/1.0\r\n\r\n")
		c.stream()
	}
	await(t, "no heads", func() bool { return n.in.HeadCount() == 0 })
}

// However many heads come at five times the bound of all connections, streams, requests and what is
// not for connections go on.
func TestFilesMax(t *testing.T) {
	t.Parallel()
	const most = 60
	n := start(t, func(s *setup) {
		s.intake.FilesMax = most
		s.intake.Socket.DeferAccept = time.Second
	})
	for range 20 {
		n.ask(get("/events?topic=t")).stream()
	}
	for range 5 * most {
		n.ask("GET /ev")
	}
	const pollers = 3 // two that accept, one of the heads: each may be about to keep one
	if c := n.in.HeadCount() + n.admission.Streams() + n.in.HTTPCount(); c > most+pollers {
		t.Errorf("%d connections are kept", c)
	}
	n.ask(get("/events?topic=t")).stream()
	if resp, body := n.ask(get("/nothing")).answer("GET"); resp.StatusCode != 404 {
		t.Errorf("%s %s", resp.Status, body)
	}
	if n.admission.Streams() != 21 {
		t.Errorf("%d streams are left", n.admission.Streams())
	}
	var asked []*client
	for range most { // of streams there is nothing to let go
		asked = append(asked, n.ask(get("/events?topic=t")))
	}
	refused := 0
	for _, c := range asked {
		if status, err := c.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		} else if strings.Contains(status, "503") {
			refused++
		}
	}
	if kept := n.admission.Streams() + n.in.HTTPCount(); refused == 0 || kept < most ||
		kept > most+pollers {
		t.Errorf("%d streams are refused, %d connections kept", refused, kept)
	}
	n.expectRefused(get("/events?topic=t"), "file descriptors")
}

func TestHTTPConnectionsMax(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HTTPConnectionsMax = 2 })
	var held []*client
	for i := range 2 { // each with a body that does not come
		held = append(held,
			n.ask("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+key+
				"\r\nContent-Length: 5\r\n\r\n"))
		await(t, "it is at net/http", func() bool { return n.in.HTTPCount() == i+1 })
	}
	n.expectRefused(get("/nope"), "too many requests")
	n.expectRefused(get("/events"), "too many requests")
	n.expectCount("http_max", 2)
	n.ask(get("/events?topic=t")).stream()
	held[0].Close()
	await(t, "one is gone", func() bool { return n.in.HTTPCount() == 1 })
	c := n.ask(get("/nope"))
	if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
}

// Connections that have had their answer and ask for nothing are not kept when places
// are few: a connection with a request finds one.
func TestIdleConnectionsTakeNoPlace(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HTTPConnectionsMax = 8 })
	var held []*client
	for range 20 {
		c := n.ask(get("/nope", "Authorization: Bearer "+key))
		if resp, body := c.answer("GET"); resp.StatusCode != 404 {
			t.Fatalf("%s %s", resp.Status, body)
		}
		held = append(held, c)
		await(t, "there is a place", func() bool { return n.in.HTTPCount() < 8 })
	}
	await(t, "three quarters at most are kept", func() bool { return n.in.HTTPCount() <= 6 })
	held[0].send(get("/nope", "Authorization: Bearer "+key))
	if resp, _ := held[0].answer("GET"); resp.StatusCode != 404 {
		t.Errorf("the first one is not kept: %s", resp.Status)
	}
	// without a topic: this has nothing more to ask for
	refused := n.ask(get("/events", "Authorization: Bearer "+key))
	if resp, _ := refused.answer("GET"); resp.StatusCode != 400 || !resp.Close {
		t.Errorf("%s, kept: %v", resp.Status, !resp.Close)
	}
}

// Requests that come at once are served, up to the bound.
func TestHTTPBurstIsServed(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HTTPConnectionsMax, s.intake.Workers = 500, 1 })
	var all []*client
	for range 500 {
		all = append(all, n.dial())
	}
	for _, c := range all {
		c.send(get("/nope", "Authorization: Bearer "+key))
	}
	for _, c := range all {
		if resp, body := c.answer("GET"); resp.StatusCode != 404 {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
}

func TestDrainingAndShortOfMemory(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	n.admission.SetMemoryShort(true)
	n.expectRefused(get("/events?topic=t"), "memory")
	n.admission.SetMemoryShort(false)
	n.ask(get("/events?topic=t")).stream()
	n.admission.Drain()
	n.expectRefused(get("/events?topic=t"), "going away")
	n.expectCount("memory_max", 1)
	n.expectCount("draining", 1)
}

// A stream that ends for whatever reason gives its place back, once.
func TestPlacesComeBack(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.shard.Lifetime = 200 * time.Millisecond
		s.admission.PerAddressMax = 150
	})
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			for range 5 {
				c := n.ask(get(fmt.Sprintf("/events?topic=%d", i)))
				c.stream()
				if i%2 == 0 {
					c.ended()
				}
				c.Close()
			}
		})
	}
	all.Wait()
	n.quiet()
	closed := uint64(0)
	for _, s := range n.group.Stats() {
		for _, reason := range shard.CloseReasons() {
			closed += uint64(s.Closed[reason].Load())
		}
	}
	// A stream may be over before the poller that took it in has counted it.
	await(t, "as many were accepted as closed", func() bool {
		return n.admission.Accepted.Load() == closed
	})
	if closed != 30*5 {
		t.Errorf("%d closed", closed)
	}
}
