package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ssedge/bench/result"
	"ssedge/bench/server"
)

// bench runs ssedge bench and returns what it measured.
func bench(t *testing.T, wantCode int, args ...string) (all result.Run, stderr string) {
	t.Helper()
	out, stderr, code := run(t, append([]string{"bench", args[0], "--json", "--settle=100ms"},
		args[1:]...)...)
	if code != wantCode {
		t.Fatalf("%q: expected exit code %d, found %d: %s%s", args, wantCode, code, stderr, out)
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil && wantCode == 0 {
		t.Fatalf("%v in %s", err, out)
	}
	return all, stderr
}

// target are the flags that name a server.
func target(url string) []string {
	return []string{"--subscribe=" + url + "/events?topic=t{topic}", "--publish-url=" + url +
		"/publish?topic=t{topic}"}
}

// TestBenchScenarios runs each against a server that it finds by its URL, and finds it faultless.
func TestBenchScenarios(t *testing.T) {
	t.Parallel()
	_, url, _ := serve(t, "--dev", "--heartbeat=500ms")
	for _, c := range []struct {
		args    []string
		figures []string // that must be there, and above nothing
		zero    []string
	}{
		{[]string{"hold", "--streams=200", "--topics=3", "--for=100ms", "--broadcasts=2",
			"--beats=1", "--drop=50"},
			[]string{"streams", "connect_rate", "first_byte_p99", "pss_idle", "delivered",
				"broadcast_p50", "heartbeats", "dropped", "exact"}, []string{"failed", "lost",
				"duplicates", "told"}},
		{[]string{"fanout", "--streams=100", "--topics=5", "--rate=100", "--for=500ms"},
			[]string{"delivered", "delivered_rate", "p50", "p90", "p99", "p99.9", "max",
				"published", "exact", "pss"}, []string{"lost", "duplicates", "disorder",
				"refused"}},
		{[]string{"fanout", "--streams=50", "--flat-out", "--for=300ms", "--allow-gaps"},
			[]string{"delivered", "published"}, []string{"lost", "duplicates", "disorder"}},
		{[]string{"fanout", "--streams=50", "--rate=1000", "--batch=10", "--for=300ms",
			"--publish-header=Content-Type: application/x-ndjson",
			`--publish-body={"topic":"t{topic}","data":"{payload}"}`,
			"--publish-url=" + url + "/publish"}, []string{"delivered", "published"},
			[]string{"lost", "duplicates", "disorder"}},
		{[]string{"isolation", "--streams=100", "--for=500ms", "--every=50ms", "--probe=5ms"},
			[]string{"p50", "p99", "quiet_p99", "broadcast_p50", "probe_events"},
			[]string{"probe_lost", "lost"}},
		{[]string{"storm", "--streams=100", "--rate=100", "--before=200ms", "--away=100ms",
			"--after=200ms"}, []string{"live_seconds", "caught_up_seconds", "exact", "rss_peak"},
			[]string{"lost", "duplicates", "told"}},
		{[]string{"slow", "--streams=60", "--rate=50", "--for=500ms", "--share=0.2",
			"--payload=2000"}, []string{"p99_ratio", "without_p99", "exact", "slow_streams"},
			[]string{"lost", "slow_lost"}},
		{[]string{"slow", "--streams=60", "--rate=50", "--for=500ms", "--dribble=10",
			"--pause=10ms"}, []string{"exact", "slow_streams"}, []string{"lost", "slow_lost"}},
		{[]string{"idle", "--streams=100", "--interval=500ms"},
			[]string{"heartbeats", "heartbeats_per_stream"}, []string{"ended"}},
	} {
		t.Run(strings.Join(c.args[:2], " "), func(t *testing.T) {
			all, _ := bench(t, 0, append(append(c.args[:1:1], target(url)...), c.args[1:]...)...)
			r := &all.Results[0]
			for _, name := range c.figures {
				if !(r.Value(name) > 0) {
					t.Errorf("%s is %v", name, r.Value(name))
				}
			}
			for _, name := range c.zero {
				if r.Value(name) != 0 {
					t.Errorf("%s is %v", name, r.Value(name))
				}
			}
		})
	}
}

// TestBenchStartsItsServers and compares them, beside the baseline.
func TestBenchStartsItsServers(t *testing.T) {
	t.Parallel()
	all, _ := bench(t, 0, "fanout", "--start=ssedge/1", "--beside", "--streams=100", "--rate=100",
		"--for=300ms")
	if len(all.Results) != 3 || all.Results[0].Server != "ssedge/1" ||
		all.Results[1].Server != "baseline/1" || !(all.Results[0].Value("p50_of_baseline") > 0) {
		t.Errorf("found %+v", all.Results)
	}
	if !testing.Short() {
		dir := t.TempDir()
		all, _ = bench(t, 0, "compare", "--servers=ssedge/1,baseline/1,twin", "--rounds=1",
			"--streams=100", "--flood=20", "--idle-wait=100ms", "--broadcasts=3", "--for=400ms",
			"--beat=300ms", "--settle=30ms", "--report="+dir, "--expect=p50>0us")
		if len(all.Tables) != 1 || len(all.Tables[0].Columns) != 4 {
			t.Fatalf("found %+v", all.Tables)
		}
		for _, row := range all.Tables[0].Rows {
			if strings.HasPrefix(row[0], "CPU per delivered") &&
				(row[1] == "–" || row[2] == "–" || row[3] == "–") {
				t.Errorf("found %q", row)
			}
		}
		page, err := os.ReadFile(filepath.Join(dir, "index.html"))
		if err != nil || !strings.Contains(string(page), "<svg") ||
			!strings.Contains(string(page), "baseline/1") {
			t.Errorf("%v: found no plots in the page", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "raw.json")); err != nil {
			t.Error(err)
		}
	}
}

// faulty is a small server of event streams that spoils event number at on every stream.
func faulty(t *testing.T, at int, spoil func(event string) string) string {
	t.Helper()
	var mu sync.Mutex
	var streams []chan string
	events := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		mine := make(chan string, 1000)
		mu.Lock()
		streams = append(streams, mine)
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		out.Flush()
		for {
			select {
			case text := <-mine:
				io.WriteString(w, text)
				out.Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		events++
		event := fmt.Sprintf("data: %s\nid: %d\n\n", data, events)
		if events == at {
			event = spoil(event)
		}
		for _, s := range streams {
			s <- event
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// TestBenchFailsOnFaults of a server that has them.
func TestBenchFailsOnFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(string) string
		says  string
	}{
		"loss":       {func(string) string { return "" }, "lost events in silence"},
		"duplicate":  {func(e string) string { return e + e }, "got events twice"},
		"damage":     {func(e string) string { return "xxxx\n" + e }, "damaged lines"},
		"told a gap": {func(string) string { return "event: gap\ndata: {}\n\n" }, "were told"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := faulty(t, 3, c.spoil)
			_, stderr := bench(t, 1,
				append([]string{"fanout", "--streams=10", "--rate=50", "--for=200ms"},
					target(url)...)...)
			if !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "10 of 10") {
				t.Errorf("found %q, expected %q", stderr, c.says)
			}
		})
	}
	url := faulty(t, 0, nil)
	fanout := append([]string{"fanout", "--streams=10", "--rate=50", "--for=200ms"}, target(url)...)
	bench(t, 0, append(fanout, "--expect=p99<60s", "--expect=delivered>=50")...)
	_, stderr := bench(t, 1, append(fanout, "--expect=p99<1us")...)
	if !strings.Contains(stderr, "expected p99<1us, found") {
		t.Errorf("found %q", stderr)
	}
}

// TestBenchBaselineIsHeldToWhatIsExpected, as nothing else is measured.
func TestBenchBaselineIsHeldToWhatIsExpected(t *testing.T) {
	t.Parallel()
	for expect, code := range map[string]int{"exact=20": 0, "exact=21": 1, "nonsense<1": 1} {
		_, errors := bench(t, code, "baseline", "--streams=20", "--broadcasts=1",
			"--expect="+expect)
		if code != 0 && !strings.Contains(errors, expect) {
			t.Errorf("%s: found %q", expect, errors)
		}
	}
}

// TestBenchFailsWhereItsResultsCannotBeWritten.
func TestBenchFailsWhereItsResultsCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"", " --json"} {
		cmd := exec.Command("sh", "-c", `exec "$0" bench baseline --streams=5 --broadcasts=1`+form+
			` > /dev/full`, os.Args[0])
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no space left") {
			t.Errorf("%q: %v: %s", form, err, out)
		}
	}
}

