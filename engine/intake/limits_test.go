package intake_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestInboxMax(t *testing.T) {
	t.Parallel()
	// of each of two shards
	n := start(t, func(s *setup) { s.shard.InboxMax, s.idle, s.topicsMax = 2, true, 2 })
	for i := range 4 {
		n.ask(get("/events?topic=t"))
		await(t, "it waits in an inbox", func() bool { return n.admission.Streams() == i+1 })
	}
	n.expectRefused(get("/events?topic=other"), "new streams")
	n.expectCount("inbox_max", 1)
	n.roomForATopic() // the refused one is not held
	if got := n.admission.Streams(); got != 4 {
		t.Errorf("%d streams", got)
	}
}

func TestTopicsMax(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.topicsMax = 3 })
	held := n.ask(get("/events?topic=a&topic=b"))
	held.stream()
	n.expectRefused(get("/events?topic=c&topic=d"), "as many topics")
	n.expectCount("topics_max", 1)
	n.roomForATopic() // the refused request holds none
	n.ask(get("/events?topic=c&topic=a")).stream()
	held.Close()
	await(t, "b has no holder", func() bool { return n.admission.Streams() == 1 })
	n.ask(get("/events?topic=d")).stream()
}

// roomForATopic expects that there is room for a new topic.
func (n *node) roomForATopic() {
	n.t.Helper()
	topic, err := n.group.Table().Acquire([]byte("another"))
	if err != nil {
		n.t.Error(err)
		return
	}
	n.group.Table().Release(topic)
}

func TestTopicsPerStream(t *testing.T) {
	t.Parallel()
	n := start(t, nil) // four
	n.ask(get("/events?topic=a&topic=b&topic=c&topic=d&topic=a&topic=d")).stream()
	c := n.ask(get("/events?topic=a&topic=b&topic=c&topic=d&topic=e"))
	resp, body := c.answer("GET")
	checkRefusal(t, resp, body, 400, "more topics")
	n.expectCount("too_many_topics", 1)
}

func TestTopicBytes(t *testing.T) {
	t.Parallel()
	n := start(t, nil) // 64
	n.ask(get("/events?topic=" + strings.Repeat("%c3%a4", 32))).stream()
	c := n.ask(get("/events?topic=" + strings.Repeat("a", 65)))
	resp, body := c.answer("GET")
	checkRefusal(t, resp, body, 400, "(65 bytes)")
	n.expectCount("bad_topic", 1)
}

// The limits of the head itself, at the byte.
func TestHeadLimits(t *testing.T) {
	t.Parallel()
	n := start(t, nil) // 8192 bytes, 100 fields, 4096 of target
	target := "/events?topic=t&x="
	target += strings.Repeat("x", 4096-len(target))
	head := get(target, "A: ")
	head = get(target, "A: "+strings.Repeat("a", 8192-len(head)))
	for _, request := range []string{head, get(target),
		get("/events?topic=t", strings.Repeat("A: b\r\n", 98)+"C: d")} {
		for _, first := range []string{"", get("/nope")} {
			c := n.ask(first)
			if first != "" {
				c.answer("GET")
			}
			c.send(request)
			c.stream()
			c.Close()
		}
	}
	for cause, request := range map[string]string{
		"target_too_long": get(target + "x"),
		"head_too_large":  get(target, "A: "+strings.Repeat("a", 8192-len(get(target, "A: "))+1)),
		"too_many_fields": get("/events?topic=t", strings.Repeat("A: b\r\n", 99)+"C: d"),
	} {
		c := n.ask(request)
		if resp, _ := c.answer("GET"); resp.StatusCode != 431 && resp.StatusCode != 414 {
			t.Errorf("%s: %s", cause, resp.Status)
		}
		n.expectCount(cause, 1)
	}
}

// A client that is refused for its own address uses up nothing that others need.
func TestARefusalForOnesOwnAddressTakesNoRate(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.PerAddressMax, s.admission.AcceptRate = 1, 0.001 })
	n.ask(get("/events?topic=t")).stream()
	for range 4 {
		n.expectRefused(get("/events?topic=t"), "this address")
	}
	n.expectCount("address_max", 4)
	n.expectCount("accept_rate", 0)
}

// What proxies and caches must know of a stream, and nothing else.
func TestTheHeadOfAStream(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.CORSOrigins = []string{"https://a.example"} })
	want := "HTTP/1.1 200 OK\r\n" +
		"Content-Type: text/event-stream; charset=utf-8\r\n" +
		"Cache-Control: no-cache, no-transform\r\n" +
		"X-Accel-Buffering: no\r\n" +
		"Date: ?\r\n" +
		"Connection: close\r\n" +
		"Access-Control-Allow-Origin: https://a.example\r\n" +
		"Vary: Origin\r\n" +
		"\r\n"
	for _, field := range []string{"A: b", "Upgrade: x"} { // the fast way, and over net/http
		c := n.ask(get("/events?topic=t", "Origin: https://a.example", field))
		got := ""
		for !strings.HasSuffix(got, "\r\n\r\n") {
			line, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "Date: ") {
				if _, err := http.ParseTime(strings.TrimSpace(line[len("Date: "):])); err != nil {
					t.Error(err)
				}
				line = "Date: ?\r\n"
			}
			got += line
		}
		if got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

// TestShardsThatHaveStopped have room: what is refused then is refused because the server ends.
func TestShardsThatHaveStopped(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	n.group.Stop()
	n.expectRefused(get("/events?topic=t"), "going away")
	n.expectCount("draining", 1)
	n.stopped.Store(true)
	n.in.Close()
	n.http.Close()
	n.clock.Close()
}
