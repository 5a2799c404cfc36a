package intake_test

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine/intake"
	"ssedge/proto/proxyproto"
)

// behind lets a node trust some proxies, and an address have one stream.
func behind(s *setup, field string, trusted ...string) {
	s.admission.Proxies, _ = intake.NewProxies(trusted, field)
	s.admission.PerAddressMax = 1
}

// from dials from a loopback address.
func (n *node) from(address, request string) *client {
	n.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", n.addr.String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	from := &client{n.t, c, bufio.NewReader(c)}
	from.send(request)
	return from
}

// expectFull: the client that a request comes from has its one stream already.
func (n *node) expectFull(c *client) {
	n.t.Helper()
	if resp, body := c.answer("GET"); resp.StatusCode != 503 ||
		!strings.Contains(body, "this address") {
		n.t.Errorf("%s %s: expected the address to be full", resp.Status, body)
	}
	c.Close()
}

// Streams are counted by their clients' addresses: straight, with a head in pieces, and
// through net/http, where each request of a kept connection may be another client's.
func TestForwardedClients(t *testing.T) {
	t.Parallel()
	for field, say := range map[string]func(string) string{
		"x-forwarded-for": func(a string) string { return "X-Forwarded-For: 127.0.0.66, " + a },
		"forwarded": func(a string) string {
			return `Forwarded: for=127.0.0.66;proto=http, for="` + a + `"`
		},
	} {
		t.Run(field, func(t *testing.T) {
			n := start(t, func(s *setup) { behind(s, field, "127.0.0.1", "10.0.0.0/8") })
			const target = "/events?topic=t"
			between := map[string]string{"x-forwarded-for": "X-Forwarded-For: 10.1.1.1",
				"forwarded": "Forwarded: for=10.1.1.1"}
			ask := map[string]func(string) *client{
				"straight": n.ask,
				"in pieces": func(request string) *client {
					c := n.ask(request[:20])
					await(t, "half a head", func() bool { return n.in.HeadCount() == 1 })
					c.send(request[20:])
					return c
				},
				"by way of net/http": func(request string) *client {
					c := n.ask(get("/nope", say("192.0.2.200")))
					c.answer("GET")
					c.send(request)
					return c
				},
			}
			host := 0
			for name, ask := range ask {
				host++
				a, b := fmt.Sprint("192.0.2.", host), fmt.Sprint("198.51.100.", host)
				ask(get(target, say(a))).stream()
				n.expectFull(ask(get(target, say(a))))
				ask(get(target, say(b))).stream()
				// two fields mean what one would: another proxy in between
				n.expectFull(ask(get(target, say(b), between[field])))
				if t.Failed() {
					t.Fatal(name)
				}
			}
			// Of its own the proxy has a stream, too; and what it says must be in order.
			n.ask(get(target)).stream()
			n.expectFull(n.ask(get(target)))
			bad := strings.ToUpper(field[:1]) + field[1:] + ": for=\"garbage"
			resp, body := n.ask(get(target, bad)).answer("GET")
			checkRefusal(t, resp, body, 400, "cannot be read")
			resp, body = n.viaHTTP(get(target, bad))
			checkRefusal(t, resp, body, 400, "cannot be read")
			n.expectCount("bad_forwarded", 2)
			if resp, _ := n.ask("HEAD" + get(target, bad)[3:]).
				answer("HEAD"); resp.StatusCode != 400 {
				t.Error(resp.Status)
			}
			// No other peer is believed, whatever it says; nor is the other field.
			n.from("127.0.0.2", get(target, say("192.0.2.100"))).stream()
			n.expectFull(n.from("127.0.0.2", get(target, say("192.0.2.101"))))
			n.expectFull(n.from("127.0.0.2", get(target, bad)))
			other := map[string]string{"x-forwarded-for": "Forwarded: for=192.0.2.102",
				"forwarded": "X-Forwarded-For: 192.0.2.102"}[field]
			n.expectFull(n.ask(get(target, other)))
		})
	}
}

func TestForwardedThroughAUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	n := start(t, func(s *setup) {
		s.intake.Listen = []string{"unix:" + socket}
		behind(s, "x-forwarded-for", "unix")
	})
	n.ask(get("/events?topic=t", "X-Forwarded-For: 192.0.2.1")).stream()
	n.expectFull(n.ask(get("/events?topic=t", "X-Forwarded-For: 192.0.2.1")))
	n.ask(get("/events?topic=t")).stream() // no address is named: not counted
	n.ask(get("/events?topic=t")).stream()
}

// TestUnixWithoutAddresses: a limit that bounds no stream is logged.
func TestUnixWithoutAddresses(t *testing.T) {
	t.Parallel()
	for _, trusted := range [][]string{nil, {"unix"}} {
		var log syncBuffer
		start(t, func(s *setup) {
			behind(s, "x-forwarded-for", trusted...)
			s.intake.Listen = []string{"unix:" + filepath.Join(t.TempDir(), "s")}
			s.intake.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		said := strings.Contains(log.String(), "--trusted-proxies=unix")
		if said != (trusted == nil) {
			t.Errorf("trusted %v: %s", trusted, log.String())
		}
	}
}

// TestAProxyThatIsNotTrusted: its clients count as one. When streams are refused for that, the log
// says so once.
func TestAProxyThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	n := start(t, func(s *setup) {
		s.admission.PerAddressMax = 1
		s.intake.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	n.ask(get("/events?topic=t")).stream()
	n.expectFull(n.ask(get("/events?topic=t")))
	if strings.Contains(log.String(), "trusted-proxies") {
		t.Error("said of a client that is no proxy:", log.String())
	}
	c := n.ask(get("/nope")) // a connection that the proxy keeps
	c.answer("GET")
	c.send(get("/events?topic=t", "X-Forwarded-For: 192.0.2.1"))
	n.expectFull(c)
	n.expectFull(n.ask(get("/events?topic=t", "X-Forwarded-For: 192.0.2.1")))
	if strings.Count(log.String(), "--trusted-proxies") != 1 {
		t.Error(log.String())
	}
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const (
	line   = "PROXY TCP4 192.0.2.1 192.0.2.2 51234 80\r\n"
	binary = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x00\x50"
	health = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" // LOCAL
)

// A header and the request behind it may be cut anywhere, or come as one.
func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		behind(s, "x-forwarded-for", "127.0.0.1")
		s.intake.Listen = []string{"proxy:127.0.0.1:0"}
		s.admission.PerAddressMax = 0
	})
	request := get("/events?topic=t")
	for _, header := range []string{line, binary, health, "PROXY UNKNOWN\r\n"} {
		whole := header + request
		n.ask(whole).stream()
		var all []*client
		for i := 1; i < len(whole); i++ {
			all = append(all, n.ask(whole[:i]))
		}
		await(t, "all wait with a part", func() bool { return n.in.HeadCount() == len(all) })
		for i, c := range all {
			c.send(whole[i+1:])
		}
		for _, c := range all {
			c.stream()
		}
		c := n.dial()
		c.Conn.(*net.TCPConn).SetNoDelay(true)
		for i := range len(whole) {
			c.send(whole[i : i+1])
		}
		c.stream()
	}
	c := n.ask(line + get("/nope"))
	c.answer("GET")
	c.send(get("/nope")) // once for each connection
	if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	c.send(line)
	if resp, _ := c.answer("GET"); resp.StatusCode != 400 {
		t.Error("a second header:", resp.Status)
	}
}

// Streams are counted by the address that the header names, straight and through net/http.
func TestProxyHeaderClients(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		behind(s, "x-forwarded-for", "127.0.0.1", "192.0.2.1")
		s.intake.Listen = []string{"proxy:127.0.0.1:0", "127.0.0.1:0"}
	})
	const target = "/events?topic=t"
	second := "PROXY TCP6 2001:db8::1 2001:db8::2 51234 80\r\n"
	n.ask(second + get(target)).stream()
	n.expectFull(n.ask(second + get(target)))
	c := n.ask(second + get("/nope"))
	c.answer("GET")
	c.send(get(target))
	n.expectFull(c)
	n.ask(health + get(target)).stream() // the proxy's own
	n.expectFull(n.ask(health + get(target)))
	// What its requests say is whatever the client has written: such a proxy does not look.
	for _, header := range []string{health, "PROXY UNKNOWN\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"} {
		n.expectFull(n.ask(header + get(target, "X-Forwarded-For: 198.51.100.9")))
		c := n.ask(header + get("/nope"))
		c.answer("GET")
		c.send(get(target, "X-Forwarded-For: 198.51.100.9"))
		n.expectFull(c)
	}
	// The address that the header names may be a proxy's, too, which says more.
	n.ask(line + get(target, "X-Forwarded-For: 198.51.100.1")).stream()
	n.expectFull(n.ask(binary + get(target, "X-Forwarded-For: 198.51.100.1")))
	n.ask(line + get(target)).stream()

	// No other peer may send a header, nor connect here.
	for _, request := range []string{line + get(target), get(target), ""} {
		stranger := n.from("127.0.0.2", request)
		if request == "" {
			stranger.send("x") // TCP_DEFER_ACCEPT
		}
		resp, body := stranger.answer("GET")
		checkRefusal(t, resp, body, 403, "--trusted-proxies")
		stranger.ended()
	}
	n.expectCount("not_a_proxy", 3)
	// Where no header is expected, none is taken.
	n.addr = n.in.Addrs()[1]
	for _, header := range []string{line, binary, health} {
		if resp, _ := n.ask(header + get(target)).answer("GET"); resp.StatusCode != 400 {
			t.Errorf("%q where none is expected: %s", header, resp.Status)
		}
	}
}

