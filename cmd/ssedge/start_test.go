package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// records reads JSON logs: each line must be a record.
func records(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		record := map[string]any{}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record["level"] == nil ||
			record["msg"] == nil || record["time"] == nil {
			t.Errorf("%q: %v: expected a record", line, err)
		}
		all = append(all, record)
	}
	return all
}

// TestTheStartIsOneLine that says what is in force, after the limits of the process, and no
// password and no key.
func TestTheStartIsOneLine(t *testing.T) {
	flags := []string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--key=sesame",
		"--anonymous=public/*", "--shards=1", "--history-max=300MiB", "--memory-max=2GiB",
		"--redis=redis+sentinel://us:er@127.0.0.1:1/m?sentinel_password=hush",
		"--no-redis-required", "--fan-in=partition"}
	p := start(t, append(flags, "--log-format=json")...)
	p.awaitSaid(`"msg":"started"`)
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if p.stdout.Scan() {
		t.Errorf("found %q beside the JSON", p.stdout.Text())
	}
	var started map[string]any
	for _, r := range records(t, p.said()) {
		if r["msg"] == "started" {
			if started != nil {
				t.Error("it has started twice")
			}
			started = r
		}
	}
	for name, want := range map[string]any{"level": "INFO", "version": version(), "shards": 1.0,
		"history_max": 300.0 * (1 << 20), "memory_max": 2.0 * (1 << 30), "history_age": "10m0s",
		"fan_in": "partition", "redis": "redis+sentinel://127.0.0.1:1/m", "keys": 1.0,
		"dev": false} {
		if started[name] != want {
			t.Errorf("%s is %v, expected %v", name, started[name], want)
		}
	}
	streams, _ := started["streams_max"].(float64)
	files, _ := started["files"].(float64)
	if streams < 1 || files <= streams {
		t.Errorf("streams_max is %v of %v files, expected the number in force", streams, files)
	}
	listen, _ := started["listen"].([]any)
	if len(listen) != 1 || !regexp.MustCompile(`^127\.0\.0\.1:[1-9]`).
		MatchString(listen[0].(string)) ||
		!strings.HasPrefix(started["admin"].(string), "127.0.0.1:") {
		t.Errorf("it listens on %v and %v, expected the ports that were taken", listen,
			started["admin"])
	}
	for _, secret := range []string{"sesame", "us:er", "hush"} {
		if strings.Contains(p.said(), secret) {
			t.Errorf("%s is shown in %s", secret, p.said())
		}
	}
	p, _, _ = serve(t, "--dev")
	p.awaitSaid("level=INFO msg=started version=" + version() + " listen=[127.0.0.1:")
	if n := strings.Count(p.said(), "msg=started"); n != 1 ||
		!strings.Contains(p.said(), "fan_in=none") {
		t.Errorf("found %s", p.said())
	}
}

// TestJSONLogsHaveWhyItFailed: whatever keeps a server from starting, and ends it, is a record, as
// all that it says.
func TestJSONLogsHaveWhyItFailed(t *testing.T) {
	notRaced(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("SSEDGE_LOG_FORMAT", "json")
	for _, c := range []struct{ args, says []string }{
		{[]string{"--dev", "--listen=" + ln.Addr().String(), "--admin=off"},
			[]string{"address already in use"}},
		{[]string{"--dev", "--shards=65"}, []string{"--shards 65"}},
		{[]string{"--shards=65", "--pollers=500"},
			[]string{"--shards 65", "--pollers 500", "--key"}},
		{[]string{"--drain-rat=3"}, []string{"--drain-rat"}},
		{[]string{"--dev", "--config=" + settings(t, "drain-rat: 3")},
			[]string{"drain-rat", "line 1"}},
		{[]string{"--key-file=/nowhere"}, []string{"/nowhere"}},
		{[]string{"--dev", "--redis=redis://127.0.0.1:1"}, []string{"refused"}},
	} {
		out, errors, code := run(t, append([]string{"serve"}, c.args...)...)
		all := records(t, errors)
		if code == 0 || out != "" || len(all) == 0 || all[len(all)-1]["level"] != "ERROR" {
			t.Errorf("%q: exit code %d, %q, %s", c.args, code, out, errors)
		}
		for _, want := range c.says {
			if !strings.Contains(errors, want) {
				t.Errorf("%q: found %s, expected %q in it", c.args, errors, want)
			}
		}
	}
	t.Setenv("SSEDGE_DRAIN_RAT", "3")
	_, errors, code := run(t, "serve", "--dev")
	if all := records(t, errors); code == 0 || len(all) != 1 {
		t.Errorf("exit code %d, %s", code, errors)
	}
	_, errors, code = run(t, "serve", "--dev", "--check") // is for people
	oneLine(t, errors, code, "ssedge: error: ", "SSEDGE_DRAIN_RAT")
}

// TestSIGHUPSaysWhatItDoesNotRead: which settings are not what they were, wherever they stand, and
// whether a restart would fail.
func TestSIGHUPSaysWhatItDoesNotRead(t *testing.T) {
	dir := t.TempDir()
	file, keys := filepath.Join(dir, "ssedge.yaml"), filepath.Join(dir, "keys")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keys, "one\n")
	before := "key-file: " + keys + "\nheartbeat: 20s\ntopic-policy: {a: gap}\ndrain-rate: 10\n"
	write(file, before)
	t.Setenv("SSEDGE_CONFIG", file)
	p, _, _ := serve(t, "--drain-rate=7")
	hup := func(text string, says ...string) {
		t.Helper()
		write(file, text)
		from := len(p.said())
		p.hangUp()
		for _, want := range says {
			await(t, want, func() (bool, string) {
				said := p.said()[from:]
				return strings.Contains(said, want), said
			})
		}
	}
	hup("# the same\n"+before,
		"SIGHUP: the keys were read again; other settings are read by a restart only",
		"key_file="+keys)
	// --drain-rate is given by a flag
	hup(strings.NewReplacer("20s", "9s", "gap", "latest", "drain-rate: 10", "drain-rate: 11").
		Replace(before)+"key: hunter2\nhistory-max: 300MiB\n",
		"settings have changed since the start: they need a restart",
		`settings="key, heartbeat, topic-policy, history-max"`)
	hup(before+"hartbeat: 9s\n", "the settings are not in order any more: a restart would fail",
		"hartbeat")
	hup(before+"shards: 99\n", "a restart would fail", "--shards 99")
	os.Remove(keys)
	hup(before, "SIGHUP: the keys stay as they were; other settings are read by a restart only",
		"no such file")
	if strings.Contains(p.said(), "hunter2") || strings.Count(p.said(), "have changed") != 1 {
		t.Errorf("found %s, expected no key, and one change", p.said())
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
