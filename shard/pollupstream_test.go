package shard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A poll waits for its upstream no longer than for an event; then it has the position that is
// known.
func TestAPollWaitsForItsUpstream(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for id, known := range map[string]bool{"": true, "90-0": true, "nonsense": true,
			"earliest": false} {
			r, u := fed(t, patient(), topic.Config{})
			c := &client{topics: strings.Split(topics, ",")}
			if id == "90-0" && topics != "a" {
				id = vector(topics, "90-0", "80-0")
			}
			ask := func() {
				c.r, c.wire, c.wait, c.messages = r, WireAnswer, 20*time.Second, nil
				if id == "earliest" {
					c.connect("", fake.Unlimited, 0)
					r.shards[0].inbox.joins[0].Resume = log.ResumeEarliest
				} else {
					c.connect(id, fake.Unlimited, 0)
				}
				r.settle()
			}
			ask()
			r.pass(19 * time.Second)
			if len(c.sock.Got) > 0 {
				t.Fatalf("%q: was sent %q too early", id, c.sock.Got)
			}
			r.pass(2 * time.Second)
			c.endedWith(ClosedAnswered)
			c.read()
			at := c.unframe.(*unanswer).field.Get("Last-Event-ID")
			if (at != "") != known || strings.HasSuffix(id, "-0") && at != id {
				t.Errorf("%q: the position is %q", id, at)
			}
			ask()
			for _, name := range c.topics {
				u.feeds[name].Place(eventid.After(eventid.ID{MS: 100}), eventid.ID{MS: 95})
				if f := u.feeds[name]; f.last > 0 {
					f.Answer(f.last, eventid.ID{MS: 100})
				}
			}
			r.settle()
			u.feeds["a"].add(101)
			r.settle()
			c.endedWith(ClosedAnswered)
			r.empty()
		}
	}
}

// What only the upstream has comes in answers like everything else, one reading at a time.
func TestAPollIsSentOlderEvents(t *testing.T) {
	for _, form := range []bool{false, true} {
		r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 2}})
		live, feed := placed(r, u)
		feed.add(101, 102, 103, 104)
		r.settle()
		c := &client{topics: []string{"a"}, json: form}
		at, got := "60-0", []string{}
		for range 5 {
			r.poll(c, at, time.Minute)
			for _, read := range feed.reads {
				var older []log.Older
				for ms := eventid.Before(read.From).MS + 10; ms <= 102 && len(older) < 2; ms += 10 {
					older = append(older, log.Older{ID: id(ms), Body: eventBody(ms)})
				}
				read.Got(older)
			}
			feed.reads = nil
			if feed.last > 0 {
				feed.Answer(feed.last, id(50))
			}
			r.settle()
			for _, read := range feed.reads {
				var older []log.Older
				for ms := eventid.Before(read.From).MS + 10; ms <= 102 && len(older) < 2; ms += 10 {
					older = append(older, log.Older{ID: id(ms), Body: eventBody(ms)})
				}
				read.Got(older)
			}
			feed.reads = nil
			r.settle()
			if len(r.ended[c.owner]) == 0 {
				c.sock.HangUp()
				r.settle()
				break
			}
			at = c.answered()
			if form {
				for _, e := range c.elements() {
					got = append(got, e.Data)
				}
			} else {
				got = append(got, c.data()...)
			}
		}
		if want := []string{"70", "80", "90", "100"}; len(got) < 4 || !slices.Equal(got[:4], want) {
			t.Errorf("got %q", got)
		}
		live.sock.HangUp()
		r.empty()
	}
}

// A drain does not wait for an upstream either.
func TestADrainAnswersPollsThatWaitForTheirUpstream(t *testing.T) {
	for _, id := range []string{"", "90-0"} {
		r, _ := fed(t, patient(), topic.Config{})
		c := &client{topics: []string{"a"}}
		r.poll(c, id, time.Hour)
		r.drain(1e6, time.Hour)
		r.pass(100 * time.Millisecond)
		c.endedWith(ClosedDrain)
		c.read()
		u := c.unframe.(*unanswer)
		if at := u.field.Get("Last-Event-ID"); !u.whole() || !u.closes || at == "" ||
			id != "" && at != id || c.state() != stateDrain {
			t.Errorf("%v %q", u.field, c.raw)
		}
		r.empty()
	}
}

// --lifetime bounds a poll, too: it is answered then.
func TestAPollOutlivesNoStream(t *testing.T) {
	config := patient()
	config.Lifetime = 10 * time.Second
	r := newRig(t, 1, config, topic.Config{})
	c := &client{topics: []string{"a"}}
	r.poll(c, "", time.Hour)
	r.pass(11 * time.Second)
	c.answered()
	r.empty()
}
