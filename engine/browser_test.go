package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ssedge/engine"
)

// These tests have a real Chromium, Debian's, open the development page and talk to
// a node through a wire that can be cut.

// browser starts a Chromium and returns a context for chromedp.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium on the PATH; `make test` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1400, 900))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// wire is a TCP connection between a client and a server that can be cut.
type wire struct {
	net.Listener
	to string

	mu     sync.Mutex
	ends   []net.Conn
	mended bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: ln, to: to, mended: true}
	t.Cleanup(func() { ln.Close(); w.cut() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.join(c)
		}
	}()
	return w
}

func (w *wire) join(c net.Conn) {
	s, err := net.Dial("tcp", w.to)
	w.mu.Lock()
	if err != nil || !w.mended {
		w.mu.Unlock()
		c.Close()
		if err == nil {
			s.Close()
		}
		return
	}
	w.ends = append(w.ends, c, s)
	w.mu.Unlock()
	go func() { io.Copy(s, c); s.Close() }()
	io.Copy(c, s)
	c.Close()
}

// cut breaks all connections, and new ones until mend.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mended = false
	for _, c := range w.ends {
		c.Close()
	}
	w.ends = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mended = true
}

// browserNode is a node in development mode whose clients come back soon.
func browserNode(t *testing.T) (direct string, w *wire) {
	t.Helper()
	c := engine.DefaultConfig()
	c.Dev, c.Listen, c.Admin = true, []string{"127.0.0.1:0"}, ""
	c.Retry, c.RetryJitter = 100*time.Millisecond, 100*time.Millisecond
	c.Heartbeat = time.Second
	e, err := engine.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	address := e.Addrs()[0].String()
	return "http://" + address, newWire(t, address)
}

// say publishes an event and returns its id.
func say(t *testing.T, server, topic, name, data string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"topic": topic, "event": name, "data": data})
	// leaves no connection to later tests
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Post(server+"/publish", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var got struct{ ID, Error string }
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got.ID == "" {
		t.Fatalf("publishing answered %s %v %v", r.Status, got, err)
	}
	return got.ID
}

type heard struct{ Name, Data, ID string }

const listen = `
	window.heard = []; window.opened = 0;
	window.ear = new EventSource('/events?topic=%s');
	ear.onopen = () => opened++;
	for (const name of ['message', 'greet', 'gap'])
		ear.addEventListener(name, e => heard.push({Name: e.type, Data: e.data, ID: e.lastEventId}));
	true`

func TestBrowserHearsAndResumesWithoutLossOrDuplicate(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	server, w := browserNode(t)
	do(t, ctx, chromedp.Navigate("http://"+w.Addr().String()+"/"),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(listen, "news")))
	until(t, ctx, "window.opened == 1")

	var want []heard
	hear := func(name, data, seen string) {
		shown := name
		if name == "" {
			shown = "message"
		}
		want = append(want, heard{shown, seen, say(t, server, "news", name, data)})
	}
	hear("", "one", "one")
	hear("", "two\nlines\r\nthree\rand four\n", "two\nlines\nthree\nand four\n")
	hear("greet", `{"to":"müller \u2713"}`, `{"to":"müller \u2713"}`)
	hear("", "", "")
	hear("", " leading: colon", " leading: colon")
	until(t, ctx, "heard.length >= 5")

	for round := range 3 {
		w.cut()
		for i := range 4 {
			text := fmt.Sprintf("missed %d.%d", round, i)
			hear("", text, text)
		}
		w.mend()
		until(t, ctx, fmt.Sprintf("heard.length >= %d", len(want)))
	}
	hear("greet", "last", "last")
	until(t, ctx, fmt.Sprintf("heard.length >= %d", len(want)))

	got := find(t, ctx, chromedp.Evaluate[[]heard]("heard"))
	if len(got) != len(want) {
		t.Fatalf("the browser heard %d events, expected %d: %q", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d: the browser heard %q, expected %q", i, got[i], want[i])
		}
	}
}

// A browser that has been connected but has heard nothing yet has an id all the
// same: what is published while it is away is not lost.
func TestBrowserThatHeardNothingYetMissesNothing(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	server, w := browserNode(t)
	do(t, ctx, chromedp.Navigate("http://"+w.Addr().String()+"/"),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(listen, "quiet&topic=other")))
	until(t, ctx, "window.opened == 1")
	w.cut()
	say(t, server, "other", "", "while you were away")
	w.mend()
	until(t, ctx, "heard.length >= 1")
	got := find(t, ctx, chromedp.Evaluate[[]heard]("heard"))
	if len(got) != 1 || got[0].Name != "message" || got[0].Data != "while you were away" {
		t.Fatalf("the browser heard %q, expected the one event", got)
	}
}

