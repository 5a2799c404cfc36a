package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// Every edge tells of all of them.
func TestTheCentralView(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	often := func(name string) func(*engine.Config) {
		return func(c *engine.Config) {
			c.Edge, c.Redis.PresenceEvery, c.Redis.Linger, c.Version = name, 200*time.Millisecond,
				time.Second, "v-"+name
		}
	}
	a, b := edge(t, url, often("a")), edge(t, url, often("b"))
	for range 3 {
		a.opened(t, topic("x"))
	}
	onB := b.opened(t, topic("x"))
	b.opened(t, ask{topics: []string{"x", "y"}})
	view := func(n *node, path string, into any) {
		t.Helper()
		code, body := n.get(t, n.admin, path)
		if err := json.Unmarshal([]byte(body), into); code != 200 || err != nil {
			t.Fatalf("%s: %d %s", path, code, body)
		}
	}
	type count struct {
		Topic       string
		Subscribers int
		Edges       map[string]int
	}
	counts := func(n *node, query string) string {
		var all []count
		view(n, "/admin/topics"+query, &all)
		return fmt.Sprint(all)
	}
	for _, n := range []*node{a, b} {
		eventually(t, "all are counted", func() bool {
			return counts(n, "") == "[{x 5 map[a:3 b:2]} {y 1 map[b:1]}]"
		})
		if got := counts(n, "?topic=y&topic=empty"); got != "[{y 1 map[b:1]}]" {
			t.Errorf("found %s", got)
		}
		if got := counts(n, "?limit=1"); got != "[{x 5 map[a:3 b:2]}]" {
			t.Errorf("found %s", got)
		}
		var edges []struct {
			Edge, Version   string
			Streams, Topics int
		}
		eventually(t, "both say what they have", func() bool {
			view(n, "/admin/edges", &edges)
			return fmt.Sprint(edges) == "[{a v-a 3 1} {b v-b 2 2}]"
		})
	}
	onB.reset()
	eventually(t, "one has left", func() bool {
		return counts(a, "?topic=x") == "[{x 4 map[a:3 b:1]}]"
	})
	r.cli("FLUSHALL") // what is gone is written again
	eventually(t, "all are counted again", func() bool {
		return counts(b, "") == "[{x 4 map[a:3 b:1]} {y 1 map[b:1]}]"
	})
	b.engine.Close()
	if got := counts(a, ""); got != "[{x 3 map[a:3]}]" { // it has taken its leave
		t.Errorf("an edge that has ended is counted: %s", got)
	}
	for _, bad := range []string{"0", "-1", "x", "10001"} {
		if code, body := a.get(t, a.admin, "/admin/topics?limit="+bad); code != 400 ||
			!strings.Contains(body, "limit") {
			t.Errorf("limit=%s: %d %s", bad, code, body)
		}
	}
	r.kill()
	if code, body := a.get(t, a.admin, "/admin/edges"); code != 503 {
		t.Errorf("without the server: %d %s", code, body)
	}
}

// Without Redis a node tells of itself.
func TestTheViewOfOneNode(t *testing.T) {
	n := startNode(t, nil)
	n.opened(t, topic("x"))
	if code, body := n.get(t, n.admin, "/admin/topics"); code != 200 ||
		!strings.Contains(body, `{"topic":"x","subscribers":1,"edges":{"edge":1}}`) {
		t.Errorf("%d %s", code, body)
	}
	for query, found := range map[string]string{"Topic=x": "Topic", "topics=x": "topics",
		"topic=x&Limit=1": "Limit", "topic=%zz": "escape"} {
		if code, body := n.get(t, n.admin, "/admin/topics?"+query); code != 400 ||
			!strings.Contains(body, found) {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
	if code, body := n.get(t, n.admin, "/admin/edges"); code != 200 ||
		!strings.Contains(body, `"edge":"edge"`) || !strings.Contains(body, `"streams":1`) {
		t.Errorf("%d %s", code, body)
	}
}

// secured are the arguments of a server that takes TLS connections at a port, besides others.
func secured(t testing.TB, port string) []string {
	t.Helper()
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key"), filepath.Join(dir, "cert")
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
		"2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
		"-keyout", key, "-out", cert).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}
}

// edgeUser is what engine/fanin/redis/README.md says of an edge's user.
var edgeUser = []string{"ACL", "SETUSER", "edge", "on", ">secret", "~sse:*", "~{sse:*", "~ssedge:*",
	"&sse:*", "&ssedge:*",
	"+@all", "-@dangerous", "-function", "+info", "+role", "+cluster|slots", "+client|setname"}

// Users, passwords and TLS; what is wrong with them is one line.
func TestServersWithPasswordsAndTLS(t *testing.T) {
	t.Parallel()
	tlsPort := freePorts(t, 1)[0]
	r := startRedis(t, append(secured(t, tlsPort), "--requirepass", "p@ss")...)
	r.cli(append([]string{"-a", "p@ss"}, edgeUser...)...)
	for _, url := range []string{"redis://:p%40ss@127.0.0.1:" + r.port,
		"redis://edge:secret@127.0.0.1:" + r.port, "rediss://edge:secret@127.0.0.1:" + tlsPort +
			"?insecure=true"} {
		n := edge(t, url, nil)
		st := n.opened(t, topic("x"))
		n.publish(t, "x", "hello")
		st.gets(t, "hello")
	}
	for url, says := range map[string]string{
		"redis://127.0.0.1:" + r.port:                   "NOAUTH",
		"redis://:wrong@127.0.0.1:" + r.port:            "WRONGPASS",
		"rediss://:p%40ss@127.0.0.1:" + tlsPort:         "certificate",
		"redis://127.0.0.1:1":                           "refused",
		"redis+cluster://:p%40ss@127.0.0.1:" + r.port:   "cluster",
		"redis+sentinel://127.0.0.1:" + r.port + "/m":   "",
		"redis+cluster://127.0.0.1:1":                   "refused",
		"rediss://:p%40ss@127.0.0.1:" + r.port + "/0/1": "expected redis://",
	} {
		c := engine.DefaultConfig()
		c.Dev, c.Listen, c.Admin, c.Redis.URL, c.Redis.Timeout = true, []string{"127.0.0.1:0"}, "",
			url, time.Second
		began := time.Now()
		e, err := engine.New(c)
		if err == nil {
			e.Close()
			t.Errorf("%s: it starts", url)
		} else if text := err.Error(); !strings.Contains(text, "--redis: ") || !strings.Contains(
			text, says) || strings.Contains(text, "\n") || strings.Contains(text, "p@ss") {
			t.Errorf("%s: %s", url, text)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("%s: %v", url, took)
		}
	}
}

