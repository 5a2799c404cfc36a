//go:build !race

package shard

import (
	"testing"
	"time"

	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// mute makes the sockets of a rig forget what they are sent, without allocating.
func (r *rig) mute() {
	for _, s := range r.net.Sockets {
		s.Got = make([]byte, 0, 1<<20)
	}
}

func (r *rig) emptySockets() {
	for _, s := range r.net.Sockets {
		s.Got = s.Got[:0]
	}
}

// step is a turn of shard 0 as run makes it.
func (r *rig) step() {
	s := r.shards[0]
	s.poll(0)
	s.step(r.now)
	r.emptySockets()
}

func TestADeliveredEventDoesNotAllocate(t *testing.T) {
	for _, topics := range []string{"a", "a,b,c"} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 1000}})
		for range 100 {
			r.join(topics, "", fake.Unlimited)
		}
		r.settle()
		r.mute()
		name, body := []byte("a"), sse.AppendBody(nil, &sse.Event{Data: []byte("x")})
		deliver := func() {
			r.table.Publish(name, body)
			r.step()
		}
		for range 3000 {
			deliver()
		}
		sends := r.kernel(0).Sends
		got := testing.AllocsPerRun(1000, deliver)
		if r.kernel(0).Sends-sends < 100*1000 {
			t.Fatal("nothing was delivered")
		}
		// Rounded down: the log itself takes a segment for every 64 KB.
		if got != 0 {
			t.Errorf("%s: %v allocations for an event to 100 streams", topics, got)
		}
		if got := testing.AllocsPerRun(1000, func() {
			if _, err := r.table.Publish(name, body); err != nil {
				t.Fatal(err)
			}
			r.step()
		}); got != 0 {
			t.Errorf("%s: %v allocations for a publish by name", topics, got)
		}
	}
}

func TestAHeartbeatDoesNotAllocate(t *testing.T) {
	for _, topics := range []string{"a", "a,b,c"} {
		r := newRig(t, 1, beating(time.Second), topic.Config{})
		for range 100 {
			r.join(topics, "", fake.Unlimited)
		}
		r.settle()
		r.pass(2 * time.Second)
		r.mute()
		before := r.shards[0].stats.Heartbeats.Load()
		if got := testing.AllocsPerRun(1000, func() {
			r.now += 1 << tickShift
			r.step()
		}); got != 0 {
			t.Errorf("%s: %v allocations a turn", topics, got)
		}
		if got := r.shards[0].stats.Heartbeats.Load() - before; got < 1000 {
			t.Errorf("%d heartbeats, want more than 1000", got)
		}
	}
}
