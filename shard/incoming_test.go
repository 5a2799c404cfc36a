package shard

import (
	"fmt"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// Whatever comes through the inbox, a turn does no more of it than its budget, and all of it is
// done in the end.
func TestATurnTakesNoMoreLettersThanItsBudget(t *testing.T) {
	c := patient()
	c.TurnSends = 16
	const many = 20 * 16

	t.Run("Calls", func(t *testing.T) {
		r := newRig(t, 1, c, topic.Config{})
		s, called := r.shards[0], 0
		for k := range many {
			s.inbox.call(func() {
				if called != k {
					t.Errorf("call %d is made before call %d", k, called)
				}
				called++
				s.sends++ // each sends something
			})
		}
		for before := 0; called < many; before = called {
			if r.turn() && called < many {
				t.Fatalf("the shard is idle after %d calls of %d", called, many)
			}
			if n := called - before; n < 1 || n > c.TurnSends {
				t.Fatalf("%d calls in one turn", n)
			}
		}
		r.settle()
	})

	// All streams there may be can wait for one topic.
	t.Run("Answers", func(t *testing.T) {
		r, u := fed(t, c, topic.Config{})
		var all []*client
		for range 10 * many {
			all = append(all, r.join("a", "", fake.Unlimited))
		}
		r.settle()
		s := r.shards[0]
		u.feeds["a"].Place(eventid.After(id(100)), id(50))
		looks := c.TurnSends * looksPerSend
		for waiting := len(s.waits); waiting > 0; waiting = len(s.waits) {
			was := len(s.retries)
			if r.turn() && len(s.waits) > 0 {
				t.Fatalf("the shard is idle while %d streams wait", len(s.waits))
			}
			if begun := waiting - len(s.waits); begun > c.TurnSends || len(s.retries)-was > looks {
				t.Fatalf("%d streams begin in one turn, and %d are to be looked at", begun,
					len(s.retries)-was)
			}
		}
		r.settle()
		for _, c := range all {
			c.sock.HangUp()
		}
		r.empty()
	})

	t.Run("CallsBehindTheEnd", func(t *testing.T) { // their callers wait
		r := newRig(t, 1, c, topic.Config{})
		s, called := r.shards[0], 0
		s.inbox.call(s.stop)
		for range many {
			s.inbox.call(func() { called++; s.sends++ })
		}
		s.step(r.now)
		if called != many {
			t.Errorf("%d of %d calls are made when the shard ends", called, many)
		}
	})
}

// What a storm has needed goes with it.
func TestMemoryOfAStormGoesWithIt(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	var all []*client
	const streams = 2000
	for i := range streams {
		all = append(all, r.join(fmt.Sprintf("a%d,b%d", i, i), "", fake.Unlimited))
	}
	r.settle()
	for _, c := range all {
		c.sock.HangUp()
	}
	r.settle()
	s := r.shards[0]
	if cap(s.bundles)+cap(s.freeBundles)+len(s.states.chunks)+cap(s.states.free) != 0 {
		t.Errorf("room for %d bundles and %d states is kept", cap(s.bundles),
			len(s.states.chunks)*stateChunk)
	}
	r.join("a,b", "", fake.Unlimited).sock.HangUp() // all begins anew
	r.settle()
	r.empty()
}
