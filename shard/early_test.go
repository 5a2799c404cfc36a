package shard

import (
	"testing"
	"time"

	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A stream that ends before it was answered anything is answered by its reason, and nothing of
// chunks. If its client has gone, there is nothing to say.
func TestStreamsThatEndBeforeTheyBegin(t *testing.T) {
	c := patient()
	c.Lifetime = headDelay << tickShift / 2
	for _, wire := range lasting() {
		for reason, end := range map[CloseReason]func(*rig, *client){
			ClosedDrain: func(r *rig, _ *client) { r.drain(1e6, time.Hour) },
			ClosedShutdown: func(r *rig, _ *client) {
				r.shards[0].inbox.call(func() { r.shards[0].stop() })
			},
			ClosedMaxLifetime: func(r *rig, _ *client) { r.pass(c.Lifetime) },
			ClosedClientGone:  func(_ *rig, c *client) { c.sock.HangUp() },
		} {
			r, _ := fed(t, c, topic.Config{})
			c := &client{r: r, topics: []string{"a"}, wire: wire}
			c.connect("", fake.Unlimited, 0)
			r.settle()
			if len(c.sock.Got) != 0 {
				t.Fatalf("it was sent %q", c.sock.Got)
			}
			end(r, c)
			r.settle()
			c.endedWith(reason)
			if got, want := string(c.sock.Got), string(early[reason]); got != want ||
				!c.sock.Closed {
				t.Errorf("wire %d: sent %q, expected %q; closed: %v", wire, got, want,
					c.sock.Closed)
			}
		}
	}
}

// TestEveryReasonHasItsAnswer, whatever path a stream is ended by.
func TestEveryReasonHasItsAnswer(t *testing.T) {
	for _, reason := range CloseReasons() {
		r, _ := fed(t, patient(), topic.Config{})
		c := r.join("a", "", fake.Unlimited)
		r.settle()
		s := r.shards[0]
		s.close(0, s.slots.at(0), reason)
		if got := string(c.sock.Got); got != string(early[reason]) {
			t.Errorf("%v: sent %q", reason, got)
		}
		c.endedWith(reason)
	}
}