// A node that keeps its history ends and comes back at the same port: the browser comes back to it
// by itself, and misses nothing, also of a topic that has had no event.
func TestBrowserMissesNothingOverARestart(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	dir, address := t.TempDir(), "127.0.0.1:0"
	start := func() *engine.Engine {
		c := engine.DefaultConfig()
		c.Dev, c.Listen, c.Admin, c.StateDir = true, []string{address}, "", dir
		c.Retry, c.RetryJitter = 100*time.Millisecond, 100*time.Millisecond
		e, err := engine.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		if err := e.Start(); err != nil {
			t.Fatal(err)
		}
		address = e.Addrs()[0].String()
		return e
	}
	e := start()
	do(t, ctx, chromedp.Navigate("http://"+address+"/"),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(listen, "news&topic=quiet")))
	until(t, ctx, "window.opened == 1")
	want := []string{"one", "two", "three", "four"}
	say(t, "http://"+address, "news", "", want[0])
	until(t, ctx, "heard.length == 1")
	for round := range 3 {
		e.Drain()
		e.Close()
		e = start()
		topic := []string{"news", "quiet"}[round%2]
		say(t, "http://"+address, topic, "", want[round+1])
		until(t, ctx, fmt.Sprintf("heard.length >= %d", round+2))
	}
	var got []string
	for _, h := range find(t, ctx, chromedp.Evaluate[[]heard]("heard")) {
		got = append(got, h.Data)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the browser heard %q, expected %q", got, want)
	}
}

// An id that was never given out does not end an EventSource: it hears of a gap and goes on live.
func TestBrowserWithAForeignIdHearsOfAGap(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	server, w := browserNode(t)
	do(t, ctx, chromedp.Navigate("http://"+w.Addr().String()+"/"),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(listen, "news&last_event_id=not-an-id")))
	until(t, ctx, "heard.length >= 1")
	id := say(t, server, "news", "", "live")
	until(t, ctx, "heard.length >= 2")
	got := find(t, ctx, chromedp.Evaluate[[]heard]("heard"))
	if got[0].Name != "gap" || !strings.Contains(got[0].Data, `"cause":"malformed"`) ||
		got[1] != (heard{"message", "live", id}) {
		t.Fatalf("the browser heard %q, expected a gap and the live event", got)
	}
}

// The development page itself: it connects; publish from it, see the event arrive, lose
// the connection, see the reconnect.
func TestPageShowsWhatHappens(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	server, w := browserNode(t)
	do(t, ctx, chromedp.Navigate("http://"+w.Addr().String()+"/#topic=news"))
	until(t, ctx, "document.querySelector('#state').textContent.trim() == 'open'")
	do(t, ctx,
		chromedp.SetValue(chromedp.CSS("#pub-topic"), "news"),
		chromedp.SetValue(chromedp.CSS("#pub-data"), "from the page\nin two lines"),
		chromedp.Click(chromedp.CSS("#publish")))
	until(t, ctx, "document.querySelectorAll('#log .event').length == 1")
	data := find(t, ctx, chromedp.Text(chromedp.CSS("#log .event .data")))
	id := find(t, ctx, chromedp.Text(chromedp.CSS("#log .event .id")))
	answer := find(t, ctx, chromedp.Text(chromedp.CSS("#pub-answer")))
	if !strings.Contains(data, "from the page\nin two lines") ||
		!strings.Contains(answer, strings.TrimSpace(id)) {
		t.Errorf("the page shows data %q, id %q, answer %q", data, id, answer)
	}
	w.cut()
	say(t, server, "news", "", "meanwhile")
	w.mend()
	until(t, ctx, "document.querySelectorAll('#log .event').length == 2")
	until(t, ctx, "document.querySelector('#reconnects').textContent.trim() == '1'")
	do(t, ctx, chromedp.Click(chromedp.CSS("#burst")))
	until(t, ctx, "document.querySelectorAll('#log .event').length == 102")

	// Names that look like a pattern or a list are names, which the page says where they are typed.
	hint := func(id, says string) {
		t.Helper()
		until(t, ctx, "document.querySelector('#"+id+"').textContent.includes('"+says+"')")
	}
	until(t,
		ctx, "document.querySelector('#topics-hint').textContent == '' && document.querySelector('#pub-hint').textContent == ''")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#topic-new"), "a*\r"))
	hint("topics-hint", "“a*” is the name of one topic: nothing in a name stands for others.")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#topic-new"), "x,y\r"))
	hint("topics-hint", "“x,y” is the name of one topic, not of several.")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#pub-topic"), ",more"))
	hint("pub-hint", "“news,more” is the name of one topic")
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func find[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// until waits until a JavaScript expression is true.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression,
		chromedp.WithPollingTimeout(30*time.Second),
		chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		state, _ := chromedp.Run(ctx,
			chromedp.Evaluate[string](
				"JSON.stringify({heard: window.heard, opened: window.opened, "+
					"text: document.body.innerText.slice(0, 600)})"))
		t.Fatalf("%s did not become true: %v; the page: %s", expression, err, state)
	}
}
