package shard

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"ssedge/shard/log"
	"ssedge/shard/sys"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// Events that are about an earlier user of a slot or a descriptor change nothing.
func TestStaleEventsAreDropped(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	old := r.join("a", "", fake.Unlimited)
	r.settle()
	s := r.shards[0]
	stale := old.sock.User
	old.sock.HangUp()
	r.settle()
	heir := r.blocked("a")
	if heir.sock.FD != old.sock.FD || uint32(heir.sock.User) != uint32(stale) {
		t.Fatal("neither slot nor descriptor was used again")
	}
	r.publish("a", "x")
	r.settle()
	sends := r.kernel(0).Sends
	s.events = append(s.events, sys.Event{User: stale, Flags: sys.HangUp},
		sys.Event{User: stale, Flags: sys.Writable},
		sys.Event{User: ^uint64(0), Flags: sys.HangUp}, sys.Event{User: 12345, Flags: sys.Writable})
	s.step(r.now)
	if r.kernel(0).Sends != sends || heir.sock.Closed {
		t.Error("a stale event reached the new stream")
	}
	heir.sock.Free(fake.Unlimited)
	r.settle()
	heir.want("x")
}

// A hang-up and a writable socket in one report, or in one batch: a connection that is
// gone is not written to.
func TestAHangUpComesBeforeEverythingElse(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	c := r.blocked("a")
	r.publish("a", "x")
	r.settle()
	sends := r.kernel(0).Sends
	c.sock.Room = fake.Unlimited
	c.sock.Report(sys.HangUp | sys.Writable)
	c.sock.Report(sys.Writable)
	r.publish("a", "y")
	r.settle()
	c.endedWith(ClosedClientGone)
	if r.kernel(0).Sends != sends {
		t.Error("a client that has gone was written to")
	}
	r.empty()
}

// A stream is told its owner's name exactly once, whatever ends it.
func TestOwnersHearOfTheEndOnce(t *testing.T) {
	r := newRig(t, 2, patient(), topic.Config{})
	for n := range 100 {
		c := r.join([]string{"a", "a,b"}[n%2], "", []int{fake.Unlimited, 20}[n/2%2])
		if n%3 == 0 {
			c.sock.HangUp() // before the shard has seen it
		}
	}
	r.settle()
	r.publish("a", "x")
	for _, s := range r.net.Sockets {
		if s != nil {
			s.Reset()
			s.HangUp()
		}
	}
	r.empty()
	r.table.ForgetAll()
	if r.table.Topics() != 0 {
		t.Errorf("%d topics are still held", r.table.Topics())
	}
}

// Two shards see the same logs; each closes and counts its own.
func TestShardsShareTopics(t *testing.T) {
	r := newRig(t, 2, patient(), topic.Config{})
	var all []*client
	for range 20 {
		all = append(all, r.join("a", "", fake.Unlimited), r.join("b,a", "", fake.Unlimited))
	}
	r.settle()
	var want []string
	for n := range 10 {
		r.publish("a", fmt.Sprint(n))
		want = append(want, fmt.Sprint(n))
		if n%4 == 0 {
			r.settle()
		}
	}
	r.settle()
	for _, c := range all {
		c.want(want...)
		c.sock.HangUp()
	}
	r.empty()
}

// One wake-up is enough for any number of entries, and none is needed for a shard that is awake.
func TestASleepingShardIsWokenOnce(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	r.join("a", "", fake.Unlimited)
	r.join("b", "", fake.Unlimited)
	r.settle()
	k, b := r.kernel(0), &r.shards[0].inbox
	r.publish("a", "x")
	if k.Wakes != 0 {
		t.Errorf("%d wake-ups of a shard that is awake", k.Wakes)
	}
	r.settle()
	b.asleep.Store(true)
	for range 5 {
		r.publish("a", "x")
		r.publish("b", "x")
		b.call(func() {})
	}
	if k.Wakes != 1 {
		t.Errorf("%d wake-ups, want 1", k.Wakes)
	}
	if got := b.depth.Load(); got != 7 { // each topic once
		t.Errorf("%d entries, want 7", got)
	}
}

// An idle shard holds no bytes of logs that have let them go.
func TestAnIdleShardKeepsNoTrimmedSegmentAlive(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 100}})
		c := r.join(topics, "", fake.Unlimited)
		r.settle()
		for n := range 100 {
			r.publish("a", fmt.Sprint(n, large))
		}
		topic := acquire(t, r.table, "a")
		var segments []weak.Pointer[byte]
		var s log.Snapshot
		topic.Snapshot(&s)
		for _, piece := range s.Behind(s.Tail) {
			segments = append(segments, weak.Make(&piece[0]))
		}
		s.Drop()
		r.settle()
		c.sock.Room, c.sock.Got = 50, nil
		r.publish("a", "cut")
		r.settle()
		r.table.EvictOldest()
		r.settle()
		c.sock.Free(fake.Unlimited)
		r.settle()
		r.publish("a", "small")
		r.settle()
		runtime.GC()
		for i, g := range segments {
			if g.Value() != nil {
				t.Fatalf("%s: segment %d of %d is alive", topics, i, len(segments))
			}
		}
		c.sock.HangUp()
		r.settle()
	}
}

// However much there is for others to do, a shard with work gets half of its processor; and where
// they take little, they have their turn after each of its own.
func TestAShardYieldsAsMuchAsItTakes(t *testing.T) {
	for _, others := range []time.Duration{0, 20 * time.Microsecond, 3 * time.Millisecond} {
		r := newRig(t, 1, patient(), topic.Config{})
		s, k := r.shards[0], r.kernel(0)
		const turn = 200 * time.Microsecond
		now := int64(0)
		s.clock, k.Clock, k.Others = func() int64 { return now }, &now, others
		const turns = 1000
		for range turns {
			now += int64(turn)
			s.yield()
		}
		if own, given := turns*turn, time.Duration(k.Yields)*others; given > own+others {
			t.Errorf("others of %v: %v for itself, %v for them", others, own, given)
		}
		if others <= turn && k.Yields != turns {
			t.Errorf("others of %v: %d yields in %d turns", others, k.Yields, turns)
		}
		if k.Yields < turns/20 {
			t.Errorf("others of %v: only %d yields in %d turns", others, k.Yields, turns)
		}
	}
}

// With no place for goroutines beside the shards, a shard makes some at every turn.
func TestACrowdedShardLetsGoroutinesRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := newRig(t, 1, patient(), topic.Config{})
	s := r.shards[0]
	s.crowded = true
	var ran atomic.Bool
	go ran.Store(true)
	for range 1000 { // takes far less than the 10 ms after which it would be interrupted
		if s.yield(); ran.Load() {
			return
		}
	}
	t.Error("a goroutine had no turn in 1,000 yields")
}

// A process that was stopped for minutes does not keep its processor for minutes.
func TestAShardKeepsItsProcessorNoLongerThanTheBound(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	s, k := r.shards[0], r.kernel(0)
	now := int64(0)
	s.clock, k.Clock, k.Others = func() int64 { return now }, &now, 10*time.Minute
	s.yield()
	now += int64(keepMax) - 1
	s.yield()
	if k.Yields != 1 {
		t.Errorf("%d yields just before the bound", k.Yields)
	}
	now++
	s.yield()
	if k.Yields != 2 {
		t.Errorf("%d yields at the bound", k.Yields)
	}
}
