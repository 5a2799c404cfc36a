package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"ssedge/bench/result"
)

// written is the page and the raw file of a run.
func written(t *testing.T, run *result.Run) (page, raw string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("expected two files, found %v, %v", entries, err)
	}
	return contentOf(t, dir, "index.html"), contentOf(t, dir, "raw.json")
}

func contentOf(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestThePageHasEverythingInOrder(t *testing.T) {
	page, _ := written(t, demo())
	at := 0
	for _, want := range []string{
		"<title>ssedge bench: compare</title>", "<h1>ssedge bench <span>compare</span></h1>",
		`class="box bad"`, "<strong>A fault</strong>",
		"<li>fanout net/http twin: 3 of 15,000 streams", "<h2>Environment</h2>",
		"<dd>25 November 2026, 22:23 UTC</dd>", "<dt>Command</dt><dd><code>", "<dd>1.4.0</dd>",
		"<dd>go1.26.8</dd>",
		"<dd>6.18.44</dd>", "<dd>AMD EPYC</dd>", "<dt>Cores</dt><dd>2</dd>", "<dd>23.5 GiB</dd>",
		"<dd>20,000</dd>", "<code>net.core.somaxconn</code></dt><dd>4096</dd>",
		"<h2>Table</h2>", "<h3>Three servers",
		`<th scope="col"></th><th scope="col" class="number">ssedge/1</th>`,
		`<th scope="row">CPU per accepted stream, of the baseline&#39;s</th><td class="number">1.04 × <span class="spread">(1.01–1.10)</span></td>`,
		"<li>The baseline is a C program",
		"<h2>Plots</h2>", "<h3>Latency from publish to arrival</h3>", `class="s0"`,
		"net/http twin</li>", "<h3>Delivered over time</h3>", "<h3>Memory against streams</h3>",
		"<h2>Results</h2>",
		"<h3>fanout ssedge/1 <small>25 November 2026, 22:23:51 UTC, 30.2 s</small></h3>",
		`<th scope="row">delivered_per_second</th><td class="number">298,000 /s</td><td class="says">the same in a second`,
		"<dt>duration</dt><dd><code>30s</code></dd>",
		"<dt>rate</dt><dd><code>20</code></dd>", "<dt>streams</dt><dd><code>15000</code></dd>",
		"<li>Every event carries", "interrupted</span>", "a fault</span>", "</html>",
	} {
		i := strings.Index(page[at:], want)
		if i < 0 {
			t.Fatalf("expected %q after what comes before it, found none", want)
		}
		at += i + len(want)
	}
}

func TestThePageNeedsNothingBesideIt(t *testing.T) {
	run := demo()
	run.Environment.Command = "ssedge bench"
	page, _ := written(t, run)
	for _, banned := range []string{"http:", "https:", "src=", "url(", "@import", "<script",
		"<link", "<image", "xlink", "<?xml", "javascript", "ZgotmplZ", "font-family:Liberation"} {
		if strings.Contains(page, banned) {
			t.Errorf("%q is in the page", banned)
		}
	}
	if links := regexp.MustCompile(`href="[^"]*"`).FindAllString(page, -1); len(links) != 1 ||
		links[0] != `href="raw.json"` {
		t.Errorf("expected one link, to raw.json, found %q", links)
	}
	if ids := regexp.MustCompile(`\sid="`).FindString(page); ids != "" {
		t.Error("plots with ids may have the same ones")
	}
	if fixed := regexp.MustCompile(`style="[^"]*#[0-9a-fA-F]{3}`).FindString(page); fixed != "" {
		t.Errorf("%s is none of the page's colours", fixed)
	}
}

// A page can be made again from what was kept of a run, packed or not; what is no such thing is
// said.
func TestAPageIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, demo()); err != nil {
		t.Fatal(err)
	}
	page := contentOf(t, dir, "index.html")
	again := func() (string, error) {
		err := Page(dir)
		text, _ := os.ReadFile(filepath.Join(dir, "index.html"))
		os.Remove(filepath.Join(dir, "index.html"))
		return string(text), err
	}
	if got, err := again(); err != nil || got != page {
		t.Errorf("from raw.json another page: %v", err)
	}
	raw := filepath.Join(dir, "raw.json")
	text, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Close()
	os.Remove(raw)
	os.WriteFile(raw+".gz", packed.Bytes(), 0o644)
	if got, err := again(); err != nil || got != page {
		t.Errorf("from raw.json.gz another page: %v", err)
	}
	os.WriteFile(raw+".gz", []byte("x"), 0o644)
	if _, err := again(); err == nil || !strings.Contains(err.Error(), "raw.json.gz") {
		t.Errorf("from what is not packed: %v", err)
	}
	os.Remove(raw + ".gz")
	if _, err := again(); err == nil ||
		!strings.Contains(err.Error(), "expected raw.json or raw.json.gz") {
		t.Errorf("from nothing: %v", err)
	}
	os.WriteFile(raw, []byte("[]"), 0o644)
	if _, err := again(); err == nil ||
		!strings.Contains(err.Error(), "expected what --report writes") {
		t.Errorf("from something else: %v", err)
	}
}

