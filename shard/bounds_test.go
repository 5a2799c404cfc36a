package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A topic that a client cannot keep up with does not keep its other topics from it.
func TestABusyTopicDoesNotStarveTheOthersOfItsStream(t *testing.T) {
	for _, topics := range []string{"hot,rare", "rare,hot"} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 100}})
		c := r.join(topics, "", 10_000)
		r.settle()
		for round := 0; ; round++ {
			for range 3 {
				r.publish("hot", strings.Repeat("x", 500))
			}
			if round == 20 { // it is behind by now
				r.publish("rare", "rare")
			}
			c.read()
			c.sock.Free(1000)
			r.settle()
			if n := len(c.messages); n > 0 && strings.Contains(string(c.raw), "data: rare") {
				break
			}
			if round > 100 {
				t.Fatalf("%s: the rare event has not come after %d rounds", topics, round)
			}
		}
	}
}

// What is left of a copy keeps all of it in memory, and is charged like that.
func TestTheRestOfARestIsChargedForWhatItKeeps(t *testing.T) {
	c := patient()
	c.RestBytes = 3000
	r := newRig(t, 1, c, topic.Config{})
	var all []*client
	for range 3 {
		s := r.join("a", "", fake.Unlimited)
		r.settle()
		s.sock.Room = 10
		all = append(all, s)
	}
	r.publish("a", strings.Repeat("x", 1000)) // two rests fit, three do not
	r.settle()
	ended := 0
	for _, s := range all {
		if s.sock.Closed {
			s.endedWith(ClosedOverload)
			ended++
			continue
		}
		s.sock.Free(900) // of 1010 bytes or so
	}
	r.settle()
	if used := r.rests.Load(); ended != 1 || used < 2000 {
		t.Errorf("%d streams had no room; %d bytes are charged for two copies of 1000", ended, used)
	}
	for _, s := range all {
		if !s.sock.Closed {
			s.sock.Free(fake.Unlimited)
		}
	}
	r.settle()
	if used := r.rests.Load(); used != 0 {
		t.Errorf("%d bytes are charged in the end", used)
	}
}

// A drain is not over while streams are still on their way in.
func TestADrainWaitsForStreamsOnTheirWayIn(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		r := newRig(t, 1, budgeted(1), topic.Config{}) // takes in one a turn
		var all []*client
		for range 3 {
			all = append(all, r.join("a", "", fake.Unlimited))
		}
		done := r.drain(1e9, timeout)
		for turn := 0; *done == 0; turn++ {
			r.now += int64(time.Millisecond)
			r.turn()
			if turn > 100 {
				t.Fatal("it does not end")
			}
		}
		for i, c := range all {
			if !c.sock.Closed {
				t.Errorf("timeout %v: stream %d is open when all is drained", timeout, i)
			}
		}
	}
}

// Joins that were taken out of the inbox but are no streams yet count, too.
func TestTheInboxHoldsNoMoreThanItsBound(t *testing.T) {
	c := budgeted(1)
	c.InboxMax = 10
	r := newRig(t, 1, c, topic.Config{})
	s := r.shards[0]
	taken := 0
	for turn := range 20 {
		for n := range 20 {
			topic, err := r.table.Acquire([]byte("a"))
			if err != nil {
				t.Fatal(err)
			}
			sock := r.net.Connect()
			if err := s.inbox.join(Join{Fd: sock.FD, Head: []byte(fmt.Sprint(turn, n)),
				Topic: topic}); err != nil {
				r.table.Release(topic)
				r.net.Sockets[sock.FD] = nil
				r.net.Open--
				continue
			}
			taken++
		}
		if waiting := taken - s.slots.used; waiting > 10 {
			t.Fatalf("%d wait after turn %d, want at most 10", waiting, turn)
		}
		r.turn()
	}
	if taken < 20 {
		t.Errorf("%d were taken in 20 turns", taken)
	}
}

