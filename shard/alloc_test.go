//go:build !race

package shard

import (
	"strings"
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
	for wire := range wires {
		for _, topics := range []string{"a", "a,b,c"} {
			r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 1000}})
			r.wired(wire, topics, 100)
			r.settle()
			r.mute()
			name, body := []byte("a"), sse.AppendBody(nil, &sse.Event{Data: []byte("x")})
			deliver := func() {
				if _, err := r.table.Publish(name, body); err != nil {
					t.Fatal(err)
				}
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
				t.Errorf("wire %d, %s: %v allocations for an event to 100 streams", wire, topics,
					got)
			}
		}
	}
}

// wired joins streams on a wire.
func (r *rig) wired(wire Wire, topics string, count int) {
	for range count {
		c := &client{r: r, wire: wire, topics: strings.Split(topics, ",")}
		c.connect("", fake.Unlimited, 0)
	}
}

func TestAHeartbeatDoesNotAllocate(t *testing.T) {
	for wire := range wires {
		const topics = "a,b,c"
		r := newRig(t, 1, beating(time.Second), topic.Config{})
		r.wired(wire, topics, 100)
		r.settle()
		r.pass(2 * time.Second)
		r.mute()
		before := r.shards[0].stats.Heartbeats.Load()
		if got := testing.AllocsPerRun(1000, func() {
			r.now += 1 << tickShift
			r.step()
		}); got != 0 {
			t.Errorf("wire %d: %v allocations a turn", wire, got)
		}
		if got := r.shards[0].stats.Heartbeats.Load() - before; got < 1000 {
			t.Errorf("%d heartbeats, want more than 1000", got)
		}
	}
}
