package intake_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ssedge/proto/sse"
)

// answered reads the answer to a poll: the data of its events, and the position behind it.
func (c *client) answered() (data []string, at string, resp *http.Response) {
	c.t.Helper()
	resp, body := c.answer("GET")
	if resp.StatusCode != 200 || resp.ContentLength < 0 ||
		resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Date") == "" {
		c.t.Fatalf("%s %v %s", resp.Status, resp.Header, body)
	}
	at = resp.Header.Get("Last-Event-ID")
	if resp.Header.Get("Content-Type") == "application/json" {
		var all []struct{ ID, Topic, Event, Data string }
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			c.t.Fatalf("%q: %v", body, err)
		}
		for _, e := range all {
			data = append(data, e.Data)
		}
		return data, at, resp
	}
	var d sse.Decoder
	opened := false
	if err := d.Feed([]byte(body), func(m sse.Message) {
		if m.Event == "ssedge" {
			opened = true
			return
		}
		data = append(data, m.Data)
	}); err != nil || !opened || d.LastEventID() != at {
		c.t.Fatalf("%q at %q: %v", body, at, err)
	}
	return data, at, resp
}

func poll(query string, fields ...string) string { return get("/events?topic=t&"+query, fields...) }

// awaitParked waits until a shard has a stream.
func (n *node) awaitParked() {
	n.t.Helper()
	await(n.t, "a poll that is parked", func() bool {
		streams := int64(0)
		for _, s := range n.group.Stats() {
			streams += s.Streams.Load()
		}
		return streams == 1
	})
}

const asJSON = "Accept: application/json"

// One connection carries poll after poll, each of which has what came since the last.
func TestPollsOnOneConnection(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"", get("/nope")} { // straight, and by way of net/http
		for _, form := range []string{"Accept: */*", asJSON} {
			n := start(t, nil)
			c := n.ask(first)
			if first != "" {
				if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
					t.Fatal(resp.Status)
				}
			}
			c.send(poll("poll=0", form))
			data, at, _ := c.answered()
			if len(data) > 0 || at == "" {
				t.Fatalf("%q at %q", data, at)
			}
			for i := range 50 {
				if i%2 == 0 {
					n.publish("t", fmt.Sprint(i))
				}
				c.send(poll("poll=20s&last_event_id="+at, form))
				if i%2 == 1 {
					n.awaitParked()
					n.publish("t", fmt.Sprint(i))
				}
				var resp *http.Response
				if data, at, resp = c.answered(); fmt.Sprint(data) != fmt.Sprintf("[%d]", i) ||
					resp.Close {
					t.Fatalf("poll %d: %q %v", i, data, resp.Header)
				}
			}
			await(t, "it waits for its next request", func() bool {
				return n.in.IdleCount() == 1 && n.in.HTTPCount() == 0
			})
			// and everything else may follow
			c.send("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
				"\r\nContent-Length: 3\r\n\r\nabc")
			if resp, body := c.answer("POST"); resp.StatusCode != 200 {
				t.Fatal(resp.Status, body)
			}
			c.send(poll("poll=20s&last_event_id="+at, form))
			if data, at, _ = c.answered(); fmt.Sprint(data) != "[abc]" {
				t.Errorf("found %q", data)
			}
			c.send(get("/events?topic=t&last_event_id=" + at))
			c.stream()
			c.Close()
			n.quiet()
		}
	}
}