// TestBenchSaysWhatTheServerWouldNotTake, and does not call that exact.
func TestBenchSaysWhatTheServerWouldNotTake(t *testing.T) {
	t.Parallel()
	_, url, _ := serve(t, "--dev")
	_, errors := bench(t, 1,
		append([]string{"fanout", "--streams=10", "--rate=50", "--for=200ms",
			"--publish-method=PUT", "--warm=0"}, target(url)...)...)
	if !strings.Contains(errors, "10 events were refused by the server") {
		t.Errorf("found %q", errors)
	}
	// Nor is it the baseline's fault, where that is measured beside it.
	bench(t, 1, "hold", "--beside", "--streams=10", "--for=0s",
		"--subscribe=http://127.0.0.1:1/events", "--publish-url="+url+"/publish?topic=t{topic}")
	// as lines, without being told
	bench(t, 0, "fanout", "--start=ssedge/1", "--streams=10", "--rate=100", "--batch=10",
		"--for=200ms")
}

// TestBenchMistakes get a line that says what was expected, and nothing is measured.
func TestBenchMistakes(t *testing.T) {
	notRaced(t)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"hold", "--subscribe=http://192.0.2.1/x"},
			[]string{"192.0.2.1", "--allow-remote"}},
		{[]string{"hold", "--subscribe=https://127.0.0.1/x"}, []string{"http://"}},
		{[]string{"hold", "--subscribe=nowhere"}, []string{"--subscribe", "http://"}},
		{[]string{"hold", "--subscribe=http://127.0.0.1:1/{tpoic}"},
			[]string{"{tpoic}", "{topic}"}},
		{[]string{"hold", "--subscribe=http://127.0.0.1:1/x", "--streams=3"},
			[]string{"--subscribe", "no server is there", "refused"}},
		{[]string{"storm", "--subscribe=http://127.0.0.1:1/x",
			"--publish-url=http://127.0.0.1:1/x"}, []string{"--subscribe", "no server is there",
			"refused"}},
		{[]string{"hold", "--streams=0"}, []string{"--streams", "0"}},
		{[]string{"fanout", "--subscribe=http://127.0.0.1:1/x"}, []string{"--publish-url"}},
		{[]string{"fanout", "--topics=2", "--subscribe=http://127.0.0.1:1/x",
			"--publish-url=http://127.0.0.1:1/x"}, []string{"{topic}"}},
		{[]string{"fanout", "--publish-body=x"}, []string{"{payload}"}},
		{[]string{"fanout", "--payload=15"}, []string{"--payload", "16", "15"}},
		{[]string{"fanout", "--rate=0"}, []string{"--rate", "--flat-out"}},
		{[]string{"fanout", "--expect=p99"}, []string{"--expect", "p99<50ms"}},
		{[]string{"fanout", "--start=ssedge", "--expect=foo<50ms"},
			[]string{"--expect", "no scenario has a figure foo", "answer_p99"}},
		{[]string{"fanout", "--start=ssedge", "--expect=p99<50"},
			[]string{"--expect", "p99 is in ms: write p99<50ms"}},
		{[]string{"fanout", "--start=ssedge", "--streams=1073741824"},
			[]string{"--streams", "1073741824", "RLIMIT_NOFILE"}},
		{[]string{"compare", "--streams=1073741824"},
			[]string{"--streams", "1073741824", "RLIMIT_NOFILE"}},
		{[]string{"baseline", "--streams=1073741824"},
			[]string{"--streams", "1073741824", "RLIMIT_NOFILE"}},
		{[]string{"fanout", "--header=nothing"}, []string{"Name: value"}},
		{[]string{"slow", "--share=0.9"}, []string{"--share", "0.9"}},
		{[]string{"compare", "--servers=nginx"}, []string{"--servers", "nginx", "twin"}},
		{[]string{"growth", "--along=beauty"}, []string{"--along", "beauty", "payload"}},
		{[]string{"storm", "--start=apache"}, []string{"--start", "apache"}},
		{[]string{"storm", "--start=ssedge", "--subscribe=http://127.0.0.1:1/x"},
			[]string{"--start", "--subscribe"}},
		{[]string{"storm", "--start=twin", "--arguments=--x"}, []string{"--start", "--arguments"}},
		{[]string{"hold", "--arguments=--x"}, []string{"--arguments", "--start"}},
		{[]string{"fanout", "--for=0s"}, []string{"--for", "0s"}},
		{[]string{"fanout", "--rate=NaN"}, []string{"--rate", "NaN"}},
		{[]string{"fanout", "--rate=1e-12"}, []string{"--rate", "0.001"}},
		{[]string{"slow", "--share=NaN"}, []string{"--share", "NaN"}},
		{[]string{"storm", "--away=-1s"}, []string{"--away", "-1s"}},
		{[]string{"fanout", "--batch=3", "--subscribe=http://127.0.0.1:1/x",
			"--publish-url=http://127.0.0.1:1/x"}, []string{"--batch", "--publish-body"}},
		{[]string{"hold", "--workers=-1"}, []string{"--workers", "-1"}},
		{[]string{"hold", "--ramp=NaN"}, []string{"--ramp", "NaN"}},
		{[]string{"hold", "--settle=0s"}, []string{"--settle", "0s"}},
		{[]string{"hold", "--broadcasts=-1"}, []string{"--broadcasts", "-1"}},
		{[]string{"hold", "--drop=1001"}, []string{"--drop", "1000", "1001"}},
		{[]string{"hold", "--admin=http://192.0.2.1:1"}, []string{"--admin", "--allow-remote"}},
		{[]string{"hold", "--pid=99999999"}, []string{"--pid", "99999999"}},
		{[]string{"hold", "--report=/proc/x"}, []string{"--report", "/proc/x"}},
		{[]string{"hold", "--drop=1", "--subscribe=http://127.0.0.1:1/x"},
			[]string{"--drop", "--publish-url"}},
		{[]string{"idle", "--interval=2s", "--for=1s"}, []string{"--for", "1s"}},
		{[]string{"baseline", "--streams=-1"}, []string{"--streams", "-1"}},
		{[]string{"baseline", "--broadcasts=-1"}, []string{"--broadcasts", "-1"}},
		{[]string{"compare", "--streams=-3", "--servers=baseline/1"}, []string{"--streams", "-3"}},
		{[]string{"growth", "--ramp=-4"}, []string{"--ramp", "-4"}},
		{[]string{"fanout", "--publish-header=Content-Length: 3"},
			[]string{"Content-Length", "itself"}},
	} {
		_, errors, code := run(t, append([]string{"bench"}, c.args...)...)
		oneLine(t, errors, code, c.says...)
	}
}

