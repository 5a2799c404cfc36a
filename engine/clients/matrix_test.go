package clients

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// client is one that is tried.
type client struct {
	name    string
	short   bool // it is in the short form
	browser bool
	start   func(*testing.T, *trial, order) *session
}

var clients = slices.Concat(
	inOneBrowser("Chromium", "chromium"),
	inOneBrowser("Firefox", "firefox"),
	[]client{
		{name: "eventsource 2", start: inNode("eventsource2")},
		{name: "eventsource 3", start: inNode("eventsource3")},
		{name: "eventsource 4", start: inNode("eventsource4")},
		{name: "eventsource 5", short: true, start: inNode("eventsource5")},
		{name: "eventsource-client", short: true, start: inNode("eventsource-client")},
		{name: "eventsource-parser, a loop", start: inNode("eventsource-parser")},
		{name: "launchdarkly-eventsource", start: inNode("launchdarkly-eventsource")},
		{name: "undici", short: true, start: inNode("undici")},
		{name: "Go: launchdarkly eventsource", short: true, start: inGo("launchdarkly-go")},
		{name: "Go: go-sse", start: inGo("go-sse")},
		{name: "Python, a loop", start: withProgram("python3", inPythonOfThePage)},
		{name: "curl, a loop", start: withProgram("curl", inNode("curl"))},
	},
)

func inOneBrowser(shown, name string) []client {
	return []client{
		{name: shown, short: true, browser: true, start: inBrowser(name, "native", true)},
		{name: shown + ", other origin", short: true, browser: true,
			start: inBrowser(name, "native", false)},
		{name: "fetch-event-source, " + shown, browser: true,
			start: inBrowser(name, "fetch-event-source", true)},
		{name: "fetch-event-source retrying, " + shown, browser: true,
			start: inBrowser(name, "fetch-event-source-retrying", true)},
		{name: "reconnecting-eventsource, " + shown, browser: true,
			start: inBrowser(name, "reconnecting-eventsource", true)},
		{name: "event-source-polyfill, " + shown, browser: true,
			start: inBrowser(name, "event-source-polyfill", true)},
		{name: "sse.js, " + shown, browser: true, start: inBrowser(name, "sse.js", true)},
	}
}

// shortTrials are tried in the short form.
var shortTrials = []string{"content", "cuts", "quiet", "drain", "503"}

func TestClientsComeToWhatTheTableSays(t *testing.T) {
	if raced {
		t.Skip("not run with -race, which does not watch the clients' and the server's processes: go test ./engine/clients runs the short form, make clients everything")
	}
	all := os.Getenv("CLIENTS") == "all"
	came := newResults()
	t.Cleanup(func() { came.write(t) })
	want := readTable(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if !all && !c.short {
				t.Skip("this client is not in the short form: make clients tries it")
			}
			t.Parallel()
			for _, tr := range trials {
				t.Run(tr.name, func(t *testing.T) {
					if !all && !slices.Contains(shortTrials, tr.name) {
						t.Skip("this trial is not in the short form: make clients runs it")
					}
					t.Parallel()
					r := &trial{t: t, client: c, expects: want[c.name][tr.name]}
					tr.run(r)
					v := r.verdict()
					if r.session != nil && r.session.stop != nil {
						r.session.stop()
					}
					came.set(c.name, tr.name, v.String())
					if v.String() == r.expects {
						return
					}
					t.Errorf("%s, %s: %s; README.md has %q\n%s", c.name, tr.name, v, r.expects,
						strings.Join(v.details, "\n"))
					t.Logf("it handed out %.3000q", r.session.heard())
				})
			}
		})
	}
}

var note = regexp.MustCompile(` \[(\d+)\]`)

// readTable reads the table of README.md: client, trial, verdict.
func readTable(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]string{}
	var columns []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "client":
			columns = cells
		case len(columns) == 0 || len(cells) != len(columns):
			columns = nil
		case !strings.HasPrefix(cells[0], "---"):
			table[cells[0]] = map[string]string{}
			for i, cell := range cells[1:] {
				verdict := note.ReplaceAllString(cell, "")
				table[cells[0]][columns[i+1]] = verdict
				if verdict == cell && verdict != "exact" && verdict != "told" {
					t.Errorf("README.md does not say why %s comes to %q in %q", cells[0], verdict,
						columns[i+1])
				}
			}
		}
	}
	return table
}

// The table has a row for each client and a column for each trial, and says why wherever
// events are lost, doubled or changed.
func TestTableIsWhole(t *testing.T) {
	table := readTable(t)
	if len(table) != len(clients) {
		t.Errorf("README.md has %d clients, expected %d", len(table), len(clients))
	}
	for _, c := range clients {
		for _, tr := range trials {
			if table[c.name][tr.name] == "" {
				t.Errorf("README.md does not say what %s comes to in %q", c.name, tr.name)
			}
		}
	}
	text, _ := os.ReadFile("README.md")
	for line := range strings.Lines(string(text)) {
		for _, n := range note.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(string(text), "\n["+n[1]+"] ") {
				t.Errorf("README.md has no note [%s]", n[1])
			}
		}
	}
}

// results is the table of the verdicts of this run, for updating README.md.
type results struct {
	mu    sync.Mutex
	cells map[string]map[string]string
}

func newResults() *results { return &results{cells: map[string]map[string]string{}} }

func (r *results) set(client, trial, verdict string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[client] == nil {
		r.cells[client] = map[string]string{}
	}
	r.cells[client][trial] = verdict
}

// write writes it beside the installed packages.
func (r *results) write(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	text.WriteString("| client |")
	for _, tr := range trials {
		text.WriteString(" " + tr.name + " |")
	}
	text.WriteString("\n|" + strings.Repeat(" --- |", len(trials)+1) + "\n")
	for _, c := range clients {
		if r.cells[c.name] == nil {
			continue
		}
		text.WriteString("| " + c.name + " |")
		for _, tr := range trials {
			text.WriteString(" " + r.cells[c.name][tr.name] + " |")
		}
		text.WriteString("\n")
	}
	if err := os.WriteFile("../../bin/clients/came.md", []byte(text.String()), 0o644); err != nil {
		t.Log(err)
	}
}
