package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// blocked is a stream that is open, has nothing to catch up with and a full socket.
func (r *rig) blocked(topics string) *client {
	r.t.Helper()
	c := r.join(topics, "", fake.Unlimited)
	r.settle()
	c.read()
	c.sock.Room = 0
	return c
}

func byPolicy(p Policy) Config {
	c := patient()
	c.Policy = func(string) Policy { return p }
	return c
}

// overrun publishes n events of a topic of which 3 are retained, one a turn.
func (r *rig) overrun(topic string, n int) (ids []eventid.ID) {
	r.t.Helper()
	for k := range n {
		ids = append(ids, r.publish(topic, fmt.Sprintf("%s%d", topic, k)))
		r.settle()
	}
	return ids
}

// wantGap checks the nth message to be a gap of those bounds.
func (c *client) wantGap(n int, topic, from, to, cause string) {
	c.r.t.Helper()
	g := parseGap(c.r.t, c.messages[n])
	if g.Topic != topic || g.From == nil || *g.From != from || g.To == nil || *g.To != to ||
		g.Cause != cause {
		c.r.t.Errorf("gap %s, want %s from %s to %s by %s", c.messages[n].Data, topic, from, to,
			cause)
	}
}

// last is the position of topic k in the last id that a client has.
func (c *client) last(k int) string {
	j := c.request(c.decoder.LastEventID())
	for _, topic := range append(j.More, j.Topic) {
		if topic != nil {
			c.r.table.Release(topic)
		}
	}
	if j.More != nil {
		return j.Positions[k].String()
	}
	return j.Position.String()
}

func TestASlowConsumerIsToldWhatItMissed(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		topics string
		want   string
	}{
		{PolicyGap, "a", "gap:overrun a7 a8 a9"},
		{PolicyGap, "b,a", "gap:overrun a7 a8 a9"},
		{PolicyLatest, "a", "gap:overrun a9"},
		{PolicyLatest, "b,a", "gap:overrun a9"},
	} {
		r := newRig(t, 1, byPolicy(c.policy), topic.Config{Retention: log.Retention{Events: 3}})
		cl := r.blocked(c.topics)
		from := cl.last(strings.Count(c.topics, ","))
		ids := r.overrun("a", 10)
		cl.sock.Free(fake.Unlimited)
		r.settle()
		cl.want(strings.Fields(c.want)...)
		to := ids[6]
		if c.policy == PolicyLatest {
			to = ids[8]
		}
		cl.wantGap(0, "a", from, to.String(), "overrun")
		// The id of the gap itself resumes right behind it.
		again := r.join(c.topics, cl.messages[0].LastEventID, fake.Unlimited)
		r.settle()
		again.want(strings.Fields(c.want)[1:]...)
		r.publish("a", "live")
		r.settle()
		cl.want(append(strings.Fields(c.want), "live")...)
	}
}

func TestPolicyCloseEndsASlowConsumer(t *testing.T) {
	for _, topics := range []string{"a", "b,a"} {
		r := newRig(t, 1, byPolicy(PolicyClose), topic.Config{Retention: log.Retention{Events: 3}})
		c := r.blocked(topics)
		r.overrun("a", 3)
		behind := r.blocked(topics)
		r.overrun("a", 2)
		c.sock.Free(fake.Unlimited)
		behind.sock.Free(fake.Unlimited)
		r.settle()
		c.endedWith(ClosedSlowConsumer)
		c.want()
		behind.want("a0", "a1")
	}
}

// Under policy latest a stream that was blocked goes on with the newest event even
// if the log has them all; one that was not gets every event.
func TestPolicyLatestConflates(t *testing.T) {
	for _, topics := range []string{"a", "b,a"} {
		r := newRig(t, 1, byPolicy(PolicyLatest), topic.Config{})
		slow := r.blocked(topics)
		fast := r.join(topics, "", fake.Unlimited)
		r.settle()
		fast.read()
		from := slow.last(strings.Count(topics, ","))
		ids := r.overrun("a", 5)
		slow.sock.Free(fake.Unlimited)
		r.settle()
		slow.want("gap:conflated", "a4")
		slow.wantGap(0, "a", from, ids[3].String(), "conflated")
		fast.want("a0", "a1", "a2", "a3", "a4")
		if slow.decoder.LastEventID() != fast.decoder.LastEventID() {
			t.Errorf("the last ids are %q and %q", slow.decoder.LastEventID(),
				fast.decoder.LastEventID())
		}
		slow.sock.Room = 0
		r.publish("a", "one")
		r.settle()
		slow.sock.Free(fake.Unlimited)
		r.settle()
		slow.want("gap:conflated", "a4", "one") // nothing to leave out
	}
}

