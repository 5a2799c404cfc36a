package shard

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// drain begins a drain of shard 0 and counts how often it says that it is done.
func (r *rig) drain(rate float64, timeout time.Duration) (done *int) {
	done = new(int)
	r.shards[0].inbox.call(func() { r.shards[0].startDrain(rate, timeout, func() { *done++ }) })
	return done
}

func (r *rig) streams() int { return int(r.shards[0].stats.Streams.Load()) }

func TestADrainKeepsItsRate(t *testing.T) {
	for _, rate := range []float64{0.5, 10, 60} {
		r := newRig(t, 1, patient(), topic.Config{})
		for range 100 {
			r.join("a", "", fake.Unlimited)
		}
		r.settle()
		done := r.drain(rate, time.Hour)
		for seconds := 1; r.streams() > 0; seconds++ {
			r.pass(time.Second)
			closed, want := float64(100-r.streams()), rate*float64(seconds)
			if closed > want+1 || closed < min(want-1, 100) {
				t.Fatalf("%v a second: %v streams closed after %d s", rate, closed, seconds)
			}
			if *done != 0 && r.streams() > 0 {
				t.Fatal("done before the end")
			}
		}
		r.pass(10 * time.Second)
		if *done != 1 {
			t.Errorf("done was called %d times", *done)
		}
		r.empty()
	}
}

// A shard that was busy for long has not saved up more than a second's worth.
func TestADrainDoesNotMakeUpForLostTime(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	for range 100 {
		r.join("a", "", fake.Unlimited)
	}
	r.drain(10, time.Hour)
	r.settle()
	r.now += int64(time.Minute)
	r.turn()
	if got := 100 - r.streams(); got > 11 {
		t.Errorf("%d streams closed in one turn at 10 a second", got)
	}
}

func TestADrainedStreamHasEverythingAndATimeToComeBack(t *testing.T) {
	for _, topics := range []string{"a", "b,a"} {
		r := newRig(t, 1, budgeted(3), topic.Config{}) // the pass is slower than the drain
		var all []*client
		seen := map[int64]bool{}
		for range 50 {
			all = append(all, r.join(topics, "", fake.Unlimited))
		}
		r.settle()
		r.drain(1000, time.Hour)
		r.turn()
		all[0].endedWith(ClosedDrain)
		r.publish("a", "1")
		r.publish("a", "2")
		r.now += int64(time.Second)
		r.turn()
		for _, c := range all[1:] {
			c.endedWith(ClosedDrain)
			c.want("1", "2")
			ms, _ := c.decoder.RetryMS()
			if !bytes.HasSuffix(c.raw,
				fmt.Appendf(nil, "\n\nevent: ssedge\nretry: %d\ndata: {\"state\":\"drain\"}\n\n",
					ms)) || ms < 2000 || ms > 3000 {
				t.Fatalf("the stream ends with %q", c.raw)
			}
			seen[ms] = true
		}
		if len(seen) < 20 {
			t.Errorf("50 streams come back at %d different times", len(seen))
		}
		r.empty()
	}
}

func TestADrainWaitsForFullSocketsUntilItsDeadline(t *testing.T) {
	for _, topics := range []string{"a", "b,a"} {
		r := newRig(t, 1, patient(), topic.Config{})
		never, later, inRetry := r.blocked(topics), r.blocked(topics), r.blocked(topics)
		inRetry.sock.Room = len("data: x\nid: 1000000-1\n\n") + 6
		if topics != "a" {
			inRetry.sock.Room = len("data: x\nid: 1.rmwlpv.lfls-0.lfls-1\n\n") + 6
		}
		r.publish("a", "x")
		r.settle()
		done := r.drain(100, 30*time.Second)
		r.pass(10 * time.Second)
		if r.streams() != 3 || *done != 0 {
			t.Fatalf("%s: %d streams left, done %d", topics, r.streams(), *done)
		}
		later.sock.Free(fake.Unlimited)
		inRetry.sock.Free(fake.Unlimited)
		r.pass(time.Second)
		later.endedWith(ClosedDrain)
		later.want("x")
		inRetry.endedWith(ClosedDrain)
		inRetry.want("x")
		r.pass(18900 * time.Millisecond)
		if never.sock.Closed {
			t.Fatal("closed before the deadline")
		}
		r.pass(200 * time.Millisecond)
		never.endedWith(ClosedShutdown)
		if *done != 1 {
			t.Errorf("done was called %d times", *done)
		}
		r.empty()
	}
}

func TestADrainOfNothingIsDoneAtOnce(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	done := r.drain(1, time.Hour)
	r.turn()
	if *done != 1 {
		t.Errorf("done was called %d times", *done)
	}
	if wait := r.shards[0].step(r.now); wait >= 0 {
		t.Errorf("the shard wakes up again after %v", wait)
	}
}

func TestADrainingShardWakesUpInTime(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	for range 10 {
		r.join("a", "", fake.Unlimited)
	}
	r.drain(20, time.Hour)
	begin, turns := r.now, 0
	for ; r.streams() > 0 || turns == 0; turns++ {
		wait := r.shards[0].step(r.now)
		if r.streams() > 0 && (wait <= 0 || wait > 100*time.Millisecond) {
			t.Fatalf("waits %v between streams that end every 50 ms", wait)
		}
		r.now += int64(max(wait, 1))
	}
	if took := time.Duration(r.now - begin); took < 400*time.Millisecond ||
		took > 600*time.Millisecond || turns > 30 {
		t.Errorf("10 streams at 20 a second took %v and %d turns", took, turns)
	}
}
