package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// received are the raw bytes of a stream from its beginning until mark. What came
// after it with the same read, a heartbeat perhaps, is not among them.
func received(t *testing.T, url, mark string) string {
	t.Helper()
	got, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var all []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(all), mark) {
		n, err := got.Body.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, all)
		}
		all = append(all, buf[:n]...)
	}
	before, _, _ := strings.Cut(string(all), mark)
	return before + mark
}

// TestPublish has the data as an argument and on standard input, with a name and a
// reconnection time, and prints the id.
func TestPublish(t *testing.T) {
	_, url, _ := serve(t, "--dev")
	publish := func(stdin string, args ...string) string {
		t.Helper()
		out, errors, code := runWith(t, stdin, append([]string{"publish", "--server=" + url, "t"},
			args...)...)
		if code != 0 || strings.Count(out, "\n") != 1 {
			t.Fatalf("%q: exit code %d, %q, %s", args, code, out, errors)
		}
		return strings.TrimSpace(out)
	}
	first := publish("", "zero")
	for _, c := range []struct {
		stdin string
		args  []string
		wire  string
	}{
		{"not this", []string{"one"}, "data: one\n"},
		{"from\nstandard input\n", []string{"-"}, "data: from\ndata: standard input\n"},
		{"two blank lines\n\n\n", nil, "data: two blank lines\ndata:\ndata:\n"},
		{"", []string{""}, "data:\n"},
		{"", []string{"x", "--event=price"}, "event: price\ndata: x\n"},
		{"", []string{"x", "--retry=1500ms"}, "retry: 1500\ndata: x\n"},
		{"", []string{`{"a": 1}`, "--event=e", "--retry=2s"},
			"event: e\nretry: 2000\ndata: {\"a\": 1}\n"},
	} {
		id := publish(c.stdin, c.args...)
		all := received(t, url+"/events?topic=t&last_event_id="+first, "id: "+id+"\n\n")
		if !strings.HasSuffix(all, "\n\n"+c.wire+"id: "+id+"\n\n") {
			t.Errorf("%q: found %q, expected %q with id %s at the end", c.args, all, c.wire, id)
		}
		first = id
	}
}

// TestPublishOnce: the same key gives the same id, and one event.
func TestPublishOnce(t *testing.T) {
	_, url, admin := serve(t, "--dev")
	var ids []string
	for _, key := range []string{"order-1", "order-1", "order-2"} {
		out, errors, code := run(t, "publish", "t", "paid", "--once="+key, "--server="+url+"/")
		if code != 0 {
			t.Fatal(errors)
		}
		ids = append(ids, out)
	}
	if ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("found ids %q, expected the first twice and another", ids)
	}
	if _, metrics := get(t, admin+"/metrics"); !strings.Contains(metrics,
		"ssedge_events_in_total 2\n") {
		t.Error("expected two events to be counted")
	}
}

// TestPublishRefused ends with the server's reason in one line.
func TestPublishRefused(t *testing.T) {
	_, url, _ := serve(t, "--key=right", "--event-bytes=100")
	out, errors, code := run(t, "publish", "t", "x", "--server="+url, "--key=wrong")
	oneLine(t, errors, code, "401", "key is not valid", "the idempotency key is --once")
	if out != "" {
		t.Errorf("found %q on standard output", out)
	}
	_, errors, code = run(t, "publish", "t", "x", "--server="+url)
	oneLine(t, errors, code, "401", "Authorization: Bearer")
	_, errors, code = run(t, "publish", "t", strings.Repeat("x", 101), "--server="+url,
		"--key=right")
	oneLine(t, errors, code, "413", "101", "100", "--event-bytes")
	_, errors, code = run(t, "publish", "t", "x", "--event=a\nb", "--server="+url, "--key=right")
	oneLine(t, errors, code, "event name", `found "a\nb"`)
	_, errors, code = run(t, "publish", "t", "x", "--server=http://127.0.0.1:1", "--key=right")
	oneLine(t, errors, code, "127.0.0.1:1", "refused")
	_, errors, code = run(t, "publish", "t", "x", "--server=ftp://there", "--key=right")
	oneLine(t, errors, code, "ftp://there", "host:port", "unix:/path")
	if _, errors, code = run(t, "publish", "t", "x", "--server="+url, "--key=right"); code != 0 {
		t.Errorf("the right key: %s", errors)
	}
}

// TestPublishToWhatIsNoServer of ours.
func TestPublishToWhatIsNoServer(t *testing.T) {
	s := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !json.Valid(body) {
			t.Errorf("the request is %q, expected JSON", body)
		}
		io.WriteString(w, "<html>hello</html>")
	})
	_, errors, code := run(t, "publish", "t", "x", "--server="+s)
	oneLine(t, errors, code, "hello")
}

// TestPublishSaysWhichFlagsHaveNoEffect: those of the way that is not taken. Variables may be meant
// for other commands.
func TestPublishSaysWhichFlagsHaveNoEffect(t *testing.T) {
	t.Setenv("SSEDGE_SERVER", "http://a")
	t.Setenv("SSEDGE_HISTORY_EVENTS", "5")
	for args, want := range map[string]string{
		"": "", "--key=k --server=http://b --once=x": "", "--redis=redis://a": "",
		"--redis=redis://a --history-events=3":                      "",
		"--redis=redis://a --server=http://127.0.0.1:8080 --key=k1": "Without effect: --key, --server (with --redis)",
		"--redis=redis://a --key=a --key=b --ca=x":                  "Without effect: --ca, --key (with --redis)",
		"--redis-prefix=x: --redis-tls-ca=x":                        "Without effect: --redis-prefix, --redis-tls-ca (without --redis)",
		"--event-bytes=1":                                           "Without effect: --event-bytes (without --redis)",
	} {
		var all cli
		if _, err := newParser(&all).Parse(append([]string{"publish", "t", "x"},
			strings.Fields(args)...)); err != nil {
			t.Fatal(err)
		}
		if got := all.Publish.withoutEffect(); got != want {
			t.Errorf("%s: found %q, expected %q", args, got, want)
		}
	}
	if _, said, _ := run(t, "publish", "t", "x", "--redis=redis://127.0.0.1:1",
		"--key=k1"); !strings.HasPrefix(said, "Without effect: --key (with --redis)\n") {
		t.Errorf("found %q", said)
	}
	for _, f := range commands(t)["publish"] {
		alone, via := publishCmd{given: []string{f.Name}}, publishCmd{given: []string{f.Name},
			Redis: "x"}
		shared := slices.Contains([]string{"event", "retry", "once", "redis", "config", "help"},
			f.Name)
		if said := alone.withoutEffect() + via.withoutEffect(); shared != (said == "") ||
			strings.Count(said, "Without") > 1 {
			t.Errorf("--%s: found %q", f.Name, said)
		}
	}
}