// What is no header, or none that is in order, is refused with the first byte that shows it, in a
// line that says what was expected; one that does not come in time is closed.
func TestBadProxyHeaders(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		behind(s, "x-forwarded-for", "127.0.0.0/8")
		s.intake.Listen = []string{"proxy:127.0.0.1:0"}
		s.intake.HeadTimeout = 300 * time.Millisecond
	})
	tooLong := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x10\x00"
	for header, reason := range map[string]string{
		get("/events?topic=t"): "expected a PROXY protocol header",
		"\x16\x03\x01":         "expected a PROXY protocol header",
		"PROXY TCP4 192.0.2.1 192.0.2.2 51234\r\n" + get("/events?topic=t"): "expected a line like",
		"PROXY " + strings.Repeat("x", 102):                                 "expected a line like",
		binary[:13] + "\x12":                                                "version 2",
		tooLong: fmt.Sprint(
			proxyproto.MaxBytes),
	} {
		resp, body := n.ask(header).answer("GET")
		checkRefusal(t, resp, body, 400, reason)
		c := n.ask(header[:2]) // and in pieces
		await(t, "a part waits", func() bool { return n.in.HeadCount() > 0 })
		c.send(header[2:])
		resp, body = c.answer("GET")
		checkRefusal(t, resp, body, 400, reason)
	}
	n.expectCount("bad_proxy_header", 12)
	for _, part := range []string{line[:9], binary[:14]} {
		resp, body := n.ask(part).answer("GET")
		checkRefusal(t, resp, body, 408, "in time")
	}
	for _, cut := range []int{5, len(binary)} { // nothing was asked
		c := n.ask(binary[:cut])
		if cut < len(binary) {
			await(t, "a part waits", func() bool { return n.in.HeadCount() > 0 })
			c.send(binary[cut:])
		}
		if rest := c.ended(); rest != "" {
			t.Errorf("behind a header there was nothing, and it is answered %q", rest)
		}
	}
	n.quiet()
}

// A header of the longest that is taken, and the longest request head behind it.
func TestLongestProxyHeader(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		behind(s, "x-forwarded-for", "127.0.0.1")
		s.intake.Listen = []string{"proxy:127.0.0.1:0"}
	})
	extension := proxyproto.MaxBytes - len(binary) - 3
	header := []byte(binary + "\x04" + string([]byte{byte(extension >> 8), byte(extension)}))
	header = append(header, bytes.Repeat([]byte("x"), extension)...)
	header[14], header[15] = byte((proxyproto.MaxBytes-16)>>8), byte((proxyproto.MaxBytes-16)&0xff)
	head := get("/events?topic=t", "A: ")
	head = get("/events?topic=t", "A: "+strings.Repeat("a", 8192-len(head)))
	n.ask(string(header) + head).stream()
	resp, body := n.ask(string(header) + strings.Replace(head, "A: ", "A: a", 1)).answer("GET")
	checkRefusal(t, resp, body, 431, "larger")
}
