package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeServer is a server whose every answer is scripted.
func fakeServer(t *testing.T, handle http.HandlerFunc) (url string) {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

// post publishes an event and returns its id.
func post(t *testing.T, url, topic, data string) string {
	t.Helper()
	got, err := http.Post(url+"/publish?topic="+topic, "text/plain", strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var said struct{ ID, Error string }
	if err := json.NewDecoder(got.Body).Decode(&said); err != nil || said.ID == "" {
		t.Fatalf("publishing: %s %v %v", got.Status, said, err)
	}
	return said.ID
}

type printed struct{ ID, Event, Data string }

// event reads a line that subscribe --json has printed.
func (p *program) event() (e printed) {
	p.t.Helper()
	line := p.line()
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	return e
}

// TestSubscribeFollowsSeveralTopics until it has as many events as were asked for.
func TestSubscribeFollowsSeveralTopics(t *testing.T) {
	_, url, _ := serve(t, "--dev")
	p := start(t, "subscribe", "a", "b", "--json", "--count=4", "--server="+url)
	p.awaitSaid("following a, b")
	for i := range 6 {
		topic := []string{"a", "b"}[i%2]
		post(t, url, topic, fmt.Sprint(topic, i/2))
	}
	next := map[string]int{}
	for range 4 {
		e := p.event()
		topic := e.Data[:1]
		if e.Event != "message" || e.ID == "" || e.Data != fmt.Sprint(topic, next[topic]) {
			t.Errorf("found %+v, expected a message with an id, number %d of its topic", e,
				next[topic])
		}
		next[topic]++
	}
	if code := p.exit(); code != 0 || p.stdout.Scan() {
		t.Errorf("exit code %d, and then %q", code, p.stdout.Text())
	}
}

// TestSubscribePrintsForPeople, and says nothing else when told to be quiet.
func TestSubscribePrintsForPeople(t *testing.T) {
	_, url, _ := serve(t, "--dev")
	start := post(t, url, "t", "seen")
	first := post(t, url, "t", "two\nlines")
	out, errors, code := run(t, "publish", "t", "x", "--event=price", "--server="+url)
	if code != 0 {
		t.Fatal(errors)
	}
	second := strings.TrimSpace(out)
	out, errors, code = run(t, "subscribe", "t", "--last-event-id="+start, "--count=2", "-q",
		"--server="+url)
	want := first + "\ttwo\n\tlines\n" + second + "\tprice: x\n"
	if code != 0 || out != want || errors != "" {
		t.Errorf("exit code %d, %q, %q: expected %q", code, out, errors, want)
	}
}

// wire is a TCP connection between a client and a server that can be cut.
type wire struct {
	net.Listener
	mu   sync.Mutex
	ends []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: ln}
	t.Cleanup(func() { ln.Close(); w.cut() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.ends = append(w.ends, near, far)
			w.mu.Unlock()
			go func() { io.Copy(far, near); far.Close() }()
			go func() { io.Copy(near, far); near.Close() }()
		}
	}()
	return w
}

// cut resets all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ends {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	w.ends = nil
}

// TestSubscribeLosesNothingOverCutConnections, with one topic and with several.
func TestSubscribeLosesNothingOverCutConnections(t *testing.T) {
	_, url, _ := serve(t, "--dev", "--retry=5ms", "--retry-jitter=0s")
	for _, topics := range [][]string{{"one"}, {"x", "y", "z"}} {
		w := newWire(t, strings.TrimPrefix(url, "http://"))
		const events, cuts = 200, 8
		p := start(t,
			append([]string{"subscribe", "--json", fmt.Sprint("--count=", events),
				"--server=http://" + w.Addr().String()}, topics...)...)
		p.awaitSaid("following")
		for i := range events {
			topic := topics[i%len(topics)]
			post(t, url, topic, fmt.Sprint(topic, " ", i/len(topics)))
			if i%(events/cuts) == events/cuts-1 {
				w.cut()
			}
		}
		next := map[string]int{}
		for i := range events {
			e := p.event()
			var topic string
			var number int
			if _, err := fmt.Sscan(e.Data, &topic, &number); err != nil || number != next[topic] {
				t.Fatalf("event %d: found %+v, expected number %d of the topic", i, e, next[topic])
			}
			next[topic]++
		}
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if again := strings.Count(p.said(), "; again in"); again == 0 {
			t.Errorf("no connection was cut: %s", p.said())
		}
	}
}