// Under policy latest the newest event comes even if gaps follow it, and the gap over what was
// skipped holds the events of both sides of a fork.
func TestPolicyLatestOverLossesAndForks(t *testing.T) {
	for _, topics := range []string{"a", "b,a"} {
		for _, overrun := range []bool{false, true} {
			c, tc := patient(), topic.Config{}
			c.Policy = func(string) Policy { return PolicyLatest }
			if overrun {
				tc.Retention.Events = 3
			}
			r, u := fed(t, c, tc)
			slow := r.join(topics, "", fake.Unlimited)
			r.settle()
			for _, f := range u.feeds {
				f.Place(eventid.After(id(100)), id(50))
			}
			r.settle()
			feed := u.feeds["a"]
			feed.add(101)
			r.settle()
			slow.data()
			slow.messages = nil
			slow.sock.Room = 0
			feed.add(102)
			r.settle()
			feed.add(130)
			feed.Fork(id(102))
			feed.add(103, 104)
			feed.Lose(id(105), false) // behind the newest event there is only a gap
			r.settle()
			slow.sock.Free(fake.Unlimited)
			r.settle()
			got := slow.data()
			if got[0] == "102" { // half of it had been sent
				got = got[1:]
			}
			if want := []string{"gap:conflated", "104", "gap:missed"}; overrun && len(got) != 3 ||
				!overrun && !slices.Equal(got, want) || got[1] != "104" {
				t.Errorf("%s, overrun %t: it got %q", topics, overrun, got)
			}
			for _, m := range slow.messages {
				if m.Event != "gap" {
					continue
				}
				if g := parseGap(t, m); g.Cause != "missed" && text(g.To) != "130-0" {
					t.Errorf("%s, overrun %t: 130 is missing, and the gap is told as %s", topics,
						overrun, m.Data)
				}
			}
		}
	}
}

// A gap is told between whole events: what was half-sent when the log overran is finished first.
func TestAHalfSentEventIsFinishedBeforeTheGap(t *testing.T) {
	for _, policy := range []Policy{PolicyGap, PolicyLatest} {
		for _, topics := range []string{"a", "b,a"} {
			for room := 1; room < 20; room++ {
				r := newRig(t, 1, byPolicy(policy),
					topic.Config{Retention: log.Retention{Events: 3}})
				c := r.blocked(topics)
				c.sock.Room = room
				r.overrun("a", 8)
				c.sock.Free(fake.Unlimited)
				r.settle()
				want := "a0 gap:overrun a5 a6 a7"
				if policy == PolicyLatest {
					want = "a0 gap:overrun a7"
				}
				c.want(strings.Fields(want)...)
			}
		}
	}
}

func TestAnEvictionIsToldAsOne(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{HistoryMax: 5000})
	c := r.blocked("a")
	r.overrun("a", 3)
	*r.wall += 2000
	r.publish("big", strings.Repeat("x", 4900))
	r.settle()
	r.publish("a", "after")
	r.settle()
	c.sock.Free(fake.Unlimited)
	r.settle()
	c.want("gap:evicted", "after")
	if got := r.shards[0].stats.Gaps[log.GapEvicted].Load(); got != 1 {
		t.Errorf("%d gaps counted as evictions, want 1", got)
	}
}

func TestAResumeUnderPolicyLatestGoesOnWithTheNewest(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, byPolicy(PolicyLatest), topic.Config{Retention: log.Retention{Events: 3}})
		ids := r.overrun("a", 6)
		old := ids[0].String()
		if topics != "a" {
			old = vector(topics, old, "1000000-0")
		}
		c := r.join(topics, old, fake.Unlimited)
		r.settle()
		c.want("gap:expired", "a5")
		c.wantGap(0, "a", ids[0].String(), ids[4].String(), "expired")
	}
}
