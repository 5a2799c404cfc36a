package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine"
)

// TestLifetimeEndsStreams closes streams that have lasted as long as they may,
// each with a reason, and lets them come back where they were.
func TestLifetimeEndsStreams(t *testing.T) {
	n := startNode(t, func(c *engine.Config) {
		c.Lifetime, c.Heartbeat = time.Second, 100*time.Millisecond
	})
	st := n.opened(t, ask{topics: []string{"t"}})
	began := time.Now()
	if got, err := st.untilEnd(); err != nil || len(got) > 0 {
		t.Fatalf("found %+v, %v: expected the end", got, err)
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("closed after %v, with a lifetime of a second less up to a tenth", took)
	}
	if st.beats == 0 {
		t.Error("no heartbeat came in a life of silence")
	}
	n.await(t, `ssedge_streams_closed_total{reason="max_lifetime"}`, 1)
	n.awaitStreams(t, 0)
	n.publish(t, "t", "meanwhile")
	again := n.open(t, ask{topics: []string{"t"}, after: st.decoder.LastEventID()})
	if m, err := again.next(); err != nil || m.Data != "meanwhile" {
		t.Errorf("coming back: found %q, %v", m.Data, err)
	}
}

// TestCloseCutsALifeShortAnywhere ends a node at once: before it served, while it
// serves, while it drains, and while its drain waits for a request. Nothing is left
// of it, and nothing waits for ever.
func TestCloseCutsALifeShortAnywhere(t *testing.T) {
	var n *node
	serve := func(e *engine.Engine) {
		if err := e.Start(); err != nil {
			t.Fatal(err)
		}
		n = &node{newServer(e.Addrs()[0].String(), e.AdminAddr().String()), e}
		n.opened(t, ask{topics: []string{"t"}})
	}
	drain := func(e *engine.Engine) <-chan struct{} {
		drained := make(chan struct{})
		go func() { e.Drain(); close(drained) }()
		await(t, "the drain to begin", func() (bool, string) {
			return e.Ready() != nil, "a ready node"
		})
		return drained
	}
	for _, life := range []struct {
		name string
		lead func(*engine.Engine) (ended <-chan struct{})
	}{
		{"New", func(*engine.Engine) <-chan struct{} { return nil }},
		{"Serving", func(e *engine.Engine) <-chan struct{} { serve(e); return nil }},
		{"Draining", func(e *engine.Engine) <-chan struct{} {
			serve(e)
			drained := drain(e)
			await(t, "the listener to close", func() (bool, string) {
				return refused(n.addr), "one that accepts"
			})
			return drained
		}},
		{"DrainingWithARequest", func(e *engine.Engine) <-chan struct{} {
			serve(e)
			c, err := net.Dial("tcp", n.addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			io.WriteString(c, "POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
			n.await(t, `ssedge_connections{state="http"}`, 1)
			return drain(e)
		}},
	} {
		t.Run(life.name, func(t *testing.T) {
			c := engine.DefaultConfig()
			c.Dev, c.Listen, c.Admin, c.Logger = true, []string{"127.0.0.1:0"}, "127.0.0.1:0",
				slog.New(slog.DiscardHandler)
			c.DrainRate, c.DrainTimeout = 0.001, time.Hour
			e, err := engine.New(c)
			if err != nil {
				t.Fatal(err)
			}
			ended := life.lead(e)
			e.Close()
			e.Close()
			if e.Streams() != 0 {
				t.Errorf("%d streams are left", e.Streams())
			}
			if ended == nil {
				return
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("Drain does not return after Close")
			}
		})
	}
}

// recorder is a slog.Handler that keeps what is logged at info level and above.
type recorder struct {
	mu  sync.Mutex
	all []string
}

func (r *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *recorder) WithGroup(string) slog.Handler                { return r }
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, rec.Message)
	return nil
}

// TestNothingIsLoggedPerEventOrClient publishes, delivers, refuses, resets: all
// that is daily business.
func TestNothingIsLoggedPerEventOrClient(t *testing.T) {
	r := &recorder{}
	n := startNode(t, func(c *engine.Config) { c.Logger = slog.New(r) })
	st := n.opened(t, ask{topics: []string{"t"}})
	published := n.publishAll(t, "t", numbered(500, 10))
	if _, err := st.take(len(published)); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		n.opened(t, ask{topics: []string{"t"}, after: "nonsense"}).reset()
		n.dial(ask{}) // no topic: refused
		n.get(t, n.addr, "/nothing")
	}
	n.awaitStreams(t, 1)
	n.engine.Drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) > 5 {
		t.Errorf("%d lines are logged at info level, expected a few of the node's own life:\n%s",
			len(r.all), strings.Join(r.all, "\n"))
	}
	if len(r.all) == 0 {
		t.Error("nothing is logged at all, not even that the node drains: this test sees nothing")
	}
}

