package engine_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// forge publishes an event as a server would that has lost some, or whose clock is another one.
func (r *redisServer) forge(topic, id, prev, data string) {
	r.t.Helper()
	r.cli("XADD", "sse:"+topic, id, "p", prev, "e", "", "d", data, "r", "")
	if out := r.cli("EVAL",
		"return redis.call('PUBLISH', KEYS[1], '\\0s1 '..ARGV[1]..' '..ARGV[2]..' 0\\n'..ARGV[3])",
		"1", "sse:"+topic, id, prev, data); out == "0" {
		r.t.Fatal("no edge has got it")
	}
}

// A promoted replica lacks the last event, and has others instead by the time an edge sees it:
// whatever their ids are, none of them is missing.
func TestAForkOfSeveralEvents(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"behind the lost one": 30 * time.Second,
		"around it": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			relay := startRelay(t, r.address())
			cut, direct := edge(t, "redis://"+relay.address, nil),
				edge(t, "redis://"+r.address(), nil)
			st := cut.opened(t, topic("x"))
			first := direct.publish(t, "x", "E1")
			st.gets(t, "E1")
			lost := time.Now().Add(ahead)
			r.forge("x", fmt.Sprint(lost.UnixMilli(), "-0"), first, "lost")
			st.gets(t, "lost")
			relay.swallow(true)
			r.cli("DEL", "sse:x")
			r.cli("XADD", "sse:x", first, "p", "0-0", "e", "", "d", "E1", "r", "")
			direct.publish(t, "x", "A1")
			direct.publish(t, "x", "A2")
			if ahead < 10*time.Second {
				time.Sleep(time.Until(lost) + 100*time.Millisecond)
			}
			direct.publish(t, "x", "A3")
			relay.swallow(false)
			st.gets(t, "A1", "A2", "A3")
			direct.publish(t, "x", "A4")
			st.gets(t, "A4")
		})
	}
}

// Elements that the script has not made stand among the others: they are told as gaps, and nothing
// else is held up.
func TestForeignElements(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	cut, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	st := cut.opened(t, topic("x"))
	direct.publish(t, "x", "begin")
	st.gets(t, "begin")
	relay.swallow(true)
	for k := range 300 { // more than is read in one go
		if k == 50 {
			r.cli("XADD", "sse:x", "*", "foo", "bar")
		}
		direct.publish(t, "x", fmt.Sprint("m", k))
	}
	relay.swallow(false)
	gaps, seen := 0, map[string]bool{}
	for !seen["m299"] {
		m, err := st.next()
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Data] {
			t.Fatalf("%s came twice", m.Data)
		}
		seen[m.Data] = true
		if m.Event == "gap" {
			gaps++
		}
	}
	if gaps == 0 && len(seen) < 301 {
		t.Errorf("%d of 300 came, and no gap was told", len(seen))
	}
	for k := 51; k < 300; k++ {
		if !seen[fmt.Sprint("m", k)] {
			t.Fatalf("m%d is missing behind the gap", k)
		}
	}
}

// Events without an id are delivered on a topic that has been quiet for longer than history is
// kept.
func TestRawEventsOnAQuietTopic(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := edge(t, "redis://"+r.address(), func(c *engine.Config) { c.HistoryAge = time.Second })
	st := n.opened(t, topic("x"))
	n.publish(t, "x", "1")
	st.gets(t, "1")
	time.Sleep(2500 * time.Millisecond)
	for _, data := range []string{"a", "b", "c"} {
		r.cli("PUBLISH", "sse:x", data)
		st.gets(t, data)
	}
}

// A stream that has its response head gets what is published from then on, though its place was not
// known yet.
func TestAStreamThatWaitedHasEverything(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	cut, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	direct.publish(t, "y", "long ago")
	time.Sleep(1500 * time.Millisecond) // clocks are known to a second
	relay.swallow(true)
	late := cut.open(t, topic("y")) // returns with the head
	direct.publish(t, "y", "1")
	direct.publish(t, "y", "2")
	relay.swallow(false)
	late.gets(t, "1", "2")
	direct.publish(t, "y", "3")
	late.gets(t, "3")
}

