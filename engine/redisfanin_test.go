package engine_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/proto/rule"
)

// by is an edge with another fan-in than the usual one.
func by(way redis.FanIn) func(*engine.Config) {
	return func(c *engine.Config) { c.Redis.FanIn, c.Redis.Partitions = way, 16 }
}

func keyBy(way redis.FanIn, topic string) string {
	c := redis.Config{Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:", FanIn: way,
		Partitions: 16}}}
	return c.Key(topic)
}

// With partitions events come to all edges, live and when a client comes back elsewhere.
func TestFanInOfTwoEdges(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"standalone", "cluster"} {
		const way = redis.ByPartition
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var url string
			var cli func(...string) string
			if kind == "cluster" {
				all := startCluster(t, 0)
				url, cli = clusterURL(all), func(arguments ...string) string {
					return all[0].cli(append([]string{"-c"}, arguments...)...)
				}
			} else {
				r := startRedis(t)
				url, cli = "redis://"+r.address(), r.cli
			}
			a, b, c := edge(t, url, by(way)), edge(t, url, by(way)), edge(t, url, by(way))
			for k := range 6 { // on several masters
				news := fmt.Sprintf("news %d {%%", k)
				onA, onB := a.opened(t, topic(news)), b.opened(t, topic(news))
				id := a.publish(t, news, "hello")
				onA.gets(t, "hello")
				onB.gets(t, "hello")
				if got := onB.decoder.LastEventID(); got != id {
					t.Errorf("id %s, published as %s", got, id)
				}
				onA.reset()
				b.publish(t, news, "missed")
				b.publish(t, news, "missed too")
				onB.gets(t, "missed", "missed too")
				c.opened(t, after(news, onA.decoder.LastEventID())).gets(t, "missed", "missed too")
				if n := cli("EXISTS", keyBy(way, news)); n != "1" {
					t.Errorf("there is no stream %s", keyBy(way, news))
				}
				m, err := c.opened(t, after(news, "5-5")).next()
				if err != nil || m.Event != "gap" || !strings.Contains(m.Data, `"from":"5-5"`) {
					t.Errorf("found %+v, %v", m, err)
				}
			}
			if n := a.metrics(t)["ssedge_redis_malformed_total"]; n != 0 {
				t.Errorf("%v messages could not be read", n)
			}
		})
	}
}

// Connections with partitions break, and nothing is lost.
func TestFanInKilled(t *testing.T) {
	t.Parallel()
	const way = redis.ByPartition
	r := startRedis(t)
	url := "redis://" + r.address()
	a, b := edge(t, url, by(way)), edge(t, url, by(way))
	x := newTier(t, []*redisServer{r}, &a.server, &b.server)
	x.way = way
	x.load(5, 4, 2*time.Millisecond)
	for range 4 {
		x.pause(300 * time.Millisecond)
		r.cli("CLIENT", "KILL", "TYPE", "pubsub")
	}
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
}

