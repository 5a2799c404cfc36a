package engine_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ssedge/engine"
)

// TestAdminIsNotForOtherSites: a page of another site makes an operator's browser do nothing, and
// no page starts a profile where a browser does not say where a request comes from. A link to a
// page may be followed.
func TestAdminIsNotForOtherSites(t *testing.T) {
	n := startNode(t, nil)
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	cheap := []string{"/healthz", "/metrics", "/admin/status", "/admin/edges", "/admin/topics",
		"/debug/pprof/", "/debug/pprof/goroutine?debug=1"}
	costly := []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=0.1",
		"/debug/pprof/heap?gc=1", "/debug/pprof/heap?seconds=1"}
	for _, c := range []struct {
		agent, site, mode string
		cheap, costly     int
	}{
		{"Go-http-client/1.1", "", "", 200, 200},
		{"curl/8", "", "", 200, 200},
		{browser, "none", "navigate", 200, 200},
		{browser, "same-origin", "no-cors", 200, 200},
		{browser, "cross-site", "no-cors", 403, 403},
		{browser, "same-site", "cors", 403, 403},
		{browser, "cross-site", "navigate", 200, 403},
		{browser, "", "", 200, 403},
	} {
		for _, path := range slices.Concat(cheap, costly[pick(0, 2, 2):]) {
			r, _ := http.NewRequest("GET", "http://"+n.admin+path, nil)
			r.Header.Set("User-Agent", c.agent)
			for name, value := range map[string]string{"Sec-Fetch-Site": c.site,
				"Sec-Fetch-Mode": c.mode} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			want := c.cheap
			if slices.Contains(costly, path) {
				want = c.costly
			}
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got.Body.Close()
			if got.StatusCode != want {
				t.Errorf("%s from %q, %q by %s: %s, expected %d", path, c.site, c.mode, c.agent,
					got.Status, want)
			}
		}
	}
}

// TestTheCommandLineHasNoSecrets: of flags it has the names, whatever they are.
func TestTheCommandLineHasNoSecrets(t *testing.T) {
	p := startProcess(t, "--edge=secret-key", "--cors-origin", "https://another-key.example")
	_, body := p.get(t, p.admin, "/debug/pprof/cmdline")
	if strings.Contains(body, "secret-key") || strings.Contains(body, "another-key") ||
		!strings.Contains(body, "--edge") {
		t.Errorf("%q", body)
	}
}

// TestAListOfTopicsCostsWhatItShows, and not what there is.
func TestAListOfTopicsCostsWhatItShows(t *testing.T) {
	const topics = 20_000
	n := startNode(t, func(c *engine.Config) { c.TopicsMax = topics })
	for i := range topics {
		if _, err := n.engine.Table().Acquire(fmt.Append(nil, "t", i)); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if status, body := n.get(t, n.admin, "/admin/topics?limit=1"); status != 200 ||
		strings.Count(body, "subscribers") != 1 {
		t.Errorf("%d %.200s", status, body)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 20*topics {
		t.Errorf("%d bytes were allocated for one of %d topics", got, topics)
	}
}