// One master that hangs holds up a stream of topics of two, but loses it nothing.
func TestAStreamOfTwoMasters(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 0)
	for _, r := range all {
		r.cli("CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	a := edge(t, clusterURL(all), nil)
	on := map[int]string{}
	for k := 0; len(on) < 2; k++ {
		name := fmt.Sprint("t", k)
		a.publish(t, name, "x")
		for i, r := range all[:2] {
			if r.cli("EXISTS", "sse:"+name) == "1" && on[i] == "" {
				on[i] = name
			}
		}
	}
	time.Sleep(1500 * time.Millisecond)
	all[1].signal(syscall.SIGSTOP)
	st := a.open(t, ask{topics: []string{on[0], on[1]}})
	for k := range 3 {
		a.publish(t, on[0], fmt.Sprint("a", k))
	}
	all[1].signal(syscall.SIGCONT)
	st.gets(t, "a0", "a1", "a2")
}

// A channel or a key that the servers refuse concerns its topic only.
func TestWhatIsRefusedConcernsItsTopicOnly(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	r.cli("ACL", "SETUSER", "e", "on", ">p", "~*", "resetchannels", "&sse:a*", "&ssedge:*", "+@all")
	n := edge(t, "redis://e:p@"+r.address(), nil)
	st := n.opened(t, topic("a1"))
	n.open(t, topic("b1")) // is refused
	r.cli("SET", "sse:a2", "no stream")
	n.open(t, topic("a2"))
	began := time.Now()
	for k := range 20 {
		n.opened(t, topic(fmt.Sprint("a-new", k)))
	}
	if took := time.Since(began); took > 10*time.Second { // each would wait for the bad one
		t.Errorf("20 topics took %v", took)
	}
	n.publish(t, "a1", "1")
	st.gets(t, "1")
	// the topic of probes may not be used, but a publisher's event was taken
	n.await(t, "ssedge_redis_up", 1)
	if m := n.metrics(t); m["ssedge_redis_reconnects_total"] != 0 {
		t.Errorf("%v reconnects", m["ssedge_redis_reconnects_total"])
	}
}

// The slot of the channel by which an edge hears itself moves, and no other.
func TestTheSlotOfAProbeMoves(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 0)
	n := edge(t, clusterURL(all), nil)
	streams := map[string]*stream{}
	for k := range 12 {
		name := fmt.Sprint("t", k)
		streams[name] = n.opened(t, topic(name))
	}
	for _, channel := range strings.Fields(all[0].cli("PUBSUB", "SHARDCHANNELS",
		"ssedge:probe:*")) {
		slot := all[0].cli("CLUSTER", "KEYSLOT", channel)
		for _, r := range []*redisServer{all[1], all[0], all[2]} {
			eventually(t, "the slot is another server's", func() bool {
				// what the edge writes with each probe, which would have to be moved, too
				all[0].cli("DEL", channel)
				return r.cli("CLUSTER", "SETSLOT", slot, "NODE", all[1].id()) == "OK"
			})
		}
	}
	time.Sleep(3 * time.Second) // several probes
	eventually(t, "all are live", func() bool {
		m := n.metrics(t)
		return m["ssedge_redis_up"] == 1 && m[`ssedge_redis_topics{state="live"}`] == 12
	})
	for name, st := range streams {
		n.publish(t, name, name)
		st.gets(t, name)
	}
}

// A client that asks for everything does not make others believe that there was nothing before it.
func TestEarliestProvesNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	short := func(c *engine.Config) {
		c.Redis.TTL, c.HistoryAge, c.Redis.Linger = 2*time.Second, 2*time.Second, time.Second
	}
	a, b := edge(t, "redis://"+r.address(), short), edge(t, "redis://"+r.address(), short)
	st := a.opened(t, topic("x"))
	began := st.decoder.LastEventID()
	st.reset()
	b.publish(t, "x", "gone")
	time.Sleep(3500 * time.Millisecond)
	b.publish(t, "x", "new")
	b.opened(t, ask{topics: []string{"x"}, after: "earliest"}).gets(t, "new")
	if m, err := b.opened(t, after("x", began)).next(); err != nil || m.Event != "gap" {
		t.Errorf("found %+v, %v", m, err)
	}
}

