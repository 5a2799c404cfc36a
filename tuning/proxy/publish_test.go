package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine"
)

// breakingEdge takes requests on any number of connections and, as soon as it has read one
// for /publish, breaks off: that way.
func breakingEdge(t *testing.T, host, way string, published *atomic.Int64) *edge {
	t.Helper()
	admin, err := net.Listen("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := net.SplitHostPort(host)
	public, err := net.Listen("tcp", name+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close(); public.Close() })
	go http.Serve(admin, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // well
	serve := func(c net.Conn) {
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, q.Body)
			if q.URL.Path != "/publish" {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			published.Add(1)
			switch way {
			case "reset":
				c.(*net.TCPConn).SetLinger(0)
			case "half a head":
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-")
			}
			return
		}
	}
	go func() {
		for {
			c, err := public.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return &edge{addr: public.Addr().String(), admin: admin.Addr().String()}
}

// TestAPublishIsSentOnce: when the edge that has it breaks off, no proxy sends it again,
// to this edge or to the other, and none says that there was no edge.
func TestAPublishIsSentOnce(t *testing.T) {
	every(t, func(t *testing.T, k kind) {
		for _, way := range []string{"end", "reset", "half a head"} {
			var published atomic.Int64
			_, port, _ := net.SplitHostPort(freeAddress(t))
			a, b := breakingEdge(t, edgeHost+":"+port, way, &published),
				breakingEdge(t, otherHost+":"+port, way, &published)
			address := k.start(t, []*edge{a, b})
			for _, warm := range []bool{false, true} { // the connection has had a request
				for _, body := range []string{"an event", ""} {
					for _, field := range []string{"", "Idempotency-Key: k\r\n"} {
						what := fmt.Sprintf("%s, warm=%v, body %q, %q", way, warm, body, field)
						published.Store(0)
						status := post(t, address, warm, body, field)
						if got := published.Load(); got != 1 {
							t.Errorf("%s: sent %d times", what, got)
						}
						if status != 502 &&
							!(status == 0 && warm && (k.name == "haproxy" || k.name == "apache2")) {
							t.Errorf("%s: answered %d", what, status)
						}
					}
				}
			}
		}
	})
}

// post publishes over a connection of its own; 0 is no answer. No client library has
// a chance to repeat anything.
func post(t *testing.T, address string, warm bool, body, field string) (status int) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	send := func(path string) (*http.Response, error) {
		fmt.Fprintf(c, "POST %s?topic=t HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s",
			path, address, field, len(body), body)
		return http.ReadResponse(r, nil)
	}
	if warm {
		if answer, err := send("/warm"); err != nil || answer.StatusCode != 200 {
			t.Fatal(answer, err)
		}
	}
	answer, err := send("/publish")
	if err != nil {
		return 0
	}
	if said, _ := io.ReadAll(answer.Body); strings.Contains(string(said), "no edge is there") {
		t.Errorf("answered %s", said)
	}
	return answer.StatusCode
}

// TestKeptConnectionsEndAtTheProxy before they end at the edge, unless its settings are
// changed: else a publish would cross the end.
func TestKeptConnectionsEndAtTheProxy(t *testing.T) {
	for file, kept := range map[string]string{
		"nginx.conf":  `keepalive_timeout (\w+);`,
		"Caddyfile":   `keepalive (\w+)\n`,
		"apache.conf": `ttl=(\w+)\n`,
		"envoy.yaml":  `common_http_protocol_options: \{idle_timeout: (\w+)\}`,
		// HAProxy gives connections up after seconds without use (pool-purge-delay).
	} {
		config, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(kept).FindSubmatch(config)
		if found == nil {
			t.Errorf("%s does not say %s", file, kept)
			continue
		}
		text := string(found[1])
		if file == "apache.conf" {
			text += "s" // which it takes a bare number for
		}
		if d, err := time.ParseDuration(text); err != nil ||
			d > engine.DefaultConfig().HTTPIdle*2/3 {
			t.Errorf("%s: %s, and --http-idle is %v", file, found[0],
				engine.DefaultConfig().HTTPIdle)
		}
	}
}
