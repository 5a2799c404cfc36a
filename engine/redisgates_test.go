package engine_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/proto/envelope"
	"ssedge/proto/rule"
	"ssedge/proto/rule/ruletest"
	"ssedge/proto/sse"
)

// limited is an edge with the bounds of the table of cases.
func limited(way redis.FanIn) func(*engine.Config) {
	return func(c *engine.Config) {
		by(way)(c)
		c.Rule.TopicBytes, c.Rule.EventBytes, c.Rule.KeyBytes = ruletest.Limits.TopicBytes,
			ruletest.Limits.EventBytes, ruletest.Limits.KeyBytes
	}
}

// publisher is the settings of publishers of the same edges.
func publisher(way redis.FanIn) redis.Config {
	return redis.Config{
		Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:", FanIn: way, Partitions: 16,
			TTL: time.Hour}},
		Retention: fanin.Retention{HistoryEvents: 10_000, HistoryAge: 10 * time.Minute,
			KeyTTL: time.Minute},
		Rule: ruletest.Limits,
	}
}

// isCase reports whether a message is what a case becomes.
func isCase(m sse.Message, c ruletest.Case) bool {
	name := c.Event
	if name == "" {
		name = "message"
	}
	return m.Event == name && m.Data == strings.ReplaceAll(c.Data, "\r", "\n")
}

// The script and the function hold every case to the rule, and refuse it in its words. What is
// refused leaves nothing behind; what is taken arrives as it was.
func TestGatesOfTheScript(t *testing.T) {
	t.Parallel()
	for _, way := range []redis.FanIn{redis.ByTopic, redis.ByPartition} {
		for _, caller := range []string{"EVAL", "FCALL"} {
			t.Run(fmt.Sprint(caller, " by ", way), func(t *testing.T) {
				t.Parallel()
				r := startRedis(t)
				n, config, client := edge(t, "redis://"+r.address(), func(c *engine.Config) {
					limited(way)(c)
					c.Redis.ProbeInterval = time.Minute // probes make keys
				}), publisher(way), r.dial(t)
				n.await(t, "ssedge_redis_up", 1)
				function := "ssedge_publish"
				if caller == "EVAL" {
					function = config.Script(redis.Standalone)
				} else if got := client.do("FUNCTION", "LOAD",
					config.Library(redis.Standalone)); got != "ssedge" {
					t.Fatal(got)
				}
				publish := func(key string, arguments ...string) string {
					return client.do(append([]string{caller, function, "1", key}, arguments...)...)
				}
				for _, c := range ruletest.Cases() {
					keys := client.do("DBSIZE")
					got := publish(config.Key(c.Topic), c.Data, c.Event, c.Key, c.Retry)
					if c.What != "" {
						if want := "-ERR expected " + ruletest.Limits.Expected(c.What) +
							", found "; !strings.HasPrefix(got, want) {
							t.Errorf("%s: %s, expected %s", c.Name, got, want)
						}
						if now := client.do("DBSIZE"); now != keys {
							t.Errorf("%s: there are %s keys, there were %s", c.Name, now, keys)
						}
						continue
					}
					id, word, _ := strings.Cut(got, "\n")
					if word != "new" {
						t.Errorf("%s: %s", c.Name, got)
						continue
					}
					st := n.open(t, after(c.Topic, "earliest"))
					m, err := st.next()
					if ms, _ := st.decoder.RetryMS(); err != nil || !isCase(m, c) ||
						m.LastEventID != id || c.Retry != "" && fmt.Sprint(ms) != c.Retry {
						t.Errorf("%s: %+v, retry %d, %v", c.Name, m, ms, err)
					}
					st.conn.Close()
					if again := publish(config.Key(c.Topic), "again", "", c.Key); c.Key != "" &&
						again != id+"\ndup" {
						t.Errorf("%s: again %s", c.Name, again)
					}
				}
				for _, c := range []struct{ topic, data, event, found string }{
					{"$x", "", "", `"$x"`},
					{"a\nb", "", "", `"a\x0ab"`},
					{`"\[]^~ ` + "\xff", "", "", `"\x22\x5c[]^~ \xff"`},
					{strings.Repeat("a", 65), "", "", `"` + strings.Repeat("a", 40) +
						`"... (65 bytes)`},
					{"x", "", "gap", `"gap"`},
					{"x", strings.Repeat("a", 1000), "e", "1001"},
				} {
					if got := publish(config.Key(c.topic), c.data, c.event); !strings.HasSuffix(got,
						", found "+c.found) {
						t.Errorf("%q: %s", c.topic, got)
					}
				}
				begin := strings.TrimSuffix(config.Key("x"), "x")
				for _, escapes := range []string{"100%", "%", "%2", "a%7bb", "%41", "%%257B",
					"%25%", "%2525%7b", "{", "a}"} {
					if got := publish(begin+escapes, "x"); !strings.HasPrefix(got,
						"-ERR expected %25, %7B and %7D for per cent and braces in a topic") {
						t.Errorf("%s: %s", begin+escapes, got)
					}
				}
			})
		}
	}
}