// Whatever the policy, a stream begins with its response head.
func TestNoStreamIsClosedBeforeTheResponseHead(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 2}})
	r.config.Policy = func(string) Policy { return PolicyClose }
	first := r.publish("a", "0")
	r.publish("a", "1")
	stream := r.join("a", first.String(), fake.Unlimited)

	// Shard.admit by hand, for what happens in its middle.
	s := r.shards[0]
	s.setNow(r.now)
	s.inbox.take(&s.incoming)
	j := &s.incoming.joins[0]
	i, sl := s.slots.take()
	sl.fd, sl.owner = int32(j.Fd), j.Owner
	s.stats.Joined.Add(1)
	s.stats.Streams.Add(1)
	s.kernel.Watch(j.Fd, userData(i, sl))
	s.addHead(j)
	s.due.lead = sse.AppendID(s.config.appendOpening(s.due.lead, stateResumed, s.rng.Int64N),
		[]byte(first.String()))
	sl.topic, sl.at = s.subscribe(i, j.Topic)
	sl.cursor = s.placeOf(j, j.Topic, j.Position).Cursor
	for n := range 5 { // the log moves on between the look and the send
		r.publish("a", fmt.Sprint("later", n))
	}
	if !s.catchUp(i, sl, false) {
		t.Fatal("it is closed before it has begun")
	}
	stream.want("gap:overrun", "later3", "later4")
}

// A turn ends when its time is over, however many sends it may make. The clock moves
// on by a millisecond with each look at it.
func TestATurnKeepsItsTime(t *testing.T) {
	c := patient()
	c.TurnTime = 3 * time.Millisecond
	r := newRig(t, 1, c, topic.Config{})
	for range 1000 {
		r.join("a", "", fake.Unlimited)
	}
	r.settle()
	at := r.now
	r.shards[0].clock = func() int64 { at += int64(time.Millisecond); return at }
	r.publish("a", "x")
	total := 0
	for idle := false; !idle; {
		var sends int
		sends, idle = r.sendsOfTurn()
		if sends > 4*timeEvery {
			t.Fatalf("%d sends in a turn of 3 ms, at %d a millisecond", sends, timeEvery)
		}
		total += sends
	}
	if total != 1000 {
		t.Errorf("%d sends", total)
	}
}

// What joins in a storm is taken in over several turns, and what was published to
// the streams that are there already is sent meanwhile.
func TestAStormOfJoinsDelaysOthersByAFewTurns(t *testing.T) {
	r := newRig(t, 1, budgeted(10), topic.Config{})
	there := r.join("a", "", fake.Unlimited)
	r.settle()
	for range 1000 {
		r.join("b", "", fake.Unlimited)
	}
	r.publish("a", "x")
	for turn := 1; len(there.data()) == 0; turn++ {
		if turn > 2 {
			t.Fatalf("not served after %d turns", turn)
		}
		before := r.shards[0].slots.used
		r.turn()
		if joined := r.shards[0].slots.used - before; joined > 10 {
			t.Fatalf("%d joined in a turn of 10", joined)
		}
	}
	r.settle()
	if r.streams() != 1001 {
		t.Errorf("%d streams", r.streams())
	}
}

// Sockets that become writable at once are written to over several turns.
func TestManyWritableSocketsKeepToTheBudget(t *testing.T) {
	r := newRig(t, 1, budgeted(10), topic.Config{})
	var all []*client
	for range 200 {
		c := r.join("a", "", fake.Unlimited)
		r.settle()
		c.sock.Room = 5
		all = append(all, c)
	}
	r.publish("a", "x")
	r.settle()
	for _, c := range all {
		c.sock.Free(fake.Unlimited)
	}
	for idle := false; !idle; {
		var sends int
		if sends, idle = r.sendsOfTurn(); sends > 20 { // of events, and of fan-out
			t.Fatalf("%d sends in a turn of 10", sends)
		}
	}
	for _, c := range all {
		c.want("x")
	}
}

// A stream in chunks that has much to catch up with is charged for each of its sends.
func TestCatchingUpInChunksIsChargedBySends(t *testing.T) {
	r := newRig(t, 1, budgeted(20), topic.Config{})
	for n := range 100 {
		r.publish("a", fmt.Sprint(n, strings.Repeat("x", 3000))) // a chunk each
	}
	var all []*client
	for range 10 {
		c := &client{r: r, wire: WireChunk, topics: []string{"a"}}
		c.connect("1000000-0", fake.Unlimited, 0)
		all = append(all, c)
	}
	for idle := false; !idle; {
		var sends int
		if sends, idle = r.sendsOfTurn(); sends > 20+8 {
			// and what the last of them is behind: 300 KB, in batches
			t.Fatalf("%d sends in a turn of 20", sends)
		}
	}
	for _, c := range all {
		if n := len(c.data()); n != 100 {
			t.Errorf("%d events", n)
		}
	}
}
