//go:build !race

package shard

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/proto/eventid"
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
	for _, wire := range lasting() {
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
	for _, wire := range lasting() {
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

func TestAnAnswerDoesNotAllocate(t *testing.T) {
	for form, as := range forms {
		table, _ := newTable(topic.Config{Retention: log.Retention{Events: 1000}})
		config, rests := patient(), atomic.Int64{}
		config.OnDone = func(int, any) {}
		s := newShard(0, &config, table, nullKernel{}, restBudget{&rests, 1 << 30}, 0, 1)
		table.Listen(listeners([]*Shard{s}))
		poll := &Poll{Form: as, Wait: time.Hour, Kept: true}
		name, body := []byte("a"), sse.AppendBody(nil, &sse.Event{Data: []byte("x\ny")})
		for range 100 { // the list of subscribers keeps its room
			topic, _ := table.Acquire(name)
			s.admit(&Join{Topic: topic})
		}
		at, err := table.Publish(name, body)
		joins := make([]Join, 100)
		round := func() {
			for k := range joins {
				joins[k] = Join{Wire: WireAnswer, Poll: poll, Resume: log.ResumeAt,
					Position: eventid.PositionOf(at)}
				joins[k].Topic, _ = table.Acquire(name)
				s.admit(&joins[k])
			}
			if at, err = table.Publish(name, body); err != nil {
				t.Fatal(err)
			}
			s.step(0)
		}
		for range 300 {
			round()
		}
		answers := s.stats.Closed[ClosedAnswered].Load()
		got := testing.AllocsPerRun(200, round)
		if n := s.stats.Closed[ClosedAnswered].Load() - answers; n != 100*201 {
			t.Fatalf("%d answers", n)
		}
		if got != 0 {
			t.Errorf("JSON %v: %v allocations for answers to 100 polls", form, got)
		}
	}
}