// TestEverythingIsEscaped puts markup into every text there is.
func TestEverythingIsEscaped(t *testing.T) {
	n := 0
	evil := func() string {
		n++
		return fmt.Sprintf(`<b>%d</b>"'&</style></svg><script>`, n)
	}
	run := &result.Run{
		Environment: result.Environment{Date: evil(), Command: evil(), Version: evil(), Go: evil(),
			Kernel: evil(), CPU: evil(), Memory: evil(), Sysctl: map[string]string{evil(): evil()}},
		Tables: []result.Table{{Title: evil(), Columns: []string{evil(), evil()},
			Rows: [][]string{{evil(), evil()}, {evil(), evil(), evil()}}, Notes: []string{evil()}}},
	}
	for range 2 {
		axis := result.Axis{Name: evil(), Unit: evil()}
		run.Results = append(run.Results,
			result.Result{Scenario: evil(), Server: evil(),
				Settings: map[string]any{evil(): evil(), evil(): []string{evil()},
					evil(): map[string]string{evil(): evil()}},
				Figures: []result.Figure{{Name: evil(), Value: 1, Unit: evil(), Says: evil()}},
				Notes:   []string{evil()}, Faults: []string{evil()},
				Curves: []result.Curve{{Title: evil(), Server: evil(), X: axis, Y: axis,
					Points: [][2]float64{{1, 2}, {3, 4}}}, {Title: "t", X: axis, Y: axis,
					Points: [][2]float64{{1, 2}}}}})
	}
	page, raw := written(t, run)
	for _, tag := range []string{"<b>", "<script>"} {
		if strings.Contains(page, tag) {
			t.Errorf("%s is in the page as it was given", tag)
		}
	}
	if got := strings.Count(page, "</style>"); got != 1 {
		t.Errorf("expected the end of one style, found %d", got)
	}
	// What stands in JSON has a quote of its own before its quotes.
	for i := 1; i <= n; i++ {
		if !strings.Contains(page, fmt.Sprintf("&lt;b&gt;%d&lt;", i)) &&
			!strings.Contains(page, fmt.Sprintf(`\u003cb\u003e%d\u003c`, i)) {
			t.Errorf("text %d is not in the page", i)
		}
		if !strings.Contains(raw, fmt.Sprintf(`<b>%d</b>`, i)) {
			t.Errorf("text %d is not in the raw file", i)
		}
	}
}

func TestRawIsTheRun(t *testing.T) {
	run := demo()
	_, raw := written(t, run)
	var back result.Run
	if err := json.Unmarshal([]byte(raw), &back); err != nil {
		t.Fatal(err)
	}
	// Settings have other types when they come back, but the same text.
	for i := range back.Results {
		for name, value := range run.Results[i].Settings {
			want, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(back.Results[i].Settings[name]); err != nil ||
				string(got) != string(want) {
				t.Errorf("setting %s: expected %s, found %s, %v", name, want, got, err)
			}
		}
		back.Results[i].Settings = run.Results[i].Settings
	}
	if !reflect.DeepEqual(run, &back) {
		t.Error("the run that was read is not the one that was written")
	}
	if !strings.HasPrefix(raw, "{\n \"environment\": {\n  ") {
		t.Errorf("expected an indented file, found %.40q", raw)
	}
}

func TestFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	for _, server := range []string{"first", "second"} {
		if err := Write(dir,
			&result.Run{Results: []result.Result{{Scenario: "fanout", Server: server}}}); err !=
			nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"index.html", "raw.json"} {
		if text := contentOf(t, dir, name); strings.Contains(text, "first") ||
			!strings.Contains(text, "second") {
			t.Errorf("%s is not of the second run", name)
		}
	}
	// Without a place for a new file the old one stays.
	for _, name := range []string{"index.html", "raw.json"} {
		before, beside := contentOf(t, dir, name), filepath.Join(dir, name+".new")
		if err := os.Mkdir(beside, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, &result.Run{Results: []result.Result{{Server: "third"}}}); err == nil {
			t.Errorf("expected an error about %s.new", name)
		}
		if contentOf(t, dir, name) != before {
			t.Errorf("%s was changed", name)
		}
		if err := os.Remove(beside); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := Write(filepath.Join(dir, "raw.json", "x"), &result.Run{}); err == nil {
		t.Error("expected an error where a file is in the way")
	}
}