// A node that may start without its servers holds streams, which have an id to come back with, and
// goes on when they come.
func TestServersThatComeLater(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	r.kill()
	n := edge(t, url, func(c *engine.Config) { c.Redis.Required = false })
	st := n.open(t, topic("x"))
	if code, body := n.get(t, n.admin, "/readyz"); code != 200 ||
		!strings.Contains(body, "degraded") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, _ := n.get(t, n.admin, "/healthz"); code != 200 {
		t.Errorf("/healthz: %d", code)
	}
	answer, err := http.Post("http://"+n.addr+"/publish?topic=x", "text/plain",
		strings.NewReader("no"))
	if err != nil || answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("publishing: %v %+v", err, answer)
	}
	// Only operators are told which servers.
	text, _ := io.ReadAll(answer.Body)
	_, readyz := n.get(t, n.admin, "/readyz")
	if all := string(text) + readyz; strings.Contains(all, "127.0.0.1") ||
		strings.Contains(all, r.port) || strings.Contains(all, "dial") {
		t.Errorf("servers are named: %s", all)
	}
	if _, status := n.get(t, n.admin, "/admin/status"); !strings.Contains(status, r.address()) {
		t.Errorf("the server is not named: %s", status)
	}
	strict := edge(t, url, func(c *engine.Config) {
		c.Redis.Required, c.ReadyNeedsRedis = false, true
	})
	if code, body := strict.get(t, strict.admin, "/readyz"); code != 503 {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if err := st.opening(); err != nil {
		t.Fatal(err)
	}
	began := st.decoder.LastEventID()
	r.start()
	eventually(t, "publishing is answered", func() bool {
		_, err = n.post("x", "hello")
		return err == nil
	})
	st.gets(t, "hello")
	strict.opened(t, after("x", began)).gets(t, "hello")
	eventually(t, "it is ready", func() bool {
		code, _ := strict.get(t, strict.admin, "/readyz")
		return code == 200
	})
}

// What is said of the servers, and that all of it is explained.
func TestMetricsOfRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := edge(t, "redis://"+r.address(), nil)
	st := n.opened(t, topic("x"))
	for range 3 {
		n.publish(t, "x", "hello")
		st.gets(t, "hello")
	}
	r.cli("SPUBLISH", "sse:x", "of another kind")
	// and this one an envelope of a later version
	r.cli("EVAL", "redis.call('PUBLISH', 'sse:x', '\\0s9')", "0")
	// and one of another history
	r.cli("EVAL",
		"redis.call('PUBLISH', 'sse:x', '\\0s1 9999999999999-0 9999999999998-0 3\\ngapx')", "0")
	r.cli("EVAL", "local id = redis.call('XADD', 'sse:x', '*', 'p', ARGV[1], 'e', 'gap', 'd', 'x', 'r', '')\n"+
		"redis.call('PUBLISH', 'sse:x', '\\0s1 ' .. id .. ' ' .. ARGV[1] .. ' 3\\ngapx')", "0",
		st.decoder.LastEventID())
	eventually(t, "the bad ones are counted", func() bool {
		m := n.metrics(t)
		return m["ssedge_redis_malformed_total"] == 1 && m[`ssedge_redis_topics{state="live"}`] == 1
	})
	n.publish(t, "x", "goes on")
	gaps := 0
	for m, err := st.next(); m.Data != "goes on"; m, err = st.next() {
		// behind an event that may not be sent, and has an unknown predecessor
		if err != nil || m.Event != "gap" {
			t.Fatalf("found %+v, %v", m, err)
		}
		gaps++
	}
	if gaps == 0 {
		t.Error("what could not be sent was not told")
	}
	m := n.metrics(t)
	for name, want := range map[string]float64{
		"ssedge_redis_up": 1, `ssedge_redis_topics{state="live"}`: 1,
		`ssedge_redis_topics{state="away"}`: 0, `ssedge_redis_topics{state="catching_up"}`: 0,
		"ssedge_redis_published_total": 4, "ssedge_redis_events_total": 4,
		"ssedge_redis_lag_seconds_count": 4, "ssedge_redis_unfit_total": 1,
		"ssedge_redis_phantoms_total": 1, `ssedge_redis_catchups_total{cause="new"}`: 1,
		"ssedge_redis_history_seconds_max": 3600, "ssedge_redis_answer_seconds_max": 1,
		"ssedge_redis_catchups_per_second_max": 50_000,
	} {
		if m[name] != want {
			t.Errorf("%s is %v, expected %v", name, m[name], want)
		}
	}
	_, page := n.get(t, n.admin, "/metrics")
	for line := range strings.Lines(page) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# HELP ssedge_redis_"); ok &&
			!strings.Contains(name, " ") {
			t.Errorf("ssedge_redis_%s is not explained", name)
		}
	}
}
