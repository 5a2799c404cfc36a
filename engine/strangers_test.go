package engine_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/httpapi"
)

// attacks are what a client without a key can send to hold places; each connection stays open.
var attacks = map[string]string{
	"a body that does not come":          "POST /publish HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	"a body with a wrong key":            "POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\nContent-Length: 10\r\n\r\n",
	"chunks that do not come":            "POST /publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"a body that waits to be asked for":  "POST /publish HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
	"a body that nothing is there for":   "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	"a method with a body":               "DELETE /events HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	"a preflight with a body":            "OPTIONS /publish HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 10\r\n\r\n",
	"a private stream with a body":       "GET /events?topic=a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	"a private stream":                   "GET /events?topic=a HTTP/1.1\r\nHost: a\r\n\r\n",
	"a HEAD of a public stream":          "HEAD /events?topic=public/a HTTP/1.1\r\nHost: a\r\n\r\n",
	"a path that is not there":           "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
	"half a head":                        "GET /ev",
	"half a head, and then nothing more": "POST /publish HTTP/1.1\r\nHost: a\r\nContent-Le",
	"half a head of a later request":     "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /ev",
	"nothing":                            "",
}

// TestStrangersHoldNothingUp: under each attack, with five times as many connections as there are
// places, and under all of them at once, a publisher with a key, streams, health, metrics and Redis
// go on.
func TestStrangersHoldNothingUp(t *testing.T) {
	t.Parallel()
	const requests, heads = 64, 100
	n := edge(t, "redis://"+startRedis(t).address(), func(c *engine.Config) {
		c.Dev, c.Keys, c.Anonymous = false, []string{"secret"}, []string{"public/*"}
		c.HTTPConnectionsMax, c.HeadsMax = requests, heads
	})
	var streams []*stream
	for range pick(1000, 100, 100) {
		streams = append(streams, n.opened(t, ask{topics: []string{"public/a"}}))
	}
	sent := 0
	goesOn := func(t *testing.T) {
		t.Helper()
		// each needs a place of its own
		client := &http.Client{Timeout: patience,
			Transport: &http.Transport{DisableKeepAlives: true}}
		for range 20 {
			r, _ := http.NewRequest("POST", "http://"+n.addr+"/publish?topic=public/a",
				strings.NewReader(fmt.Sprint(sent)))
			r.Header.Set("Authorization", "Bearer secret")
			got, err := client.Do(r)
			if err != nil {
				t.Fatalf("publishing: %v", err)
			}
			body, _ := io.ReadAll(got.Body)
			got.Body.Close()
			if got.StatusCode != 200 {
				t.Fatalf("publishing: %s %s", got.Status, body)
			}
			sent++
		}
		for _, path := range []string{"/healthz", "/metrics", "/readyz"} {
			if status, body := n.get(t, n.admin, path); status != 200 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		n.opened(t, ask{topics: []string{"public/a"}}).conn.Close()
		for _, st := range []*stream{streams[0], streams[len(streams)-1]} {
			if _, err := st.take(20); err != nil {
				t.Fatal(err)
			}
		}
	}
	var held []net.Conn
	attackAt := func(t *testing.T, address, request string, count int) {
		t.Helper()
		for range count {
			c, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, c)
			io.WriteString(c, request)
		}
	}
	attack := func(t *testing.T, request string, count int) {
		t.Helper()
		attackAt(t, n.addr, request, count)
	}
	rest := func() {
		for _, c := range held {
			c.Close()
		}
		held = nil
	}
	defer rest()
	for name, request := range attacks {
		t.Run(name, func(t *testing.T) {
			attack(t, request, 5*max(requests, heads))
			goesOn(t)
			rest()
		})
	}
	for name, request := range map[string]string{
		"nothing":                   "",
		"half a head":               "GET /metr",
		"answers that are not read": strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
		"a body that does not come": "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
		"a profile":                 "GET /debug/pprof/trace?seconds=20 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run("the admin listener, "+name, func(t *testing.T) {
			attackAt(t, n.admin, request, 5*httpapi.AdminConnectionsMax)
			goesOn(t)
			if held := n.metrics(
				t)[`ssedge_connections{state="admin"}`]; held > httpapi.AdminConnectionsMax {
				t.Errorf("%v connections are held there", held)
			}
			rest()
		})
	}
	t.Run("all of them", func(t *testing.T) {
		for _, request := range attacks {
			attack(t, request, requests)
		}
		goesOn(t)
		time.Sleep(2 * time.Second) // what they hold is given up, and not taken again
		goesOn(t)
		rest()
	})
	await(t, "no connection is left", func() (bool, string) {
		m := n.metrics(t)
		left := m[`ssedge_connections{state="http"}`] + m[`ssedge_connections{state="head"}`]
		return left <= 2, fmt.Sprint(left)
	})
}
