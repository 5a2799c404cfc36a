package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippet is a piece of code in README.md.
var snippet = regexp.MustCompile("(?s)\n```(js browser|js node|go|python)\n(.*?)```")

// The code of README.md runs, in Node.js, in both browsers or as a program in Go: it prints that
// there is a gap, what is missing, and an event. What says that it comes back after a refusal does
// so.
func TestCodeOfThePageRuns(t *testing.T) {
	if raced {
		t.Skip("not run with -race, which does not watch the clients' and the server's processes: go test ./engine/clients runs it, and so does make clients")
	}
	dir, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := snippet.FindAllStringSubmatch(string(text), -1)
	if len(found) < 10 {
		t.Fatalf("README.md has %d pieces of code, expected more", len(found))
	}
	for i, f := range found {
		where, code := f[1], f[2]
		name := fmt.Sprint("snippet", i)
		run := func(c client) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				runSnippet(t, c, code)
			})
		}
		if where == "go" {
			run(client{name: name + " go", start: asProgram(code)})
			continue
		}
		if where == "python" {
			run(client{name: name + " python", start: inPython(code)})
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "clients", name+".mjs"), []byte(asClient(code)),
			0o644); err != nil {
			t.Fatal(err)
		}
		if where == "js node" {
			run(client{name: name + " node", start: inNode(name)})
			continue
		}
		run(client{name: name + " chromium", browser: true,
			start: inBrowser("chromium", name, false)})
		run(client{name: name + " firefox", browser: true,
			start: inBrowser("firefox", name, false)})
	}
}

// asClient makes a client of a piece of code: what it prints is what it hands out. The majors of
// eventsource are installed under names of their own.
func asClient(code string) string {
	code = strings.ReplaceAll(code, "from 'eventsource'", "from 'eventsource5'")
	var imports, rest strings.Builder
	for line := range strings.Lines(code) {
		if strings.HasPrefix(line, "import ") {
			imports.WriteString(line)
		} else {
			rest.WriteString(line)
		}
	}
	body := strings.NewReplacer("'https://push.example/events?topic=orders'", "order.url",
		"'Bearer KEY'", "'Bearer ' + order.key").Replace(rest.String())
	return imports.String() + `
export default async (order, say) => {
const text = x => typeof x === 'string' ? x : JSON.stringify(x)
const console = { log: (...all) => say('message', { type: 'message', data: all.map(text).join(' ') }) }
` + body + "}\n"
}

// asProgram starts a piece of code in Go. What it prints is no JSON, which is noise to a session.
func asProgram(code string) func(*testing.T, *trial, order) *session {
	return func(t *testing.T, _ *trial, o order) *session {
		t.Helper()
		code := placed(code, o)
		dir := t.TempDir()
		source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
		if err := os.WriteFile(source, []byte(code), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-o", program, source)
		cmd.Dir = "goclients" // for its go.mod
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return startProgram(t, o, ".", program)
	}
}

// inPython starts a piece of code in Python.
func inPython(code string) func(*testing.T, *trial, order) *session {
	return func(t *testing.T, _ *trial, o order) *session {
		t.Helper()
		return startProgram(t, o, ".", "python3", "-c", placed(code, o))
	}
}

// printing is what the loop in Python does with an event.
var printing = regexp.MustCompile(`(?s)if event == 'ssedge':.*?\n( +event, data, last = )`)

// inPythonOfThePage starts the loop of README.md as a client: it hands out each event, instead of
// printing some of it.
func inPythonOfThePage(t *testing.T, r *trial, o order) *session {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range snippet.FindAllStringSubmatch(string(text), -1) {
		if f[1] == "python" && printing.MatchString(f[2]) {
			hand := "print(json.dumps({'what': 'message', 'type': event or 'message', 'data': '\\n'.join(data), 'id': at}), flush=True)\n$1"
			return inPython(printing.ReplaceAllString(f[2], hand))(t, r, o)
		}
	}
	t.Fatal("README.md has no loop in Python")
	return nil
}

// placed puts the stream's URL and the key into a piece of code.
func placed(code string, o order) string {
	return strings.NewReplacer("https://push.example/events?topic=orders", o.URL, "Bearer KEY",
		"Bearer "+o.Key).Replace(code)
}

func runSnippet(t *testing.T, c client, code string) {
	r := &trial{t: t, client: c, expects: "exact", query: "&last_event_id=none"}
	key := ""
	if strings.Contains(code, "KEY") {
		key = "a-key-of-this-test"
	}
	r.begin(key, "--streams-max=1")
	r.connected()
	prints := func(all ...string) {
		t.Helper()
		for _, want := range all {
			begins := func(h heard) bool { return strings.HasPrefix(h.Data+h.Why, want) }
			if !r.await(want, func() bool {
				return slices.ContainsFunc(r.session.heard(), begins)
			}) {
				t.Errorf("the code does not print %q: %q", want, r.session.heard())
			}
		}
	}
	opening := "state gap"
	if strings.HasPrefix(code, "package") {
		opening = `opening {"state":"gap"`
	}
	prints(opening, `missed {"topic":"t"`)
	if strings.Contains(code, "comes back after a refusal") {
		// without the gap's id it would miss the event
		r.wire.hold()
		r.wire.cutAll(false)
		leave := r.server.occupy()
		defer leave()
		r.sayf("an order while the server is full")
		r.wire.release()
		if !r.await("refused", func() bool { return r.wire.answered("503") > 0 }) {
			t.Fatal("the client does not come back at all")
		}
		leave()
		prints(r.published[0].id + " an order")
	}
	r.sayf("an order")
	prints(r.published[len(r.published)-1].id + " an order")
	r.session.stop()
	if strings.Contains(code, "sessionStorage") { // the page is loaded again
		if !r.await("gone", func() bool { return !r.wire.connected() }) {
			t.Fatal("the page that is left goes on")
		}
		r.sayf("an order while there is no page")
		r.follow()
		r.connected()
		prints("state resumed", r.published[len(r.published)-1].id+" an order")
	}
}

// The code in Go is that of goclients.
func TestGoCodeOfThePageIsThatOfGoclients(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var pieces []string
	for _, f := range snippet.FindAllStringSubmatch(string(text), -1) {
		if f[1] == "go" {
			pieces = append(pieces, f[2])
		}
	}
	files, err := filepath.Glob("goclients/examples/*/main.go")
	if err != nil || len(files) != len(pieces) || len(files) == 0 {
		t.Fatalf("README.md has %d programs in Go, goclients/examples %d (%v)", len(pieces),
			len(files), err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(pieces, string(code)) {
			t.Errorf("README.md does not have %s as it is", file)
		}
	}
}