// Slots, and with them partitions, move while events are published; then a master changes places
// with its replica.
func TestFanInSlotsMove(t *testing.T) {
	t.Parallel()
	const way = redis.ByPartition
	all := startCluster(t, 1)
	url := clusterURL(all)
	a, b := edge(t, url, by(way)), edge(t, url, by(way))
	x := newTier(t, all, &a.server, &b.server)
	x.way = way
	x.load(20, 2, 10*time.Millisecond)
	x.pause(300 * time.Millisecond)
	m := masters(all)
	x.rng.Shuffle(len(m), func(i, k int) { m[i], m[k] = m[k], m[i] })
	for k := range 2 {
		x.moveSlots(m[k], m[(k+1)%3])
		x.pause(300 * time.Millisecond)
	}
	if out := anyOf(x.rng, replicas(all)).cli("CLUSTER", "FAILOVER"); out != "OK" {
		t.Fatalf("CLUSTER FAILOVER: %s", out)
	}
	x.pause(1500 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
	if a.metrics(t)["ssedge_redis_moved_total"] == 0 {
		t.Error("no partition has moved")
	}
}

// Edges that would not hear each other do not start; when the others are gone, they do.
func TestFanInMustAgree(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	quick := func(c *engine.Config) { c.Redis.PresenceEvery = 400 * time.Millisecond }
	a := edge(t, url, quick)
	eventually(t, "the edge has said how it does it", func() bool {
		return strings.HasPrefix(r.cli("GET", "ssedge:sse:fanin"), "--fan-in=topic; ")
	})
	start := func() error {
		c := engine.DefaultConfig()
		c.Dev, c.Listen, c.Admin, c.Redis.URL, c.Logger = true, []string{"127.0.0.1:0"}, "", url,
			slog.New(slog.DiscardHandler)
		by(redis.ByPartition)(&c)
		e, err := engine.New(c)
		if err == nil {
			e.Close()
		}
		return err
	}
	if err := start(); err == nil ||
		!strings.Contains(err.Error(),
			"edges there have --fan-in=topic, this is --fan-in=partition --partitions=16") {
		t.Errorf("found %v", err)
	}
	a.engine.Close()
	eventually(t, "another one may start", func() bool { return start() == nil })
}

// The script tells a publisher that has another fan-in.
func TestFanInOfThePublisher(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	for _, c := range []struct {
		way       redis.FanIn
		key, says string
	}{
		{redis.ByPartition, "sse:news", "expected the key of a partition"},
		{redis.ByPartition, "sse:{x}news", "expected the key of a partition"},
		{redis.ByPartition, "sse:{3}", "expected a topic name"},
		{redis.ByTopic, "sse:{3}news", "expected %25, %7B and %7D"},
		{redis.ByPartition, keyBy(redis.ByPartition, "news"), "new"},
		{redis.ByPartition, "sse:{3}a}b", "expected %25, %7B and %7D"},
		{redis.ByTopic, "news", "expected a key that begins with sse:"},
		{redis.ByTopic, "sse:", "expected a topic name"},
		{redis.ByTopic, keyBy(redis.ByTopic, "{news}"), "new"},
	} {
		config :=
			redis.Config{Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:", FanIn: c.way,
				Partitions: 16, TTL: time.Minute}}, Retention: fanin.Retention{HistoryEvents: 10,
				HistoryAge: time.Minute, KeyTTL: time.Minute}, Rule: rule.Limits{EventBytes: 100}}
		if got := r.cli("EVAL", config.Script(redis.Standalone), "1", c.key,
			"x"); !strings.Contains(got, c.says) {
			t.Errorf("%s, %s: %s", c.way, c.key, got)
		}
	}
	// Keys of publishers are those of their topic.
	config :=
		redis.Config{Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:",
			FanIn: redis.ByPartition, Partitions: 16, TTL: time.Minute}},
			Retention: fanin.Retention{HistoryEvents: 10, HistoryAge: time.Minute,
				KeyTTL: time.Minute}, Rule: rule.Limits{EventBytes: 100}}
	answers := map[string]bool{}
	for _, bad := range [][]string{{"x", "gap"}, {"x", "a\nb"}, {"x", "a\rb"},
		{strings.Repeat("x", 101)}, {"x", strings.Repeat("e", 100)}, {"x", "", "", "soon"}} {
		if got := r.cli(
			append([]string{"EVAL", config.Script(redis.Standalone), "1", config.Key("a")},
				bad...)...); !strings.HasPrefix(got, "ERR expected") {
			t.Errorf("%.20q: %s", bad, got)
		}
	}
	for _, of := range [][2]string{{"a", "b:i:c"}, {"a:i:b", "c"}, {"a", "c"}} {
		first := r.cli("EVAL", config.Script(redis.Standalone), "1", config.Key(of[0]), "x", "",
			of[1])
		again := r.cli("EVAL", config.Script(redis.Standalone), "1", config.Key(of[0]), "x", "",
			of[1])
		id, word, _ := strings.Cut(first, "\n")
		if word != "new" || again != id+"\ndup" || answers[of[0]+id] {
			t.Errorf("%q: %q, then %q", of, first, again)
		}
		answers[of[0]+id] = true
	}
}

// What could not be sent was not published: a publisher that tries again is not told that it was.
func TestWhatCouldNotBeSentWasNotPublished(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	r.cli("ACL", "SETUSER", "mute", "on", ">p", "~*", "resetchannels", "+@all")
	n := edge(t, "redis://"+r.address(), nil)
	st := n.opened(t, topic("x"))
	n.publish(t, "x", "0")
	st.gets(t, "0")
	config :=
		redis.Config{Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:",
			FanIn: redis.ByTopic, TTL: time.Minute}}, Retention: fanin.Retention{HistoryEvents: 10,
			HistoryAge: time.Minute, KeyTTL: time.Minute}, Rule: rule.Limits{EventBytes: 100}}
	script := config.Script(redis.Standalone)
	if got := r.cli("--user", "mute", "--pass", "p", "--no-auth-warning", "EVAL", script, "1",
		"sse:x", "1", "", "key"); !strings.Contains(got, "publish") {
		t.Errorf("without permission: %s", got)
	}
	if got := r.cli("EVAL", script, "1", "sse:x", "1", "", "key"); !strings.HasSuffix(got, "new") {
		t.Errorf("again: %s", got)
	}
	st.gets(t, "1")
	if n := r.cli("XLEN", "sse:x"); n != "2" {
		t.Errorf("%s events are kept", n)
	}
	config.HistoryEvents = 1
	r.cli("EVAL", config.Script(redis.Standalone), "1", "sse:x", "2") // now one is kept
	r.cli("--user", "mute", "--pass", "p", "--no-auth-warning", "EVAL",
		config.Script(redis.Standalone), "1", "sse:x", "3")
	if got := r.cli("XRANGE", "sse:x", "-", "+"); !strings.Contains(got, "\nd\n2\n") {
		t.Errorf("a publish that was refused has taken the history: %q", got)
	}
}

// An event of a topic in the channel of another partition is refused by edges, too: otherwise only
// clients of some would get it.
func TestTheWrongPartition(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := edge(t, "redis://"+r.address(), by(redis.ByPartition))
	news, other := keyBy(redis.ByPartition, "news"), ""
	tag, _, _ := strings.Cut(news, "news")
	for k := 0; other == ""; k++ {
		if name := fmt.Sprint("other", k); !strings.HasPrefix(keyBy(redis.ByPartition, name), tag) {
			other = name
		}
	}
	a.opened(t, topic("news"))
	st := a.opened(t, topic(other))
	r.dial(t).do("PUBLISH", tag, fmt.Sprintf("\x00s2 5-0 0-0 0 %d\n%swrong", len(other), other))
	eventually(t, "it is refused", func() bool {
		return a.metrics(t)["ssedge_redis_malformed_total"] == 1
	})
	a.publish(t, other, "right")
	st.gets(t, "right")
}