// TestAdminPages are on the admin listener, and only there.
func TestAdminPages(t *testing.T) {
	n := startNode(t, nil)
	n.opened(t, ask{topics: []string{"t"}})
	n.awaitStreams(t, 1)
	if status, body := n.get(t, n.admin, "/"); status != 200 || !strings.Contains(body, "/readyz") {
		t.Errorf("admin /: found %d %.200q, expected what there is", status, body)
	}
	for path, says := range map[string]string{
		"/healthz": "ok", "/readyz": "ready", "/metrics": "ssedge_streams{",
		"/admin/status": `"streams":1`,
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/cmdline": "engine",
	} {
		if status, body := n.get(t, n.admin, path); status != 200 || !strings.Contains(body, says) {
			t.Errorf("admin %s: found %d %.200q, expected 200 with %q", path, status, body, says)
		}
		status, body := n.get(t, n.addr, path)
		var said struct{ Error string }
		if err := json.Unmarshal([]byte(body), &said); status != 404 || err != nil ||
			said.Error == "" {
			t.Errorf("public %s: found %d %q, expected 404 with a reason", path, status, body)
		}
	}
}

// TestAdminPathsArePlain: no page answers to another spelling of its path. Otherwise a client could
// get around a proxy that denies the path by name.
func TestAdminPathsArePlain(t *testing.T) {
	n := startNode(t, nil)
	for _, path := range []string{"/healthz", "/metrics", "/admin/status", "/debug/pprof/cmdline"} {
		k := strings.LastIndexByte(path, '/') + 1
		for _, s := range []string{
			path[:k] + fmt.Sprintf("%%%02x", path[k]) + path[k+1:],
			fmt.Sprintf("/%%%02X", path[1]) + path[2:], "/" + path, "/." + path, "/x/.." + path,
			"/%2e" + path, "/%2e%2e" + path, path + "%2f", path + "%20", path[:k] + "/" + path[k:],
			path[:k] + "./" + path[k:], path + "/", path + "/.",
		} {
			for _, host := range []string{"", "http://127.0.0.1"} {
				c, err := net.Dial("tcp", n.admin)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
					host, s)
				c.SetDeadline(time.Now().Add(10 * time.Second))
				answer, _ := io.ReadAll(c)
				c.Close()
				if !strings.HasPrefix(string(answer), "HTTP/1.1 404 ") {
					t.Errorf("%s%s: %.200q", host, s, answer)
				}
			}
		}
	}
}

// TestShortOfMemory refuses new streams, and keeps those that are there, while the
// process takes more than it may: this one takes more than a megabyte.
func TestShortOfMemory(t *testing.T) {
	n := startNode(t, func(c *engine.Config) {
		c.HistoryBytes, c.Rule.EventBytes, c.HistoryMax, c.MemoryMax = 64<<10, 8<<10, 512<<10, 1<<20
	})
	var st *stream
	if early, err := n.dial(ask{topics: []string{"t"}}); err == nil {
		// before the first look at the memory
		st = early
	}
	await(t, "new streams to be refused", func() (bool, string) {
		status, body := n.get(t, n.addr, "/events?topic=%00") // which is checked before
		got, err := http.Get("http://" + n.addr + "/events?topic=t")
		if err != nil {
			return false, err.Error()
		}
		defer got.Body.Close()
		return got.StatusCode == 503 && got.Header.Get("Retry-After") != "",
			fmt.Sprint(got.Status, status, body)
	})
	if m := n.metrics(t); m[`ssedge_refused_total{cause="memory_max"}`] == 0 {
		t.Error("the refusal is not counted")
	}
	n.publish(t, "t", "still")
	if st != nil {
		if err := st.opening(); err == nil {
			if _, err := st.take(1); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestAdminUnderAnotherName: a page that makes its name resolve to this machine does
// not read what operators read.
func TestAdminUnderAnotherName(t *testing.T) {
	n := startNode(t, nil)
	for host, want := range map[string]int{"evil.example": 421, "localhost": 200, n.admin: 200} {
		r, err := http.NewRequest("GET", "http://"+n.admin+"/debug/pprof/cmdline", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		got, err := n.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("Host %s: %s, expected %d", host, got.Status, want)
		}
	}
}