func TestAnEmptyRunHasAPage(t *testing.T) {
	page, _ := written(t, &result.Run{})
	for _, without := range []string{`class="box`, "<h2>Environment", "<h2>Table", "<h2>Plot",
		"<h2>Result", "<figure", "Cores", "Open files"} {
		if strings.Contains(page, without) {
			t.Errorf("%q is in the page of an empty run", without)
		}
	}
}

func TestTheMachineIsToldForPeople(t *testing.T) {
	var got []string
	for _, e := range environment(result.Environment{Date: "yesterday", Memory: "much", Cores: 2048,
		OpenFiles: 1<<64 - 1}) {
		got = append(got, e.Name+" "+e.Value)
	}
	if text := strings.Join(got,
		", "); text != "Date yesterday, Cores 2,048, Memory much, Open files unlimited" {
		t.Errorf("found %s", text)
	}
}

func TestSoundIsSaidOnlyOfWhatLooked(t *testing.T) {
	with := func(values ...float64) result.Result {
		r := result.Result{Scenario: "fanout"}
		for i, v := range values {
			r.Add(exact[i], v, "", "")
		}
		return r
	}
	faulty := with(0, 0, 0)
	faulty.Fault("late")
	compared, interrupted := faulty, with(0, 0, 0)
	compared.Reference, interrupted.Interrupted = true, true
	for name, c := range map[string]struct {
		results []result.Result
		want    string
	}{
		"nothing":         {nil, ""},
		"no such figures": {[]result.Result{with()}, ""},
		"one of them":     {[]result.Result{with(0)}, ""},
		"all are zero": {[]result.Result{with(0, 0, 0)},
			"No loss, no duplicate, no disorder."},
		"one is not":  {[]result.Result{with(0, 0, 0), with(0, 0, 2)}, ""},
		"lost is not": {[]result.Result{with(0, 0, 0), with(1)}, ""},
		"some do not look": {[]result.Result{with(0, 0, 0), with()},
			"No loss, no duplicate, no disorder in any of the results that look for them, 1 of 2."},
		"of what is compared with": {[]result.Result{with(0, 0, 0), compared},
			"No loss, no duplicate, no disorder. What was only compared with had some."},
		"interrupted":        {[]result.Result{interrupted}, ""},
		"a fault of another": {[]result.Result{with(0, 0, 0), faulty}, ""},
	} {
		if got := sound(&result.Run{Results: c.results}); got != c.want {
			t.Errorf("%s: expected %q, found %q", name, c.want, got)
		}
	}
}

func TestColumnsOfNumbersAreFound(t *testing.T) {
	got := tableOf(result.Table{Columns: []string{"streams", "a", "b", "c", "d"}, Rows: [][]string{
		{"1,000", "1,000", "1.04 × (1.01–1.10)", "–", "12"},
		{"2,000", "-2", "28.1 KiB", "7 %", "2 shards"},
		{"3,000", "", "12k", "3ms (x)", "ssedge/2", "5"},
	}})
	for i, want := range []bool{false, true, true, false, false} {
		if got.Head[i].Number != want {
			t.Errorf("column %q: expected %v, found %v", got.Head[i].Text, want, got.Head[i].Number)
		}
	}
	if c := got.Rows[0][2]; c != (cell{"1.04 ×", "(1.01–1.10)", true}) {
		t.Errorf("found %+v", c)
	}
	if c := got.Rows[2][3]; c.Text != "3ms (x)" {
		t.Errorf("a text was split: %+v", c)
	}
}

// TestADirectoryIsTriedBeforeAnythingIsMeasured.
func TestADirectoryIsTriedBeforeAnythingIsMeasured(t *testing.T) {
	dir := t.TempDir()
	if err := Writable(filepath.Join(dir, "new", "er")); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "in the way", "index.html"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in the way", "file"} {
		if err := Writable(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s: found none", name)
		}
	}
	if err := Writable("/proc/1"); err == nil {
		t.Error("found none")
	}
	if left, err := os.ReadDir(filepath.Join(dir, "new", "er")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v left", err, left)
	}
}

// TestWhatWasNotMeasuredIsLeftOut of the JSON, which has no word for it.
func TestWhatWasNotMeasuredIsLeftOut(t *testing.T) {
	r := result.Result{Curves: []result.Curve{{Points: [][2]float64{{1, math.NaN()}, {2, 3}}}}}
	r.Add("pss", math.NaN(), "", "")
	r.Add("lost", 0, "", "")
	text, err := JSON(&result.Run{Results: []result.Result{r}})
	if err != nil || strings.Contains(string(text), "pss") ||
		!strings.Contains(string(text), "lost") {
		t.Errorf("%v: %s", err, text)
	}
}
