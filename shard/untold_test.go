package shard

import (
	"slices"
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A gap over an event that never came has no id of its own. A stream that comes back with the id
// before it may have left before it was told, so it is told of all such gaps in one.
func TestALostEventIsToldToStreamsThatComeBack(t *testing.T) {
	for _, lost := range [][]uint64{{102}, {102, 110}, {110, 102}, {95}, {110, 95}} {
		r, u := fed(t, patient(), topic.Config{})
		c, feed := placed(r, u)
		feed.add(101)
		for _, ms := range lost {
			feed.Lose(id(ms), false)
		}
		r.settle()
		c.want(append([]string{"101"}, slices.Repeat([]string{"gap:missed"}, len(lost))...)...)
		before := c.decoder.LastEventID()
		feed.add(104, 105)
		r.settle()
		for last, want := range map[string]string{before: "gap:missed 104 105",
			"100-0": strings.Repeat("gap:missed ", len(lost)) + "104 105", "104-0": "105"} {
			again := r.join("a", last, fake.Unlimited)
			r.settle()
			if last == "100-0" {
				want = "101 " + want
			}
			again.want(strings.Fields(want)...)
			if last == before {
				g := parseGap(t, again.messages[0])
				if text(g.To) != id(slices.Max(lost)).String() || g.From != nil {
					t.Errorf("of %v lost, a stream at %s is told from %q to %q", lost, last,
						text(g.From), text(g.To))
				}
			}
		}
	}
}

// The gap may be let go, by retention or by eviction: a stream that resumes there is told all the
// same.
func TestALostEventIsToldAfterItsGapWasLetGo(t *testing.T) {
	for name, letGo := range map[string]func(r *rig, f *fakeFeed){
		"retention": func(r *rig, f *fakeFeed) {},
		"eviction":  func(r *rig, f *fakeFeed) { r.table.EvictOldest() },
		"evictions": func(r *rig, f *fakeFeed) {
			r.table.EvictOldest()
			f.Lose(id(103), false)
			r.table.EvictOldest()
		},
	} {
		r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 1}})
		_, feed := placed(r, u)
		feed.add(101)
		feed.Lose(id(102), false)
		letGo(r, feed)
		r.settle()
		feed.add(104)
		r.settle()
		again := r.join("a", "101-0", fake.Unlimited)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		again.data()
		if len(again.messages) != 2 || again.messages[0].Event != "gap" ||
			again.messages[1].Data != "104" {
			t.Errorf("%s: it is told %+v, expected a gap and 104", name, again.messages)
		}
	}
}

// An event is lost on a topic that had none: a stream from an earlier time is told, once it is
// known that nothing was between.
func TestALostEventOnATopicWithoutEvents(t *testing.T) {
	r, feed, _ := empty(t, topic.Config{})
	feed.Lose(id(710), false)
	feed.add(720)
	r.settle()
	c := r.join("a", "650", fake.Unlimited)
	r.settle()
	feed.Prepend(nil, eventid.Before(eventid.At(650)), eventid.Before(eventid.At(700)))
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	c.want("gap:missed", "720")
}

// What is read behind a lost event may be older: an id of it, given by another node, says nothing
// of the lost event. What comes later does.
func TestALostEventAmongOlderOnes(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(101)
	feed.Lose(id(90), true)
	feed.add(102, 103)
	r.settle()
	during := r.join("a", "102-0", fake.Unlimited)
	r.settle()
	during.want("gap:missed", "103")
	feed.CaughtUp()
	feed.add(104)
	r.settle()
	for last, want := range map[string]string{"101-0": "gap:missed 102 103 104",
		"102-0": "gap:missed 103 104", "103-0": "gap:missed 104", "104-0": ""} {
		again := r.join("a", last, fake.Unlimited)
		r.settle()
		again.want(strings.Fields(want)...)
	}
}

// A history that goes back once more may bring events older than what was lost before: their ids
// prove nothing of that.
func TestALostEventBeforeAFork(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(101, 102)
	feed.Lose(id(110), false)
	feed.add(111)
	feed.Fork(id(101))
	feed.add(105, 112)
	feed.CaughtUp()
	feed.add(113)
	r.settle()
	for last, want := range map[string]string{"111-0": "gap:missed 105 112 113",
		"105-0": "gap:missed 112 113", "112-0": "gap:missed 113", "113-0": ""} {
		again := r.join("a", last, fake.Unlimited)
		r.settle()
		again.want(strings.Fields(want)...)
	}
}

// The upstream goes on with a history that has nothing in common with the log, and is older in
// parts: an id of it does not say that its client has what the log had before.
func TestAHistoryOfWhichNothingIsKnown(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(150, 151)
	feed.Skip(eventid.ID{}, id(59))
	feed.add(60, 61, 160)
	r.settle()
	for last, want := range map[string]string{"60-0": "gap:missed 61 160", "61-0": "gap:missed 160",
		"160-0": "", "151-0": "gap:missed 60 61 160"} {
		c := r.join("a", last, fake.Unlimited)
		r.settle()
		c.want(strings.Fields(want)...)
		if strings.HasPrefix(want, "gap:missed 61") {
			if g := parseGap(t, c.messages[0]); g.From != nil || text(g.To) != "151-0" {
				t.Errorf("it is told %s", c.messages[0].Data)
			}
		}
	}
}
