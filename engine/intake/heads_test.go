package intake_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

const realHead = "GET /events?topic=prices&topic=a%20b HTTP/1.1\r\nHost: push.example:8080\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: text/event-stream\r\n" +
	"Accept-Language: en\r\nOrigin: https://example.org\r\nCookie: a=b; c=d\r\n" +
	"Connection: keep-alive\r\nCache-Control: no-cache\r\n\r\n"

// A head may be cut anywhere: the first piece comes alone, the second when the server waits for it.
func TestHeadSplitAtEveryByte(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	var all []*client
	for i := 1; i < len(realHead); i++ {
		all = append(all, n.ask(realHead[:i]))
	}
	await(t, "all wait with half a head", func() bool { return n.in.HeadCount() == len(all) })
	for i, c := range all {
		c.send(realHead[i+1:])
	}
	for _, c := range all {
		c.stream()
	}
	if got := n.in.HeadCount(); got != 0 {
		t.Errorf("%d heads are left", got)
	}
	for _, c := range all {
		c.Close()
	}
	n.quiet()
}

// One byte at a time, seen one at a time.
func TestHeadByteByByte(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	c := n.dial()
	c.Conn.(*net.TCPConn).SetNoDelay(true)
	for i := range len(realHead) {
		c.send(realHead[i : i+1])
	}
	c.stream()
}

// What follows a request for a stream is thrown away, wherever it is cut, and does
// no harm to the stream.
func TestBytesAfterStreamRequest(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, first := range []string{"", get("/nope")} { // straight, and by way of net/http
		for _, rest := range []string{get("/nope"), "\x00\x01garbage", "G",
			strings.Repeat("x", 20_000)} {
			c := n.ask(first + get("/events?topic=t") + rest)
			if first != "" {
				if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
					t.Fatal(resp.Status)
				}
			}
			c.stream()
			n.publish("t", "x")
			if got := c.until("data:"); got != "x" {
				t.Errorf("got %q", got)
			}
			c.Close()
		}
	}
	n.quiet()
}

func TestKeepAliveThenStream(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	c := n.dial()
	for range 3 {
		c.send(get("/nope"))
		if resp, _ := c.answer("GET"); resp.StatusCode != 404 || resp.Close {
			t.Fatal(resp.Status, resp.Close)
		}
	}
	c.send("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
		"\r\nContent-Length: 3\r\n\r\nabc")
	if resp, body := c.answer("POST"); resp.StatusCode != 200 {
		t.Fatal(resp.Status, body)
	}
	c.send(get("/events?topic=t&last_event_id=0-0"))
	c.stream()
	if n.in.HTTPCount() != 0 {
		await(t, "net/http lets go", func() bool { return n.in.HTTPCount() == 0 })
	}
	n.publish("t", "live")
	for c.until("data:") != "live" {
	}
	c.Close()
	n.quiet()
}

// The same request in all the forms it may have, on a new connection and on a kept-alive one.
func TestFormsOfTheRequest(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, request := range []string{
		get("/events?topic=t"),
		"GET /events?topic=t HTTP/1.0\r\n\r\n",
		get("http://elsewhere:99/events?topic=t"),
		get("/events?topic=t", "Connection: x"),
		get("/events?t%6fpic=%74"),
		get("/events?topic=t", "Content-Length: 0"),
		get("/events?topic=t", "Expect: 100-continue"),
		get("/events?topic=t", "Upgrade: websocket", "Connection: upgrade"),
		"\r\n\r\n" + get("/events?topic=t"),
	} {
		for _, first := range []string{"", get("/nope")} {
			c := n.ask(first)
			if first != "" {
				c.answer("GET")
			}
			c.send(request)
			c.stream()
			n.publish("t", "x")
			if got := c.until("data:"); got != "x" {
				t.Errorf("%q: got %q", request, got)
			}
			c.Close()
		}
	}
	n.quiet()
}

func TestTLSIsRefusedAtItsFirstByte(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HeadTimeout = time.Hour })
	c := n.ask("\x16")
	resp, body := c.answer("GET")
	if resp.StatusCode != 400 || !strings.Contains(body, "TLS") {
		t.Errorf("%s %s", resp.Status, body)
	}
	c = n.ask("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x7f", 300))
	c.answer("GET")
	if got := n.in.RefusedCount("tls_handshake"); got != 2 {
		t.Errorf("counted %d", got)
	}
}

// The paths of a head: each request is answered, whatever the order in which
// connections come, wait and go.
func TestManyHeadsAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 50 {
				c := n.dial()
				cut := (g*50 + i) % len(realHead)
				c.send(realHead[:cut])
				switch i % 4 {
				case 0:
					c.Conn.(*net.TCPConn).SetLinger(0)
				case 1:
					c.send(realHead[cut:])
					c.stream()
				case 2:
					c.send("\x00")
					if cut > 0 {
						c.answer("GET")
					}
				}
				c.Close()
			}
		})
	}
	all.Wait()
	n.quiet()
}