// What edges did not publish themselves is held to the rule when it comes: what breaks it is told
// as a gap and counted, and never changed.
func TestGatesOfAChannel(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n, config, client := edge(t, "redis://"+r.address(), limited(redis.ByTopic)),
		publisher(redis.ByTopic), r.dial(t)
	st := n.opened(t, topic("plain"))
	unfit := 0
	for _, c := range ruletest.Cases() {
		switch {
		case c.Event != "" || c.Key != "" || c.Retry != "":
			continue // what comes without an envelope has none of it
		case c.What == rule.Topic:
			if got := client.do("PUBLISH", config.Key(c.Topic), c.Data); got != "0" {
				t.Errorf("%s: %s edges follow it", c.Name, got)
			}
			continue
		case !strings.HasPrefix(c.Topic, "case "):
			own := n.opened(t, topic(c.Topic))
			client.do("PUBLISH", config.Key(c.Topic), c.Data)
			if m, err := own.next(); err != nil || !isCase(m, c) {
				t.Errorf("%s: %+v, %v", c.Name, m, err)
			}
			own.conn.Close()
			continue
		}
		client.do("PUBLISH", "sse:plain", c.Data)
		m, err := st.next()
		if err != nil || c.What == "" && !isCase(m, c) || c.What != "" &&
			(m.Event != "gap" || !strings.Contains(m.Data, `"missed"`)) {
			t.Errorf("%s: %+v, %v", c.Name, m, err)
		}
		if c.What != "" {
			unfit++
		}
	}
	if got := n.metrics(t)["ssedge_redis_unfit_total"]; got != float64(unfit) || unfit == 0 {
		t.Errorf("%v are counted as unfit, expected %d", got, unfit)
	}
}

// forged is the cases that can stand in a stream and in an envelope.
func forged() (all []ruletest.Case) {
	for _, c := range ruletest.Cases() {
		if c.What != rule.Topic && c.Key == "" && strings.HasPrefix(c.Topic, "case ") {
			all = append(all, c)
		}
	}
	return all
}

// The same of what others write into streams and envelopes.
func TestGatesOfForgedEvents(t *testing.T) {
	t.Parallel()
	for _, way := range []redis.FanIn{redis.ByTopic, redis.ByPartition} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			n, client := edge(t, "redis://"+r.address(), limited(way)), r.dial(t)
			stream := keyBy(way, "x")
			channel, version, named := stream, "s1", ""
			if way == redis.ByPartition {
				channel, version, named = strings.TrimSuffix(stream, "x"), "s2", "x"
			}
			st := n.opened(t, topic("x"))
			first := n.publish(t, "x", "first")
			st.gets(t, "first")
			prev := first
			cases := forged()
			unfit := 0.0
			for i, c := range cases {
				id := fmt.Sprintf("%s%d", first[:strings.IndexByte(first, '-')+1], i+1)
				header := fmt.Sprintf("\x00%s %s %s %d", version, id, prev, len(c.Event))
				if named != "" {
					header += " 1"
				}
				if c.Retry != "" {
					header += " " + c.Retry
				}
				message := header + "\n" + named + c.Event + c.Data
				if _, err := envelope.Parse([]byte(message)); err != nil &&
					way == redis.ByPartition {
					continue // it does not say of which topic it is: the next event would tell
				}
				if got := client.do("XADD", stream, id, "p", prev, "e", c.Event, "d", c.Data, "r",
					c.Retry); got != id {
					t.Fatal(got)
				}
				client.do("PUBLISH", channel, message)
				m, err := st.next()
				if err != nil || m.LastEventID != id || c.What == "" && !isCase(m, c) ||
					c.What != "" &&
						(m.Event != "gap" || !strings.Contains(m.Data, `"to":"`+id+`"`)) {
					t.Errorf("%s: %+v, %v", c.Name, m, err)
				}
				if c.What != "" {
					unfit++
				}
				prev = id
			}
			if got := n.metrics(t)["ssedge_redis_unfit_total"]; got != unfit || unfit == 0 {
				t.Errorf("%v are counted as unfit, expected %v", got, unfit)
			}
			// Another edge reads them all from the stream.
			other := edge(t, "redis://"+r.address(), limited(way)).open(t, after("x", first))
			told := false // of what was refused since the last event that came
			for _, c := range cases {
				if c.What != "" {
					told = true
					continue
				}
				m, err := other.next()
				for gaps := 0; err == nil && m.Event == "gap" && !isCase(m, c); gaps++ {
					told = false
					m, err = other.next()
				}
				if err != nil || !isCase(m, c) || told {
					t.Errorf("%s: read as %+v, %v; not told of: %v", c.Name, m, err, told)
				}
			}
		})
	}
}

// Names that no topic can have are not answered under another name.
func TestGatesOfTheAdminListener(t *testing.T) {
	t.Parallel()
	n := startNode(t, limited(redis.ByTopic))
	for _, c := range ruletest.Cases() {
		if c.What != "" && c.What != rule.Topic {
			continue
		}
		code, body := n.get(t, n.admin, "/admin/topics?topic="+url.QueryEscape(c.Topic))
		if c.What == "" && code != 200 || c.What != "" &&
			(code != 400 ||
				!strings.Contains(body, "expected a topic name of at most 64 bytes of UTF-8")) {
			t.Errorf("%s: %d %s", c.Name, code, body)
		}
	}
}

// The script's look at UTF-8 is not Go's: both must say the same of any bytes.
func TestUTF8OfTheScript(t *testing.T) {
	unraced(t) // it tests Redis
	t.Parallel()
	r := startRedis(t)
	config, client := publisher(redis.ByTopic), r.dial(t)
	script := client.do("SCRIPT", "LOAD", config.Script(redis.Standalone))
	edges := []byte{0, 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
		0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	rng := rand.New(rand.NewPCG(3, 7))
	for range 20_000 {
		text := make([]byte, 1+rng.IntN(6))
		for i := range text {
			text[i] = edges[rng.IntN(len(edges))]
		}
		got := client.do("EVALSHA", script, "1", "sse:x", string(text))
		if taken := !strings.HasPrefix(got,
			"-"); taken != (ruletest.Limits.Event(nil, text, 0) == nil) {
			t.Fatalf("%q: %s", text, got)
		}
	}
}
