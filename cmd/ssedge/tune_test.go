package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"ssedge/engine"
	"ssedge/tuning"
)

// TestTune says of this host what it lacks for very many streams, and nothing of one.
func TestTune(t *testing.T) {
	t.Parallel()
	out, errors, code := run(t, "tune", "--connections=100000000")
	if errors != "ssedge: this host falls short\n" {
		t.Errorf("expected a verdict, and no error, found %s", errors)
	}
	if code != 1 || !strings.Contains(out, "SHORT") || !strings.Contains(out, "RLIMIT_NOFILE") ||
		!strings.Contains(out, "To change it:") {
		t.Errorf("exit code %d, %s, %s", code, out, errors)
	}
	out, _, _ = run(t, "tune", "--connections=10", "--json")
	var findings []struct {
		Name, Now, Needed, Why, Source string
		OK                             bool
	}
	if err := json.Unmarshal([]byte(out), &findings); err != nil || len(findings) < 20 {
		t.Errorf("%d findings, %v", len(findings), err)
	}
	out, _, code = run(t, "tune", "--connections=2000000", "--sysctl")
	if code != 0 || !strings.Contains(out, "\nnet.core.somaxconn = ") {
		t.Errorf("exit code %d, %s", code, out)
	}
}

// The server warns once, with the command that mends it, and only of what was asked for.
func TestWarnOfHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		streams int
		asked   bool
		says    []string
	}{
		{connectionsMax, true, []string{"level=WARN", "falls short of --streams-max",
			"streams=2000000000", "memory", `mend="ssedge tune --connections 2000000000`}},
		{connectionsMax, false, []string{"level=INFO", "--streams-max says how many are wanted"}},
	} {
		var log bytes.Buffer
		warnOfHost(c.streams, 0, c.asked, slog.New(slog.NewTextHandler(&log, nil)))
		if strings.Count(log.String(), "\n") != 1 {
			t.Errorf("expected one line, found %s", &log)
		}
		for _, say := range c.says {
			if !strings.Contains(log.String(), say) {
				t.Errorf("no %q in %s", say, &log)
			}
		}
	}
	var log bytes.Buffer
	warnOfHost(1, 1<<20, true, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), `settings="memory of ssedge"`) ||
		!strings.Contains(log.String(), "mend=\"ssedge tune --connections 1\"") {
		t.Errorf("with 1 MiB: %s", &log)
	}
}

// What was changed, and what was not, in a line each.
func TestSayChanges(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printChanges(&out, []tuning.Change{
		{Name: "a", Before: "1", Wanted: "2", After: "2"},
		{Name: "b", Before: "1", Wanted: "3", After: "2"},
		{Name: "c", Before: "1", Wanted: "2", After: "1",
			Err: errors.Join(os.ErrInvalid, os.ErrClosed)},
		{Name: "d", Left: "it is the host's"},
		{Name: "/e", File: "removed"},
	})
	want := "a: 1, now 2\nb: 1, now 2: the kernel did not take 3\nc: 1 stays, 2 was refused: invalid argument; file already closed\nd: left as it is: it is the host's\n/e: removed\n"
	if out.String() != want {
		t.Errorf("found\n%s, expected\n%s", &out, want)
	}
}

// As many streams as the server takes by its open files do not fall short of them, and one more
// does.
func TestTuneCountsFilesAsServe(t *testing.T) {
	t.Parallel()
	h, err := readHost()
	if err != nil {
		t.Fatal(err)
	}
	serves := func(streams int) bool {
		c := engine.DefaultConfig()
		c.StreamsMax = streams
		err := c.Check()
		return err == nil || !strings.Contains(err.Error(), "--streams-max")
	}
	short := func(streams int) bool {
		for _, f := range tuning.Examine(h, tuning.Load{Connections: streams}) {
			if f.Name == "RLIMIT_NOFILE" {
				return !f.OK && !f.Advice
			}
		}
		return false
	}
	most := int(min(h.Files.Hard, 1<<31)) - 1152
	for _, streams := range []int{most - 1, most, most + 1} {
		if serves(streams) == short(streams) {
			t.Errorf("%d streams of %d files: serve takes them: %v, they fall short: %v", streams,
				h.Files.Hard, serves(streams), short(streams))
		}
	}
}

func TestTuneMistakes(t *testing.T) {
	notRaced(t)
	t.Parallel()
	for _, c := range []struct{ args, says []string }{
		{[]string{"--connections=0"}, []string{"--connections", "1 or more", "0"}},
		{[]string{"--connections=2000000001"}, []string{"at most 2000000000"}},
		{[]string{"--port=0"}, []string{"--port", "1 to 65535"}},
		{[]string{"--sources=-1"}, []string{"--sources", "-1"}},
		{[]string{"--memory=8X"}, []string{"--memory", "8G", "8X"}},
		{[]string{"--memory=-1G"}, []string{"--memory", "-1G"}},
		{[]string{"--json", "--sysctl"}, []string{"--json", "--sysctl"}},
	} {
		_, errors, code := run(t, append([]string{"tune"}, c.args...)...)
		oneLine(t, errors, code, c.says...)
	}
}
