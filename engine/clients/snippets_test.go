package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// snippet is a piece of code in README.md.
var snippet = regexp.MustCompile("(?s)\n```(js browser|js node|go)\n(.*?)```")

// The code of README.md runs, in Node.js or in both browsers: it prints that there is a gap, what is
// missing, and an event. What it does not listen to itself is listened to as the first piece does.
func TestCodeOfThePageRuns(t *testing.T) {
	if raced {
		t.Skip("the clients are processes of their own: go test ./engine/clients, without -race, runs it")
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
	var listeners string
	for line := range strings.Lines(found[0][2]) {
		if strings.Contains(line, "addEventListener") {
			listeners += line
		}
	}
	for i, f := range found {
		where, code := f[1], f[2]
		if where == "go" {
			continue
		}
		if !strings.Contains(code, "state") {
			code += listeners
		}
		name := fmt.Sprint("snippet", i)
		if err := os.WriteFile(filepath.Join(dir, "clients", name+".mjs"), []byte(asClient(code)), 0o644); err != nil {
			t.Fatal(err)
		}
		run := func(c client) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				runSnippet(t, c, strings.Contains(code, "KEY"))
			})
		}
		if where == "js node" {
			run(client{name: name + " node", start: inNode(name)})
			continue
		}
		run(client{name: name + " chromium", browser: true, start: inBrowser("chromium", name, false)})
		run(client{name: name + " firefox", browser: true, start: inBrowser("firefox", name, false)})
	}
}

// asClient makes a client of a piece of code: what it prints is what it hands out.
func asClient(code string) string {
	var imports, rest strings.Builder
	for line := range strings.Lines(code) {
		if strings.HasPrefix(line, "import ") {
			imports.WriteString(line)
		} else {
			rest.WriteString(line)
		}
	}
	body := strings.NewReplacer("'https://push.example/events?topic=orders'", "order.url", "'Bearer KEY'", "'Bearer ' + order.key").Replace(rest.String())
	return imports.String() + `
export default async (order, say) => {
const text = x => typeof x === 'string' ? x : JSON.stringify(x)
const console = { log: (...all) => say('message', { type: 'message', data: all.map(text).join(' ') }) }
` + body + "}\n"
}

func runSnippet(t *testing.T, c client, hasKey bool) {
	r := &trial{t: t, client: c, expects: "exact", query: "&last_event_id=none"}
	if hasKey {
		r.begin("a-key-of-this-test")
	} else {
		r.begin("")
	}
	r.connected()
	r.sayf("an order")
	for _, want := range []string{"state gap", `missed {"topic":"t"`, r.published[0].id + " an order"} {
		if !r.await(want, func() bool {
			for _, h := range r.session.heard() {
				if strings.HasPrefix(h.Data, want) {
					return true
				}
			}
			return false
		}) {
			t.Errorf("the code does not print %q: %q", want, r.session.heard())
		}
	}
	r.session.stop()
}

// The code in Go is that of goclients.
func TestGoCodeOfThePageIsThatOfGoclients(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all string
	for _, name := range []string{"launchdarkly.go", "gosse.go"} {
		code, err := os.ReadFile(filepath.Join("goclients", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(code)) {
			all += strings.TrimSpace(line) + "\n"
		}
	}
	checked := 0
	for _, f := range snippet.FindAllStringSubmatch(string(text), -1) {
		if f[1] != "go" {
			continue
		}
		for line := range strings.Lines(f[2]) {
			checked++
			if !strings.Contains(all, strings.TrimSpace(line)+"\n") {
				t.Errorf("goclients has no line %q", strings.TrimSpace(line))
			}
		}
	}
	if checked == 0 {
		t.Error("README.md has no code in Go")
	}
}
