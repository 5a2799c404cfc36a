package engine_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// recorded is an edge with a log of its own, as a user of its own.
func recorded(t *testing.T, r *redisServer) (*node, *said) {
	t.Helper()
	userIs("on >secret ~* &* +@all")(r)
	log := &said{}
	return edge(t, "redis://edge:secret@"+r.address(), func(c *engine.Config) {
		c.Edge, c.Redis.ProbeInterval, c.Redis.PresenceEvery, c.ReadyNeedsRedis = "e",
			100*time.Millisecond, time.Second, true
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
	}), log
}

// What an edge writes or reads beside publishing can fail while events are taken: that is logged
// with its cause, once, and counted. The edge stays up, and publishing goes on.
func TestWhatFailsBesidePublishing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do, undo [][]string
		cause    string // of the metric
		op       string
		line     string // of the log
		names    string // also in it
		over     string // the line when it is over; "": single topics have none
	}{
		"the list of edges": {[][]string{words("SET ssedge:sse:edges x")},
			[][]string{words("DEL ssedge:sse:edges")}, "wrongtype", "presence",
			"subscriber counts cannot be written", "WRONGTYPE", "shown to others again"},
		"no right to presence": {[][]string{words("ACL SETUSER edge -zadd")},
			[][]string{words("ACL SETUSER edge +zadd")}, "noperm", "presence",
			"subscriber counts cannot be written", "zadd", "shown to others again"},
		"no right to settings": {
			[][]string{words("ACL SETUSER edge resetkeys ~sse:* ~{sse:* " +
				"~ssedge:sse:edge* ~ssedge:sse:topics*")},
			[][]string{words("ACL SETUSER edge ~*")}, "noperm", "presence",
			"subscriber counts cannot be written", "NOPERM", "shown to others again"},
		"the key of an edge": {[][]string{words("ZADD ssedge:sse:edges 9999999999 ghost"),
			words("LPUSH ssedge:sse:edge:ghost x")}, [][]string{words("DEL ssedge:sse:edge:ghost")},
			"wrongtype", "presence", "an edge is not shown", "ssedge:sse:edge:ghost", ""},
		"history is not bounded": {[][]string{words("ACL SETUSER edge -xtrim")},
			[][]string{words("ACL SETUSER edge +xtrim")}, "noperm", "after_publish",
			"an event was published, but", "can't run this command", ""},
		"history stays": {[][]string{words("ACL SETUSER edge -expire")},
			[][]string{words("ACL SETUSER edge +expire")}, "noperm", "after_publish",
			"an event was published, but", "can't run this command", ""},
		"the key of another type": {[][]string{words("SET sse:odd x")},
			[][]string{words("DEL sse:odd")}, "wrongtype", "read",
			"a topic's history cannot be read", "topic=\"\\\"odd\\\"\"", ""},
		"the clocks of replicas": {[][]string{words("ACL SETUSER edge -role")},
			[][]string{words("ACL SETUSER edge +role")}, "noperm", "replicas",
			"the clock of a server that may become a master is not known", "role", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			n, log := recorded(t, r)
			st := n.opened(t, topic("x"))
			for _, arguments := range c.do {
				r.cli(arguments...)
			}
			n.open(t, topic("odd"))
			await(t, "a line", func() (bool, string) {
				return log.lines(c.line, c.names, "cause="+c.cause) == 1, log.String()
			})
			m := n.metrics(t)
			if m[`ssedge_redis_failures_total{cause="`+c.cause+`"}`] == 0 ||
				m[`ssedge_redis_errors_total{op="`+c.op+`",kind="`+c.cause+`"}`] == 0 {
				t.Error("it is not counted")
			}
			time.Sleep(500 * time.Millisecond) // it fails some more times
			if got := log.lines(c.line); got != 1 {
				t.Errorf("found %d lines:\n%s", got, log)
			}
			n.publish(t, "x", "1")
			st.gets(t, "1")
			if m := n.metrics(t); m["ssedge_redis_up"] != 1 || m["ssedge_ready"] != 1 ||
				log.lines("takes no events") != 0 {
				t.Errorf("up %v, ready %v:\n%s", m["ssedge_redis_up"], m["ssedge_ready"], log)
			}
			for _, arguments := range c.undo {
				r.cli(arguments...)
			}
			if c.over != "" {
				await(t, "the end to be logged", func() (bool, string) {
					return log.lines(c.over) == 1, log.String()
				})
			}
		})
	}
}

// A topic whose key has another type is refused with the topic's name in the log, and others are
// not. So is the topic of probes: another one is used.
func TestAKeyOfAnotherTypeConcernsItsTopicOnly(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n, log := recorded(t, r)
	r.cli("SET", "sse:odd", "x")
	if _, err := n.post("odd", "x"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("found %v", err)
	}
	if log.lines("events could not be stored", "WRONGTYPE", "odd") != 1 {
		t.Errorf("the log: %s", log)
	}
	probe := func() string { return r.cli("KEYS", "sse:$probe:*") }
	await(t, "a probe", func() (bool, string) { return probe() != "", "" })
	taken := probe()
	await(t, "another topic for probes", func() (bool, string) {
		r.cli("SET", taken, "x")
		return len(strings.Fields(probe())) == 2, probe()
	})
	if log.lines("a probe's event is not taken", "cause=wrongtype") != 1 {
		t.Errorf("the log: %s", log)
	}
	if r.cli("GET", taken) != "x" {
		t.Error("the key was changed")
	}
	await(t, "the end to be logged", func() (bool, string) {
		return log.lines("probes' events are taken again") == 1, log.String()
	})
	if m := n.metrics(t); m["ssedge_redis_up"] != 1 || log.lines("takes no events") != 0 {
		t.Errorf("up %v:\n%s", m["ssedge_redis_up"], log)
	}
}

// A user of some topics only cannot use the topic of probes. The edge is up while publishers'
// events are taken.
func TestAUserOfSomeTopics(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n, log := recorded(t, r)
	n.await(t, "ssedge_redis_up", 1)
	userIs("resetkeys ~sse:news ~ssedge:*")(r)
	n.await(t, "ssedge_redis_up", 0)
	n.publish(t, "news", "1")
	n.await(t, "ssedge_redis_up", 1)
	if log.lines("a probe's event is not taken", "cause=noperm") != 1 {
		t.Errorf("the log: %s", log)
	}
	if _, err := n.post("other", "x"); err == nil {
		t.Error("another topic's event is taken")
	}
	time.Sleep(300 * time.Millisecond) // some more probes
	if up := n.metrics(t)["ssedge_redis_up"]; up != 1 {
		t.Error("one topic that is refused makes the edge unready")
	}
}