// TestBenchInterrupted gives the figures so far.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	_, url, admin := serve(t, "--dev")
	p := start(t, append([]string{"bench", "fanout", "--streams=20", "--rate=100", "--for=10m"},
		target(url)...)...)
	published := regexp.MustCompile(`(?m)^ssedge_events_in_total \d\d`)
	await(t, "ten events", func() (bool, string) {
		// more than the one that is sent before it measures
		_, page := get(t, admin+"/metrics")
		return published.MatchString(page), p.said()
	})
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for p.stdout.Scan() {
		text.WriteString(p.stdout.Text() + "\n")
	}
	if code := p.exit(); code != 0 || !strings.Contains(text.String(), "interrupted") ||
		!strings.Contains(text.String(), "delivered") {
		t.Errorf("exit code %d, %s%s", code, text.String(), p.said())
	}
}

// TestBenchInterruptedBeforeAnythingWasShown has not passed.
func TestBenchInterruptedBeforeAnythingWasShown(t *testing.T) {
	t.Parallel()
	_, url, admin := serve(t, "--dev")
	p := start(t, append([]string{"bench", "hold", "--streams=20", "--for=10m"}, target(url)...)...)
	await(t, "all streams to be open", func() (bool, string) {
		_, page := get(t, admin+"/metrics")
		return strings.Contains(page, "\nssedge_streams_accepted_total 20\n"), p.said()
	})
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(); code != 1 ||
		!strings.Contains(p.said(), "interrupted before anything was shown") {
		t.Errorf("exit code %d, %s", code, p.said())
	}
}

