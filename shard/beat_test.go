package shard

import (
	"strings"
	"testing"
	"time"

	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

func beating(every time.Duration) Config {
	c := patient()
	c.Heartbeat = every
	return c
}

// beats counts the heartbeats that a client has got.
func (c *client) beats() int {
	c.r.t.Helper()
	c.read()
	return strings.Count(string(c.raw), "\n:")
}

func TestSilentStreamsGetHeartbeatsAndOthersNone(t *testing.T) {
	const every = 16 * time.Second
	for _, topics := range []string{"silent", "silent,other"} {
		r := newRig(t, 1, beating(every), topic.Config{})
		silent, busy := r.join(topics, "", fake.Unlimited), r.join("busy", "", fake.Unlimited)
		r.pass(every) // the first beats come at any time
		was, wasBusy := silent.beats(), busy.beats()
		for range 20 {
			r.pass(every / 2)
			r.publish("busy", "x")
			r.settle()
		}
		if got := silent.beats() - was; got < 10 || got > 12 { // every 14 to 16 s
			t.Errorf("%s: %d heartbeats in ten intervals", topics, got)
		}
		if got := busy.beats() - wasBusy; got > 1 {
			t.Errorf("%d heartbeats to a stream that got an event every 8 s", got)
		}
		was = silent.beats()
		gap := 0
		for range 100 {
			r.pass(time.Second)
			if gap++; silent.beats() > was {
				was, gap = silent.beats(), 0
			}
			if gap > 16 {
				t.Fatalf("%s: nothing was sent for %d s", topics, gap)
			}
		}
		if got := int(r.shards[0].stats.Heartbeats.Load()); got != silent.beats()+busy.beats() {
			t.Errorf("%d heartbeats counted, %d seen", got, silent.beats()+busy.beats())
		}
	}
}

// Streams that come together, and that an event reaches together, do not beat together.
func TestHeartbeatsAreSpread(t *testing.T) {
	const every, streams = 32 * time.Second, 3200
	r := newRig(t, 1, beating(every), topic.Config{})
	for range streams {
		r.join("a", "", fake.Unlimited)
	}
	r.settle()
	count := func() uint64 { return r.shards[0].stats.Heartbeats.Load() }
	for second := range 32 {
		before := count()
		r.pass(time.Second)
		if got := count() - before; got < 40 || got > 200 {
			t.Fatalf("%d first heartbeats in second %d, want about 100", got, second)
		}
	}
	r.publish("a", "x")
	r.settle()
	before := count()
	r.pass(every - every/beatSpread - 100*time.Millisecond - beatBatch<<tickShift)
	if count() != before {
		t.Fatalf("%d heartbeats long before they are due", count()-before)
	}
	for range 4 {
		before := count()
		r.pass(time.Second)
		if got := count() - before; got < streams/8 || got > streams/2 {
			t.Fatalf("%d heartbeats in a second after an event to all, want about %d", got,
				streams/4)
		}
	}
}

func TestABlockedStreamGetsNoHeartbeat(t *testing.T) {
	r := newRig(t, 1, beating(10*time.Second), topic.Config{})
	c := r.blocked("a")
	r.publish("a", "x")
	r.settle()
	sends := r.kernel(0).Sends
	r.pass(time.Minute)
	if got := r.kernel(0).Sends - sends; got != 0 {
		t.Errorf("%d sends to a blocked stream", got)
	}
	was := c.beats()
	c.sock.Free(fake.Unlimited)
	r.settle()
	c.want("x")
	r.pass(11 * time.Second)
	if c.beats() == was {
		t.Error("no heartbeat after it was unblocked")
	}
}

// A heartbeat that the socket takes none or part of is finished first.
func TestAHeartbeatIsCutAtEveryByte(t *testing.T) {
	for room := range 4 {
		r := newRig(t, 1, beating(10*time.Second), topic.Config{})
		c := r.blocked("a")
		c.sock.Room = room
		r.pass(11 * time.Second)
		r.publish("a", "x")
		r.settle()
		c.sock.Free(fake.Unlimited)
		r.settle()
		c.want("x")
		if c.beats() == 0 {
			t.Errorf("cut at %d: no heartbeat", room)
		}
		c.sock.HangUp()
		r.empty()
	}
}

// Between its deadlines a shard sleeps, and the kernel hears nothing from it.
func TestIdleStreamsCostOnlyTheirHeartbeats(t *testing.T) {
	const every = 20 * time.Second
	r := newRig(t, 1, beating(every), topic.Config{})
	for range 10 {
		r.join("a", "", fake.Unlimited)
		r.join("a,b", "", fake.Unlimited)
	}
	r.settle()
	r.pass(every)
	calls, beats := r.kernel(0).Calls, r.shards[0].stats.Heartbeats.Load()
	turns := 0
	for end := r.now + int64(10*every); r.now < end; turns++ {
		wait := r.shards[0].step(r.now)
		if wait <= 0 {
			t.Fatalf("with heartbeats to come the shard waits %v", wait)
		}
		r.now += int64(wait)
	}
	beats = r.shards[0].stats.Heartbeats.Load() - beats
	if got := uint64(r.kernel(0).Calls - calls); got != beats || beats < 200 || beats > 250 {
		t.Errorf("%d calls of the kernel for %d heartbeats, want 200 to 250", got, beats)
	}
	if turns > 3*int(beats) {
		t.Errorf("%d turns for %d heartbeats", turns, beats)
	}
}

func TestWithoutDeadlinesAShardSleepsForEver(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	r.join("a", "", fake.Unlimited)
	r.settle()
	if wait := r.shards[0].step(r.now); wait >= 0 {
		t.Errorf("waits %v", wait)
	}
}
