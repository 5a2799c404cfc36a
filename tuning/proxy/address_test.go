package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// one lets each client address have one stream, and trusts a proxy on 127.0.0.1, from
// where no client of these tests comes.
func one(c *engine.Config) {
	c.PerAddressMax = 1
	c.TrustedProxies = []string{"127.0.0.1"}
}

// expectOneEach: two clients have a stream each and no second one, whatever they say.
func expectOneEach(t *testing.T, address string, first, second string, lies ...string) {
	t.Helper()
	for _, from := range []string{first, second} {
		c := newClient(t, address, from)
		c.follow(lies...)
		for _, says := range [][]string{nil, lies} {
			again := newClient(t, address, from)
			r, err := again.ask(says...)
			if err != nil {
				t.Fatal(err)
			}
			if r.Body.Close(); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
				t.Errorf("a second stream for %s: %s %v", from, r.Status, r.Header)
			}
		}
	}
}

// TestClientAddresses: streams are counted by the client's address, which the proxy says,
// and a client that says another is not believed, through the proxy or past it.
func TestClientAddresses(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		e := startEdge(t, one)
		address := k.start(t, []*edge{e})
		expectOneEach(t, address, "127.0.0.2", "127.0.0.3", "X-Forwarded-For: 192.0.2.1",
			"X-Forwarded-For: 192.0.2.2, 127.0.0.1")
		expectOneEach(t, e.addr, "127.0.0.4", "127.0.0.5", "X-Forwarded-For: 192.0.2.1")
	})
}

// TestForwarded: the same in the words of RFC 7239, which HAProxy 2.6 can be told to
// write, and nginx can with an IPv4 client.
func TestForwarded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k  kind
		by []edit
	}{
		{kinds[0],
			[]edit{{"        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n",
				"        proxy_set_header Forwarded \"$http_forwarded, for=$remote_addr;proto=$scheme\";\n"}}},
		{kinds[1],
			[]edit{{"    option forwardfor\n", ""},
				{
					"frontend public\n", "frontend public\n    http-request add-header Forwarded for=%[src];proto=http\n"}}},
	} {
		t.Run(c.k.name, func(t *testing.T) {
			e := startEdge(t, func(c *engine.Config) { one(c); c.ForwardedHeader = "forwarded" })
			expectOneEach(t, c.k.start(t, []*edge{e}, c.by...), "127.0.0.2", "127.0.0.3",
				`Forwarded: for=192.0.2.1`, "X-Forwarded-For: 192.0.2.2")
		})
	}
}

// tcp are the proxies that forward bytes, and the versions of the PROXY protocol that they speak.
var tcp = []struct {
	kind
	edits []edit
}{
	{kinds1("nginx", "nginx-tcp.conf"), nil},    // version 1
	{kinds1("haproxy", "haproxy-tcp.cfg"), nil}, // version 2
	{kinds1("haproxy", "haproxy-tcp.cfg"), []edit{{"send-proxy-v2 ", "send-proxy "}}},
	{kinds1("haproxy", "haproxy-tcp.cfg"),
		[]edit{{"send-proxy-v2 ", "send-proxy-v2 proxy-v2-options crc32c,unique-id "},
			{"mode tcp", "mode tcp\n    unique-id-format %{+X}o%ci:%cp"}}},
}

// kinds1 is a proxy over HTTP with a configuration for bytes.
func kinds1(name, file string) kind {
	for _, k := range kinds {
		if k.name == name {
			k.file, k.fresh, k.usual, k.compress = file, nil, nil, nil
			switch name {
			case "nginx":
				k.second = []edit{{"        server 10.0.0.12:8080 max_fails=0;\n", ""}}
				k.wrap = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" + nginxMain +
					"%s\n"
			case "haproxy":
				k.second = []edit{{"    server edge2 10.0.0.12:8080\n", ""}}
			}
			return k
		}
	}
	panic(name)
}

// TestProxyProtocol: clients are known by the header that the proxy sends in front; one that sends
// its own through the proxy, or past it, is refused; checks are let in and counted for no client.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	for i, p := range tcp {
		t.Run(fmt.Sprint(i, p.file), func(t *testing.T) {
			e := startEdge(t, func(c *engine.Config) {
				one(c)
				c.Listen = []string{"proxy:" + edgeHost + ":0"}
			})
			address := p.start(t, []*edge{e}, p.edits...)
			expectOneEach(t, address, "127.0.0.2", "127.0.0.3")

			other := newClient(t, address, "127.0.0.6")
			s := other.follow()
			publisher := newClient(t, address, "127.0.0.7")
			publisher.publish("an event")
			if m := s.next(); m.Data != "an event" {
				t.Errorf("%+v", m)
			}
			s.leave()
			e.awaitStreams(t, 2)

			const spoofed = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nGET /events?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n"
			if r := raw(t, address, "127.0.0.8", spoofed); r.StatusCode != 400 {
				t.Errorf("through the proxy: %s", r.Status)
			}
			if r := raw(t, e.addr, "127.0.0.8", spoofed); r.StatusCode != 403 {
				t.Errorf("past the proxy: %s", r.Status)
			}
			if r := raw(t, e.addr, "127.0.0.1",
				"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != 400 {
				t.Errorf("without a header: %s", r.Status)
			}
			if p.name == "haproxy" {
				// its checks: more than two seconds of them, and it still has the edge
				time.Sleep(2500 * time.Millisecond)
				newClient(t, address, "127.0.0.9").follow()
			}
		})
	}
}

// raw sends some bytes from an address and returns the answer.
func raw(t *testing.T, address, from, request string) *http.Response {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode >= 400 && !strings.Contains(string(body), "error") {
		t.Errorf("%s %s", r.Status, body)
	}
	return r
}

// TestUnixSocket: on one host proxies and edge meet at a unix socket, whose clients are known
// by X-Forwarded-For if unix is trusted.
func TestUnixSocket(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		dir, err := os.MkdirTemp("", "ssedge") // where nginx's workers get at it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		os.Chmod(dir, 0o755)
		socket := filepath.Join(dir, "socket")
		e := startEdge(t, func(c *engine.Config) {
			one(c)
			c.TrustedProxies = []string{"unix"}
			c.Listen = []string{"unix:" + socket}
		})
		host, port, _ := net.SplitHostPort(e.admin)
		edits := map[string][]edit{
			"nginx": {{"server 10.0.0.11:8080 max_fails=0;", "server unix:" + socket +
				" max_fails=0;"}},
			"haproxy": {{"server edge1 10.0.0.11:8080 port 8081", "server edge1 unix@" + socket +
				" addr " + host + " port " + port}},
			"caddy": {{"reverse_proxy 10.0.0.11:8080 {", "reverse_proxy unix/" + socket + " {"},
				{"		health_uri /readyz\n", ""}, {"		health_port 8081\n", ""},
				{"		health_interval 1s\n", ""}},
			"apache2": {{"BalancerMember http://10.0.0.11:8080 ", "BalancerMember unix:" + socket +
				"|http://localhost "}},
		}
		address := k.start(t, []*edge{e}, edits[k.name]...)
		expectOneEach(t, address, "127.0.0.2", "127.0.0.3", "X-Forwarded-For: 192.0.2.1")
		if k.name == "haproxy" { // and its checks find the edge well
			time.Sleep(2500 * time.Millisecond)
			newClient(t, address, "127.0.0.4").follow()
		}
	})
}