// TestBenchForksWorkers where a process may not open enough files.
func TestBenchForksWorkers(t *testing.T) {
	t.Parallel()
	_, url, _ := serve(t, "--dev")
	args := append([]string{"bench", "hold", "--streams=700", "--for=0s", "--drop=100", "--json"},
		target(url)...)
	cmd := exec.Command("sh", "-c", `ulimit -n 500 && exec "$0" "$@"`, os.Args[0])
	cmd.Args = append(cmd.Args, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	var all result.Run
	if jsonErr := json.Unmarshal(out, &all); err != nil || jsonErr != nil {
		t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	r := &all.Results[0]
	if r.Value("streams") != 700 || r.Value("exact") != 700 ||
		!strings.Contains(strings.Join(r.Notes, " "), "3 processes") {
		t.Errorf("found %+v", r)
	}
}

// TestEnoughFilesForAServer: as many streams as its limit leaves, and no more.
func TestEnoughFilesForAServer(t *testing.T) {
	for _, k := range []string{server.Ssedge, server.Twin, server.Baseline} {
		if err := enoughFiles(server.Kind{Name: k}, 1<<30, ""); err == nil {
			t.Errorf("%s: 1<<30 streams are taken", k)
		}
		if err := enoughFiles(server.Kind{Name: k}, 10, ""); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	if err := enoughFiles(server.Kind{Name: server.Ssedge}, 1<<30, "--streams-max=5"); err != nil {
		t.Errorf("the server was told how many: %v", err)
	}
}
