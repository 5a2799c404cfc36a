package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ssedge/proto/rule"
	"ssedge/proto/rule/ruletest"
	"ssedge/proto/sse"
)

// bounds are the flags for the bounds of the table of cases.
func bounds() []string {
	l := ruletest.Limits
	return []string{fmt.Sprint("--topic-bytes=", l.TopicBytes),
		fmt.Sprint("--event-bytes=", l.EventBytes), fmt.Sprint("--key-bytes=", l.KeyBytes)}
}

// arguments are those of ssedge publish for a case. It reports false if arguments cannot express
// the case: they cannot contain NUL, and a reconnection time is a duration, not a number.
func arguments(c ruletest.Case) ([]string, bool) {
	all := []string{"publish", "--event=" + c.Event, "--once=" + c.Key}
	if c.Retry != "" {
		n, err := strconv.ParseInt(c.Retry, 10, 64)
		if err != nil || n > 1<<40 || strconv.FormatInt(n, 10) != c.Retry {
			return nil, false
		}
		all = append(all, "--retry="+c.Retry+"ms")
	}
	all = append(all, "--", c.Topic)
	return all, !strings.Contains(strings.Join(all, ""), "\x00")
}

// first is the oldest event of a topic.
func first(t *testing.T, server, topic string) (m sse.Message, retryMS int64) {
	t.Helper()
	got, err := http.Get(server + "/events?last_event_id=earliest&topic=" + url.QueryEscape(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var all []sse.Message
	var d sse.Decoder
	for buf := make([]byte, 4096); len(all) == 0; {
		n, err := got.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Feed(buf[:n], func(m sse.Message) {
			if m.Event != "ssedge" { // the server's own
				all = append(all, m)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	retryMS, _ = d.RetryMS()
	return all[0], retryMS
}

// TestGatesOfPublish: the command holds every case to the rule and refuses it in the rule's words.
// Only the bounds are left to the server. A case that is accepted arrives unchanged.
func TestGatesOfPublish(t *testing.T) {
	t.Parallel()
	redis, _ := redisServer(t)
	for name, c := range map[string]struct{ serve, publish []string }{
		"to an edge": {bounds(), nil},
		"to redis":   {append(bounds(), "--redis="+redis), append(bounds(), "--redis="+redis)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, server, _ := serve(t, append([]string{"--dev"}, c.serve...)...)
			via := c.publish
			if via == nil {
				via = []string{"--server=" + server}
			}
			publish := publisherIn(t)
			for i, c := range ruletest.Cases() {
				args, ok := arguments(c)
				if !ok {
					continue
				}
				args = append(append([]string{args[0]}, via...), args[1:]...)
				stdin := c.Data + "\n"
				if i%2 == 0 && !strings.Contains(c.Data, "\x00") && c.Data != "-" {
					args, stdin = append(args, c.Data), "not this"
				}
				out, err := publish(stdin, args...)
				if c.What == "" {
					m, ms := first(t, server, c.Topic)
					if err != nil || m.LastEventID != strings.TrimSpace(out) ||
						m.Data != strings.ReplaceAll(c.Data, "\r", "\n") || c.Event != "" &&
						m.Event != c.Event || c.Retry != "" && fmt.Sprint(ms) != c.Retry {
						t.Errorf("%s: %q, %v; it is %+v", c.Name, out, err, m)
					}
					continue
				}
				own := rule.Limits{} // the command's, without an edge's bounds
				if len(via) > 1 {
					own = ruletest.Limits
				}
				words := "expected " + own.Expected(c.What) + ", found "
				if inOrder := check(own, c); inOrder {
					words = "400 Bad Request: expected " + ruletest.Limits.Expected(c.What) +
						", found "
					if c.What == rule.Size {
						words = "413 Request Entity Too Large: expected " +
							ruletest.Limits.Expected(c.What) + ", found "
					}
				} else if c.What == rule.Size && len(via) == 1 { // it breaks the rule of data, too
					words = "expected " + own.Expected(rule.Data) + ", found "
				}
				if err == nil || !strings.HasPrefix(err.Error(), words) || out != "" {
					t.Errorf("%s: %q, %v, expected %s", c.Name, out, err, words)
				}
			}
		})
	}
}

// check reports whether a case is in order within some bounds.
func check(l rule.Limits, c ruletest.Case) bool {
	ms := int64(0)
	if c.Retry != "" {
		ms, _ = strconv.ParseInt(c.Retry, 10, 64)
		if l.Retry(ms) != nil {
			return false
		}
	}
	return l.Topic([]byte(c.Topic)) == nil && l.Key(c.Key) == nil &&
		l.Event([]byte(c.Event), []byte(c.Data), ms) == nil
}

// publisherIn runs ssedge publish in this process, with one parser: a process or a parser for each
// case would take too long.
func publisherIn(t *testing.T) func(stdin string, args ...string) (string, error) {
	var c cli
	parser := newParser(&c)
	return func(stdin string, args ...string) (string, error) {
		t.Helper()
		if _, err := parser.Parse(args); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		var out strings.Builder
		err := c.Publish.run(strings.NewReader(stdin), &out)
		return out.String(), err
	}
}

// TestInputWithoutItsLineEnd: one line end at the end of the input is no part of the data, whatever
// it is.
func TestInputWithoutItsLineEnd(t *testing.T) {
	for text, want := range map[string]string{"x": "x", "x\n": "x", "x\r\n": "x", "x\r": "x",
		"x\n\n": "x\n", "x\r\n\r\n": "x\r\n", "\n": "", "": "", "\r\nx": "\r\nx"} {
		if got := withoutLineEnd(text); got != want {
			t.Errorf("%q becomes %q, expected %q", text, got, want)
		}
	}
}

// TestPublishRefusesByItself: a refusal has the exit status and the form of any other mistake.
func TestPublishRefusesByItself(t *testing.T) {
	notRaced(t)
	t.Parallel()
	for _, c := range []struct {
		what  rule.What
		stdin string
		args  []string
	}{
		{rule.Topic, "", []string{"caf\xe9", "x"}},
		{rule.Topic, "", []string{"$x", "x"}},
		{rule.Name, "", []string{"t", "x", "--event=caf\xe9"}},
		{rule.Name, "", []string{"t", "x", "--event=ssedge"}},
		{rule.Data, "", []string{"t", "caf\xe9"}},
		{rule.Data, "caf\xe9\n", []string{"t"}},
		{rule.Key, "", []string{"t", "x", "--once=caf\xe9"}},
	} {
		for _, to := range []string{"--server=http://127.0.0.1:1", "--redis=redis://127.0.0.1:1"} {
			_, said, code := runWith(t, c.stdin, append([]string{"publish", to}, c.args...)...)
			l := rule.Limits{}
			if strings.HasPrefix(to, "--redis") {
				l = rule.Limits{TopicBytes: 256, EventBytes: 256 << 10, KeyBytes: 256}
			}
			oneLine(t, said, code, "ssedge: error: expected "+l.Expected(c.what)+", found ", `"`)
			if code != 1 {
				t.Errorf("%q: exit code %d", c.args, code)
			}
		}
	}
	for _, args := range [][]string{{"subscribe", "--last-event-id=1-0\n", "t"},
		{"subscribe", "--key=abc\r", "t"}, {"publish", "--key=abc\n", "t", "x"}} {
		_, said, code := run(t, append(args, "--server=http://127.0.0.1:1")...)
		oneLine(t, said, code, "ssedge: error: --", "expected ")
	}
	for _, server := range []string{"http://u:hush/hush@h", "ftp://u:hush@h", "http://u:hush%zz@h",
		"u:hush@h:99999", "http://u:hush@127.0.0.1:1"} {
		if _, said, code := run(t, "publish", "--server="+server, "t", "x"); code == 0 ||
			strings.Contains(said, "hush") {
			t.Errorf("%s: %s", server, said)
		}
	}
	for retry, found := range map[string]string{"0s": "0", "-1s": "-1000", "1500us": "1.5ms",
		"1ns": "1ns", "597h": "2149200000"} {
		_, said, code := run(t, "publish", "--server=http://127.0.0.1:1", "--retry="+retry, "t",
			"x")
		oneLine(t, said, code, "expected "+rule.Limits{}.Expected(rule.Retry)+", found "+found+"\n")
	}
}

// TestGatesOfSubscribe: the command does not ask for topics that break the rule, and does not send
// ids that would arrive changed.
func TestGatesOfSubscribe(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	server := fakeServer(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	var c cli
	parser := newParser(&c)
	for _, topic := range append(brokenTopics(), "$x") {
		for _, args := range [][]string{{"subscribe", "--server=" + server}, {"redis", "key"}} {
			ctx, err := parser.Parse(append(args, "--", "good", topic))
			if err != nil {
				t.Fatal(err)
			}
			if err := ctx.Run(); err == nil ||
				!strings.HasPrefix(err.Error(), "expected a topic name of ") {
				t.Errorf("%s %q: %v", args[0], topic, err)
			}
		}
	}
	_, said, code := run(t, "subscribe", "--server="+server, "good", "caf\xe9")
	oneLine(t, said, code, "ssedge: error: expected "+rule.Limits{}.Expected(rule.Topic)+", found ",
		`"caf\xe9"`)
	_, said, code = run(t, "subscribe", "--server="+server, "--last-event-id=\xff", "good")
	oneLine(t, said, code, "--last-event-id", `"\xff"`)
	if asked.Load() {
		t.Error("the server was asked")
	}
}

// brokenTopics are the topics of the table that are refused for other reasons than their length.
func brokenTopics() (all []string) {
	for _, c := range ruletest.Cases() {
		if c.What == rule.Topic && len(c.Topic) <= ruletest.Limits.TopicBytes {
			all = append(all, c.Topic)
		}
	}
	return all
}

// TestTextsAreNotChanged: a key arrives byte for byte, however it is given, and no error shows it.
func TestTextsAreNotChanged(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
		io.WriteString(w, `{"id":"1-0"}`)
	})
	for key, want := range map[string]string{"caf\xe9": "caf\xe9", "caf\xe8,other": "caf\xe8",
		`a\,b` + "\xff": "a,b\xff"} {
		if _, said, code := run(t, "publish", "--server="+server, "t", "x",
			"--key="+key); code != 0 {
			t.Fatal(said)
		}
		if header := <-got; header != "Bearer "+want {
			t.Errorf("%q arrives as %q", key, header)
		}
	}
	if out, said, code := run(t, "serve", "--check", "--listen=127.0.0.1:0",
		"--key=caf\xe9"); code != 0 {
		t.Errorf("exit code %d, %s, %s", code, out, said)
	}
	_, said, code := run(t, "serve", "--dev", "--check", "--topic-policy=a\xff=latest")
	oneLine(t, said, code, "--topic-policy", "UTF-8")
}

// TestOnePolicyForOnePattern: a second policy for the same pattern is refused.
func TestOnePolicyForOnePattern(t *testing.T) {
	notRaced(t)
	for _, c := range []struct {
		args []string
		env  string
		says string // "": taken
	}{
		{[]string{"--topic-policy=a=latest,a=close"}, "", `expected "a" once, found it twice`},
		{[]string{"--topic-policy=b=gap,a/*=latest,c=gap,a/*=latest"}, "", `expected "a/*" once`},
		{[]string{"--topic-policy=a=latest", "--topic-policy=a=close"}, "", `expected "a" once`},
		{nil, "a=latest,a=close", `expected "a" once`},
		{[]string{"--config=" + settings(t, "topic-policy: {a: latest, a: close}")}, "",
			`expected "a" once`},
		{[]string{"--config=" + settings(t, "topic-policy: a=latest,a=close")}, "",
			`expected "a" once`},
		{[]string{"--topic-policy=a=latest,a*=close,A=gap,b\\,a=gap", "--topic-policy=b=close"}, "",
			""},
		{[]string{"--topic-policy=a=latest"}, "a=close", ""}, // which the flag takes the place of
		{[]string{"--config=" + settings(t, "topic-policy: {a: latest}")}, "a=close", ""},
	} {
		t.Run("", func(t *testing.T) {
			if c.env != "" {
				t.Setenv("SSEDGE_TOPIC_POLICY", c.env)
			}
			_, said, code := run(t, append([]string{"serve", "--dev", "--check"}, c.args...)...)
			if (code != 0) != (c.says != "") || !strings.Contains(said, c.says) {
				t.Errorf("%q, %s: exit code %d, %s, expected %q", c.args, c.env, code, said, c.says)
			}
		})
	}
}

// TestWhatSubscribePrints: with --json it prints exactly what was published, whatever it was.
func TestWhatSubscribePrints(t *testing.T) {
	t.Parallel()
	_, server, _ := serve(t, append(bounds(), "--dev")...)
	var taken []ruletest.Case
	for _, c := range ruletest.Cases() {
		if c.What != "" {
			continue
		}
		q := url.Values{"topic": {"t"}, "event": {c.Event}}
		got, err := http.Post(server+"/publish?"+q.Encode(), "text/plain",
			strings.NewReader(c.Data))
		if err != nil || got.StatusCode != 200 {
			t.Fatal(c.Name, got, err)
		}
		got.Body.Close()
		taken = append(taken, c)
	}
	out, said, code := run(t, "subscribe", "--json", "-q", "--server="+server,
		"--last-event-id=earliest", fmt.Sprint("--count=", len(taken)), "t")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != len(taken) {
		t.Fatalf("exit code %d, %d lines, %s", code, len(lines), said)
	}
	for i, c := range taken {
		var e printed
		if err := json.Unmarshal([]byte(lines[i]), &e); err != nil ||
			e.Data != strings.ReplaceAll(c.Data, "\r", "\n") || e.Event != c.Event &&
			(c.Event != "" || e.Event != "message") {
			t.Errorf("%s: %s, %v", c.Name, lines[i], err)
		}
	}
}