// TestSubscribeIsToldOfARestart: history in memory is gone with the server, so a
// gap comes before what is new.
func TestSubscribeIsToldOfARestart(t *testing.T) {
	flags := []string{"--dev", "--retry=5ms", "--retry-jitter=0s"}
	before, url, _ := serve(t, flags...)
	p := start(t, "subscribe", "t", "--json", "--count=3", "--server="+url)
	p.awaitSaid("following")
	id := post(t, url, "t", "old")
	if e := p.event(); e.ID != id {
		t.Fatalf("found %+v, expected event %s", e, id)
	}
	before.terminate()
	before.exit()
	serveOn(t, strings.TrimPrefix(url, "http://"), flags...)
	gap := p.event()
	var says struct{ Topic, From, Cause string }
	if err := json.Unmarshal([]byte(gap.Data), &says); err != nil || gap.Event != "gap" ||
		says.Topic != "t" || says.From != id || says.Cause != "expired" {
		t.Errorf("found %+v, expected a gap after %s", gap, id)
	}
	post(t, url, "t", "new")
	if e := p.event(); e.Data != "new" {
		t.Errorf("found %+v, expected the new event", e)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSubscribeGivesUpOnWhatIsFinal, with the server's reason.
func TestSubscribeGivesUpOnWhatIsFinal(t *testing.T) {
	_, url, _ := serve(t, "--key=right", "--anonymous=public/*")
	_, errors, code := run(t, "subscribe", "private", "--server="+url)
	oneLine(t, errors, code, "401", "Authorization: Bearer")
	_, errors, code = run(t, "subscribe", "private", "--key=wrong", "--server="+url)
	oneLine(t, errors, code, "401", "not valid")
	_, errors, code = run(t, "subscribe", strings.Repeat("x", 257), "--server="+url)
	oneLine(t, errors, code, "400", "a topic name of at most 256 bytes")
	page := fakeServer(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<html>")
	})
	_, errors, code = run(t, "subscribe", "t", "--server="+page)
	oneLine(t, errors, code, "text/event-stream", "text/html")
	gone := fakeServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	_, errors, code = run(t, "subscribe", "t", "--server="+gone)
	oneLine(t, errors, code, "204")
	for topic, key := range map[string]string{"private": "right", "public/news": ""} {
		p := start(t, "subscribe", topic, "--key="+key, "--server="+url)
		p.awaitSaid("following " + topic)
		p.terminate()
		if code := p.exit(); code != 0 {
			t.Errorf("%s: exit code %d after a signal", topic, code)
		}
	}
}

// TestSubscribeKeepsTryingWhatIsNot: a server that is overloaded, and one that is
// not there, with the last id and after the time the server told.
func TestSubscribeKeepsTryingWhatIsNot(t *testing.T) {
	var connections atomic.Int32
	url := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := connections.Add(1); n {
		case 1:
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, ": hello\nretry: 5\nid: 7-0\n\ndata: half an event\nid: 8-0\n")
		case 2:
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"error":"overloaded"}`, http.StatusServiceUnavailable)
		case 3:
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: connection %d after %s\nid: 9-0\n\n", n,
				r.Header.Get("Last-Event-ID"))
		}
	})
	out, errors, code := run(t, "subscribe", "t", "--json", "--count=1", "--server="+url)
	if want := `{"data":"connection 4 after 7-0","event":"message","id":"9-0"}` + "\n"; code != 0 ||
		out != want {
		t.Errorf("exit code %d, found %q, expected %q", code, out, want)
	}
	if !strings.Contains(errors, "overloaded; again in 1s") ||
		!strings.Contains(errors, "again in 5ms") {
		t.Errorf("found %q, expected a word about the 503, and when it is tried again", errors)
	}
}

// TestSubscribeIsNotSteeredByPublishers: neither the terminal nor the time of coming back.
func TestSubscribeIsNotSteeredByPublishers(t *testing.T) {
	url := fakeServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "retry: 9223372036854775807\nevent: \x1b[2J\ndata: a\x1b]0;x\x07\tb\u0085ü\nid: 1-0\n\n")
	})
	p := start(t, "subscribe", "t", "--server="+url)
	if got, want := p.line(), "1-0\t\\u001b[2J: a\\u001b]0;x\\u0007\tb\\u0085ü"; got != want {
		t.Errorf("printed %q, expected %q", got, want)
	}
	p.awaitSaid("again in 24h0m0s")
}

// TestRetryAfterIsBounded, as retry: is.
func TestRetryAfterIsBounded(t *testing.T) {
	for field, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "-99999999999999999999": 0, "5": 5 * time.Second,
		"86400": retryMax,
		"86401": retryMax, "999999999999": retryMax, "9223372036854775807": retryMax,
		"99999999999999999999": retryMax,
	} {
		if got := retryAfter(field); got != want {
			t.Errorf("%q: %v, expected %v", field, got, want)
		}
	}
}