// Requests that are sent without waiting are answered in their order, wherever they are cut.
func TestPipelinedPolls(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	all := poll("poll=0") + poll("poll=0&last_event_id=earliest") + get("/nope") +
		poll("poll=0", asJSON) + poll("poll=0&rewind=1") + get("/events?topic=t&rewind=1")
	n.publish("t", "1")
	n.publish("t", "2")
	check := func(c *client) {
		t.Helper()
		for _, want := range []string{"[]", "[1 2]", "404", "[]", "[2]"} {
			if want == "404" {
				if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
					t.Error(resp.Status)
				}
				continue
			}
			if data, _, _ := c.answered(); fmt.Sprint(data) != want {
				t.Errorf("found %q, expected %s", data, want)
			}
		}
		c.stream()
		if data := c.until("data: "); data != "2" {
			t.Errorf("found %q", data)
		}
		c.Close()
	}
	check(n.ask(all))
	for i := 1; i < len(all); i += 7 {
		c := n.ask(all[:i])
		time.Sleep(time.Millisecond)
		c.send(all[i:])
		check(c)
	}
	n.quiet()
	for range 20 { // many at once, the first of which parks
		first := n.ask(poll("poll=0"))
		_, at, _ := first.answered()
		first.Close()
		n.quiet()
		c := n.ask(poll("poll=20s&last_event_id="+at) + strings.Repeat(poll("poll=0"), 40))
		n.awaitParked()
		n.publish("t", "x")
		if data, _, _ := c.answered(); fmt.Sprint(data) != "[x]" {
			t.Errorf("found %q", data)
		}
		for range 40 {
			if data, _, _ := c.answered(); len(data) > 0 {
				t.Errorf("found %q", data)
			}
		}
		c.Close()
	}
	n.quiet()
}

// A connection without a next request ends by itself, in silence; one that has begun it has the
// time of a head.
func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.intake.HTTPIdle, s.intake.HeadTimeout = 400*time.Millisecond, 1200*time.Millisecond
	})
	idle, slow := n.ask(poll("poll=0")), n.ask(poll("poll=0"))
	idle.answered()
	slow.answered()
	began := time.Now()
	slow.send("GET /ev")
	if rest := idle.ended(); rest != "" || time.Since(began) < 200*time.Millisecond {
		t.Errorf("ended with %q after %v", rest, time.Since(began))
	}
	if resp, _ := slow.answer("GET"); resp.StatusCode != 408 || time.Since(began) < time.Second {
		t.Errorf("%s after %v", resp.Status, time.Since(began))
	}
	n.quiet()
}

// Clients that close their connection after the answer, or half of it before, leave nothing.
func TestClientsThatLeaveAfterPolls(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	c := n.ask(poll("poll=0"))
	c.answered()
	c.Close()
	half := n.ask(poll("poll=0&last_event_id=earliest"))
	half.Conn.(*net.TCPConn).CloseWrite()
	half.answered()
	if rest := half.ended(); rest != "" {
		t.Errorf("then came %q", rest)
	}
	n.quiet()
}

// HTTP/1.0, and clients that say so, have their connection closed.
func TestPollsOfConnectionsThatClose(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, request := range []string{poll("poll=0", "Connection: close"),
		"GET /events?topic=t&poll=0 HTTP/1.0\r\n\r\n",
		"GET /events?topic=t&poll=0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"} {
		for _, first := range []string{"", get("/nope")} {
			c := n.ask(first)
			if first != "" {
				c.answer("GET")
			}
			c.send(request)
			if _, _, resp := c.answered(); !resp.Close {
				t.Errorf("%q: %v", request, resp.Header)
			}
			if rest := c.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
		}
	}
	n.quiet()
}

func TestPollsThatAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for query, says := range map[string]string{
		"poll=": `found ""`, "poll=x": `found "x"`, "poll=-1s": "at most 1m0s (--poll-max)",
		"poll=61": `found "61"`, "poll=1h": `found "1h"`, "poll=30d": `found "30d"`,
		"poll=1e1": `found "1e1"`, "poll=%2B1": `found "+1"`, "poll=Inf": "seconds",
		"rewind=": `found ""`, "rewind=-1": `from 0 to 100000`, "rewind=x": `found "x"`,
		"rewind=100001": `found "100001"`, "rewind=1.5": `found "1.5"`,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			for _, first := range []string{"", get("/nope")} {
				c := n.ask(first)
				if first != "" {
					c.answer("GET")
				}
				c.send(strings.Replace(poll(query), "GET", method, 1))
				resp, body := c.answer(method)
				if resp.StatusCode != 400 || method == "GET" && !strings.Contains(
					strings.ReplaceAll(body, `\"`, `"`), says) {
					t.Errorf("%s: %s %s, expected %s", query, resp.Status, body, says)
				}
				c.Close()
			}
		}
	}
	for _, query := range []string{"poll=0", "poll=0.01", "poll=.01s", "poll=10ms", "poll=1ms",
		"poll=%30", "rewind=0&poll=0", "rewind=100000&poll=0", "poll=5&poll=0"} {
		for _, form := range []string{"Accept: a/b", asJSON} {
			c := n.ask(poll(query, form))
			c.answered()
			c.send(strings.Replace(poll(query, form), "GET", "HEAD", 1))
			resp, _ := c.answer("HEAD")
			if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" ||
				strings.HasSuffix(resp.Header.Get("Content-Type"), "json") != (form == asJSON) {
				t.Errorf("%s: %s %v", query, resp.Status, resp.Header)
			}
			c.Close()
		}
	}
	n.quiet()
}

func TestWhatAcceptMeansForPolls(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for fields, json := range map[string]bool{
		"Accept: application/json": true, "accept: Application/JSON; charset=utf-8": true,
		"Accept: application/json, text/plain, */*":           true,
		"Accept: text/html\r\nAccept: application/json;q=0.5": true,
		"Accept: application/json, text/event-stream;q=0":     true,
		"Accept: application/json;q=0":                        false,
		"Accept: application/json ; x=y; q=0.000":             false,
		"Accept: text/event-stream, application/json":         false,
		"Accept: application/json, text/event-stream;q=0.1":   false,
		"Accept: */*": false, "Accept:": false, "X: application/json": false,
		"Accept: application/jsonl": false,
	} {
		for _, first := range []string{"", get("/nope")} {
			c := n.ask(first)
			if first != "" {
				c.answer("GET")
			}
			c.send(poll("poll=0", fields))
			if _, _, resp := c.answered(); json != (resp.Header.Get("Content-Type") ==
				"application/json") {
				t.Errorf("%q: %v", fields, resp.Header)
			}
			c.send(get("/events?topic=t", fields)) // without poll it means nothing
			c.stream()
			c.Close()
		}
	}
}

// A page of another origin may read the position.
func TestPollsOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const page = "https://page.example"
	n := start(t, func(s *setup) { s.admission.CORSOrigins = []string{page} })
	for origin, allowed := range map[string]string{page: page, "https://x.example": ""} {
		c := n.ask(poll("poll=0", "Origin: "+origin))
		_, _, resp := c.answered()
		if resp.Header.Get("Access-Control-Allow-Origin") != allowed ||
			(resp.Header.Get("Access-Control-Expose-Headers") == "Last-Event-ID") !=
				(allowed != "") || resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: %v", origin, resp.Header)
		}
	}
}

// An intake that closes lets idle connections go, and those of polls that are answered later.
func TestPollsWhenTheIntakeCloses(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	idle := n.ask(poll("poll=0"))
	_, at, _ := idle.answered()
	await(t, "one is idle", func() bool { return n.in.IdleCount() == 1 })
	parked := n.ask(poll("poll=20s&last_event_id=" + at))
	n.awaitParked()
	began := time.Now()
	n.in.StopAccepting(10 * time.Second)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("idle connections held it up for %v", took)
	}
	if rest := idle.ended(); rest != "" {
		t.Errorf("then came %q", rest)
	}
	n.publish("t", "x")
	if data, _, _ := parked.answered(); fmt.Sprint(data) != "[x]" {
		t.Errorf("found %q", data)
	}
	parked.ended()
	n.quiet()
}
