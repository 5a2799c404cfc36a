package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQuickRun measures every row of all three servers, with the stand-in for ssedge, on a few hundred streams.
func TestQuickRun(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("builds bench/limit: install gcc to run it")
	}
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	t.Setenv(standInVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), strings.Fields("--quick --rounds 1 --idle-wait 50ms --settle 50ms --probe-every 2ms"+
		" --isolation-for 200ms --heartbeat 200ms --heartbeat-for 800ms --servers ssedge,limit,twin --out "+out+" --ssedge "+self), &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	for _, want := range []string{"memory     ssedge", "memory     limit", "memory     twin", "accept     ssedge/1", "accept     limit/1",
		"fanout     ssedge/1", "fanout     limit/1", "fanout     twin", "flood      ssedge/1           single", "flood      ssedge/1           ndjson",
		"flood      twin", "isolation  ssedge/1", "isolation  twin", "heartbeat  ssedge"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no line %q in\n%s%s", want, &stdout, &stderr)
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "raw.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw struct {
		Environment environment
		Trials      []trialRow
		Results     []resultRow
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	if raw.Environment.Kernel == "" || raw.Environment.CPU == "unknown" || raw.Environment.Commit == "" {
		t.Errorf("%+v", raw.Environment)
	}
	if len(raw.Trials) == 0 || len(raw.Results) != strings.Count(stdout.String(), "\n") {
		t.Errorf("%d trials, %d results for\n%s", len(raw.Trials), len(raw.Results), &stdout)
	}
	if strings.Contains(string(text), out) || strings.Contains(string(text), filepath.Dir(self)) {
		t.Error("raw.json names directories of this machine")
	}
}

func TestARowThatIsNotExactFails(t *testing.T) {
	t.Setenv(standInVariable, "lossy")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"flood", "isolation"} {
		var stdout, stderr bytes.Buffer
		err = run(t.Context(), []string{"--quick", "--rounds", "1", "--rows", row, "--ssedge", self, "--servers", "ssedge"}, &stdout, &stderr)
		if !errors.Is(err, errNotExact) || stdout.Len() > 0 {
			t.Errorf("%s: expected no result, found %v\n%s%s", row, err, &stdout, &stderr)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for args, want := range map[string]string{
		"--servers ssedge":        "--ssedge",
		"--servers nginx":         "nginx",
		"--rows speed":            "speed",
		"--memory-streams 1000":   "two numbers",
		"--streams 0":             "--streams",
		"--streams 9999999":       "9999999 streams",
		"--shards 0":              "positive",
		"--shards 1,x":            "positive",
		"accept":                  "flags only",
		"--rounds 0 --rows flood": "--rounds",
	} {
		_, err := parseSettings(strings.Fields(args), &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %q, found %v", args, want, err)
		}
	}
}

func TestQuickGivesWay(t *testing.T) {
	s, err := parseSettings([]string{"--streams", "77", "--quick"}, &bytes.Buffer{})
	if err != nil || s.streams != 77 || s.rounds != 2 {
		t.Errorf("streams %d, rounds %d, %v", s.streams, s.rounds, err)
	}
}

func TestSpecs(t *testing.T) {
	s, err := parseSettings([]string{"--ssedge", "x", "--servers", "ssedge,limit,twin", "--shards", "1,2"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range s.specs("ssedge", "limit", "twin") {
		names = append(names, one.String())
	}
	if got := strings.Join(names, " "); got != "ssedge/1 limit/1 ssedge/2 limit/2 twin" {
		t.Error(got)
	}
}

func TestParseStat(t *testing.T) {
	cpu, err := parseStat([]byte("42 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 20 0 3 0"))
	if err != nil || cpu != 2*time.Second {
		t.Errorf("%v, %v", cpu, err)
	}
	for _, text := range []string{"", "42 (a", "42 (a) S 1 2", "42 (a) S 1 2 3 4 5 6 7 8 9 10 x y"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestParseRollup(t *testing.T) {
	f, err := parseRollup([]byte("5-6 ---p 0 00:00 0 [rollup]\nRss:   1688 kB\nPss:  452 kB\nPss_Anon:  112 kB\n"))
	if err != nil || f != (footprint{PSS: 452 << 10, PSSAnon: 112 << 10, RSS: 1688 << 10}) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := parseRollup([]byte("Rss: 1 kB\n")); err == nil {
		t.Error("a rollup without Pss was taken")
	}
}

func TestStatistics(t *testing.T) {
	if slope, fixed := line([]float64{1000, 5000, 15000}, []float64{1200, 2000, 4000}); math.Abs(slope-0.2) > 1e-9 || math.Abs(fixed-1000) > 1e-6 {
		t.Errorf("slope %v, intercept %v", slope, fixed)
	}
	if m := median([]float64{9, 1, 5, 3}); m != 4 {
		t.Errorf("median %v", m)
	}
	if r := ratio([]float64{2, 6, 4}, []float64{2, 2, 4}); r != (spread{Median: 2, Min: 1, Max: 3}) {
		t.Errorf("ratio %+v", r)
	}
	var latencies []time.Duration
	for i := range 100 {
		latencies = append(latencies, time.Duration(100-i)*time.Millisecond)
	}
	if q := quantilesOf(latencies); q != (quantiles{50, 90, 99, 100}) {
		t.Errorf("%+v", q)
	}
}

func TestPathsAreNotPublished(t *testing.T) {
	got := withoutDirectories([]string{"--ssedge", "/home/someone/bin/ssedge", "--out=/tmp/x", "--rows", "accept"})
	if text := strings.Join(got, " "); text != "--ssedge ssedge --out=x --rows accept" {
		t.Error(text)
	}
}
