package shard

import (
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// rewound joins a client that wants the newest n events of each topic.
func (r *rig) rewound(wire Wire, topics string, n int) *client {
	c := &client{r: r, wire: wire, topics: strings.Split(topics, ",")}
	c.connect("", fake.Unlimited, 0)
	joins := r.shards[0].inbox.joins
	joins[len(joins)-1].Resume, joins[len(joins)-1].Newest = log.ResumeNewest, n
	r.settle()
	return c
}

func TestAStreamBeginsWithTheNewestEvents(t *testing.T) {
	for wire := range wires {
		for topics, want := range map[string][][]string{
			"a":   {{}, {"a3"}, {"a2", "a3"}, {"a1", "a2", "a3"}, {"a1", "a2", "a3"}},
			"a,b": {{}, {"a3", "b1"}, {"a2", "a3", "b1"}},
		} {
			for n, data := range want {
				r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 3}})
				for _, e := range []string{"a0", "a1", "b1", "a2", "a3"} {
					r.publish(e[:1], e)
				}
				c := r.rewound(wire, topics, n)
				if n > 0 {
					got := c.data()
					if strings.HasPrefix(strings.Join(got, " "), "b") { // any topic may be first
						got = append(got[1:], got[0])
					}
					if strings.Join(got, " ") != strings.Join(data, " ") {
						t.Errorf("wire %d, %s, rewind %d: got %q, expected %q", wire, topics, n,
							got, data)
					}
					if c.state() != stateResumed {
						t.Errorf("it begins as %q", c.state())
					}
				}
				if wire != WireAnswer || n == 0 {
					c.sock.HangUp()
				}
				r.empty()
			}
		}
	}
}

// With an upstream the log is extended first, if it has fewer than are wanted.
func TestRewindAsksTheUpstream(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	live, feed := placed(r, u)
	feed.add(101)
	r.settle()
	c := r.rewound(WireRaw, "a", 1)
	c.want("101")
	c = r.rewound(WireRaw, "a", 2)
	c.want()
	if len(feed.asks) != 1 {
		t.Fatalf("asked %v", feed.asks)
	}
	feed.prepend(80, 90, 100)
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	c.want("100", "101")
	c = r.rewound(WireRaw, "a", 10) // the upstream has no more
	feed.Answer(feed.last, id(80))
	r.settle()
	c.want("90", "100", "101")
	for _, c := range r.net.Sockets {
		if c != nil {
			c.HangUp()
		}
	}
	_ = live
	r.empty()
}