// A message whose event is not in the stream is an old master's: what was published again at the
// new one comes once, and nothing is missing. That is so whether the stream is looked at before the
// next event comes or after it.
func TestAPhantomIsDropped(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := edge(t, "redis://"+r.address(), nil)
	st := a.opened(t, topic("x"))
	first := a.publish(t, "x", "1")
	a.publish(t, "x", "2")
	st.gets(t, "1", "2")
	const say = "redis.call('PUBLISH', KEYS[1], '\\0s1 '..ARGV[1]..' '..ARGV[2]..' 0\\nphantom') "
	const follow = "redis.call('XADD', KEYS[1], ARGV[3], 'p', ARGV[4], 'e', '', 'd', '4', 'r', '') " +
		"redis.call('PUBLISH', KEYS[1], '\\0s1 '..ARGV[3]..' '..ARGV[4]..' 0\\n4')"
	ids := func() (phantom, next string) { // of milliseconds that no other event is of
		time.Sleep(5 * time.Millisecond)
		now := time.Now().UnixMilli()
		time.Sleep(5 * time.Millisecond)
		return fmt.Sprint(now, "-0"), fmt.Sprint(now+1, "-0")
	}
	phantom, _ := ids()
	r.cli("EVAL", say, "1", "sse:x", phantom, first)
	eventually(t, "it is counted", func() bool {
		return a.metrics(t)["ssedge_redis_phantoms_total"] == 1
	})
	last := a.publish(t, "x", "3")
	st.gets(t, "3")
	phantom, next := ids()
	r.cli("EVAL", say+follow, "1", "sse:x", phantom, first, next, last)
	st.gets(t, "4")
	a.publish(t, "x", "5")
	st.gets(t, "5")
}

// A fork of very many events: a stream that was there gets them all, and goes on.
func TestAForkOfVeryManyEvents(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	cut, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	st := cut.opened(t, topic("x"))
	first := direct.publish(t, "x", "E1")
	st.gets(t, "E1")
	r.forge("x", fmt.Sprint(time.Now().Add(time.Hour).UnixMilli(), "-0"), first, "lost")
	st.gets(t, "lost")
	relay.swallow(true)
	r.cli("DEL", "sse:x")
	r.cli("XADD", "sse:x", first, "p", "0-0", "e", "", "d", "E1", "r", "")
	var want []string
	for k := range 1000 {
		want = append(want, fmt.Sprint("A", k))
		direct.publish(t, "x", want[k])
	}
	relay.swallow(false)
	st.gets(t, want...)
	direct.publish(t, "x", "on")
	st.gets(t, "on")
}

// An event that may not be sent is told as a gap where it stands, with a name of its own or without
// one.
func TestWhatMayNotBeSentIsAGap(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := edge(t, "redis://"+r.address(), func(c *engine.Config) { c.Rule.EventBytes = 1000 })
	long := edge(t, "redis://"+r.address(), nil)
	st := a.opened(t, topic("x"))
	first := a.publish(t, "x", "1")
	st.gets(t, "1")
	r.cli("PUBLISH", "sse:x", strings.Repeat("y", 1001))
	second := long.publish(t, "x", strings.Repeat("x", 1001))
	long.publish(t, "x", "3")
	for _, want := range []struct{ id, to string }{{first, "null"}, {second, `"` + second + `"`}} {
		// the first one has no id
		m, err := st.next()
		if err != nil || m.Event != "gap" || m.LastEventID != want.id ||
			!strings.Contains(m.Data, `"from":"`+first+`","to":`+want.to+`,"cause":"missed"`) {
			t.Fatalf("found %+v, %v; expected a gap up to %s", m, err, want.to)
		}
	}
	st.gets(t, "3")
	if m, err := a.opened(t, after("x", first)).next(); err != nil || m.Event != "gap" {
		t.Errorf("a client that comes back finds %+v, %v", m, err)
	}
	a.opened(t, after("x", second)).gets(t, "3")
}
