package shard

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// The log still has events that the upstream has forgotten: streams that lack them get them, and no
// gap is told.
func TestForgottenEventsGoToStreamsThatLackThem(t *testing.T) {
	for _, after := range []uint64{150, 103} {
		// by a clock that goes on, and by one that has gone back
		r, u := fed(t, patient(), topic.Config{})
		there, feed := placed(r, u)
		feed.add(101, 102)
		r.settle()
		there.want("101", "102")
		slow := r.join("a", "101-0", fake.Unlimited)
		r.settle()
		slow.sock.Room = 0
		feed.add(110, 120)
		r.settle()
		feed.Fork(id(102))
		feed.add(after)
		r.settle()
		want := []string{"110", "120", eventid.ID{MS: after}.String()[:3]}
		slow.sock.Free(fake.Unlimited)
		r.settle()
		slow.want(append([]string{"102"}, want...)...)
		there.want(append([]string{"101", "102"}, want...)...)
		for last, rest := range map[string][]string{"102-0": want, "110-0": want[1:],
			"120-0": want[2:], there.decoder.LastEventID(): nil} {
			again := r.join("a", last, fake.Unlimited)
			r.settle()
			again.want(rest...)
		}
	}
}

// A gap's range can hold what is missing on either side of a fork.
func TestGapsOverAFork(t *testing.T) {
	for _, c := range []struct{ stands, from, to string }{
		{"101-0", "101-0", "120-0"}, // before the fork: what was forgotten, and what followed
		{"110-0", "", "120-0"},      // on the side that was forgotten: what followed has lower ids
	} {
		r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 2}})
		_, feed := placed(r, u)
		feed.add(101, 110)
		stream := r.join("a", c.stands, fake.Unlimited)
		r.settle()
		stream.data()
		stream.messages = nil
		stream.sock.Room = 0
		feed.add(120)
		feed.Fork(id(101))
		feed.add(102, 103, 104)
		r.settle()
		stream.sock.Free(fake.Unlimited)
		r.settle()
		stream.data()
		for _, m := range stream.messages {
			if m.Event != "gap" {
				continue
			}
			g := parseGap(t, m)
			if from := text(g.From); c.stands == "110-0" && from != c.from || text(g.To) != c.to {
				t.Errorf("a stream at %s is told %s", c.stands, m.Data)
			}
		}
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// A gap's range is never empty, whatever ids are skipped.
func TestNoGapIsOfNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	some := func() eventid.ID {
		return []eventid.ID{{}, id(100), id(110), {MS: 105, Seq: math.MaxUint64},
			{MS: 110, Seq: 3}}[rng.IntN(5)]
	}
	for range 200 {
		r, u := fed(t, patient(), topic.Config{})
		c, feed := placed(r, u)
		feed.add(105)
		from, to := some(), some()
		feed.Skip(from, to)
		r.settle()
		c.data()
		g := parseGap(t, c.messages[len(c.messages)-1])
		if g.From == nil || g.To == nil {
			continue
		}
		first, _ := eventid.ParsePosition([]byte(*g.From))
		last, _ := eventid.ParsePosition([]byte(*g.To))
		if !eventid.Before(first).Less(eventid.Before(last)) {
			t.Fatalf("what is missing from %v to %v is told as %s", from, to,
				c.messages[len(c.messages)-1].Data)
		}
	}
}

// A time at which a topic was empty says nothing of events below it, once they have been let go: a
// stream that had that time before they came is told, even if the upstream's stream began anew
// behind them.
func TestATimeAboveEventsThatWereLetGo(t *testing.T) {
	r, feed, c := empty(t, topic.Config{Retention: log.Retention{Events: 3}})
	began := c.decoder.LastEventID()
	feed.add(300, 301, 302, 303, 304)
	feed.Skip(eventid.ID{}, eventid.Before(eventid.At(800)))
	feed.add(800)
	r.settle()
	again := r.join("a", began, fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	for len(feed.reads) > 0 { // the upstream has them no longer either
		feed.reads[0].Got(nil)
		feed.reads = feed.reads[1:]
		r.settle()
	}
	again.data()
	if len(again.messages) == 0 || again.messages[0].Event != "gap" {
		t.Fatalf("it is told %+v: expected a gap, since 300 to 302 are gone", again.messages)
	}
}

// The upstream's stream began anew behind events that are older than a time at which the topic was
// empty, by their ids. If it had not gone by its age, a clock may have gone back since, and the
// events have come after that time.
func TestATimeAboveAStreamThatWasErased(t *testing.T) {
	began := eventid.Before(eventid.At(800))
	for name, begin := range map[string]func(*fakeFeed){
		"expired": func(f *fakeFeed) { f.BeginAnew(began, false) },
		"erased":  func(f *fakeFeed) { f.BeginAnew(began, true) },
		"missed":  func(f *fakeFeed) { f.Skip(eventid.ID{}, began) },
	} {
		r, feed, _ := empty(t, topic.Config{})
		feed.add(300, 301)
		begin(feed)
		feed.add(800)
		r.settle()
		again := r.join("a", "750", fake.Unlimited) // a time of another edge
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		if name == "expired" {
			again.want("800")
		} else {
			again.want("gap:missed", "800")
		}
	}
}

// Once ids have fallen, a time above them says no more whether its client came before or after.
func TestATimeAmongIDsThatFell(t *testing.T) {
	r, feed, _ := empty(t, topic.Config{})
	feed.add(300, 301)
	feed.Skip(id(301), eventid.Before(eventid.At(350)))
	feed.add(400)
	feed.Fork(id(99))
	feed.add(100)
	feed.Skip(id(100), eventid.Before(eventid.At(500)))
	feed.add(500, 800)
	r.settle()
	again := r.join("a", "750", fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	again.want("gap:missed", "400", "100", "gap:missed", "500", "800")
}

// A log that forked is emptied: the fork's id proves nothing, since what had followed it is gone,
// too. That stays so when the log is emptied again.
func TestAForkThatIsEvictedTwice(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(101, 102)
	feed.Fork(id(101))
	r.table.EvictOldest()
	feed.AppendRaw(eventBody(1))
	r.settle()
	r.table.EvictOldest()
	again := r.join("a", "101-0", fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, id(102))
	r.settle()
	again.want("gap:evicted")
}

// All of a log goes, with a gap in it up to a time: its events are known to have been there.
func TestALogWithATimeInItIsEvicted(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(101, 102)
	feed.Skip(id(102), eventid.Before(eventid.At(200)))
	r.table.EvictOldest()
	for _, ms := range []uint64{101, 102} {
		if !feed.MayHaveHad(id(ms)) {
			t.Errorf("event %d was never there", ms)
		}
	}
	feed.add(201)
	r.settle()
}

// A stream that reads on behind a fork, of which the other side was let go, is told of no gap.
func TestAForkThatWasLetGo(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 3}})
	_, feed := placed(r, u)
	feed.add(101, 102, 110, 120)
	feed.Fork(id(102))
	feed.add(103, 104, 105)
	r.settle()
	for last, want := range map[string][]string{"103-0": {"104", "105"}, "104-0": {"105"},
		"105-0": nil} {
		c := r.join("a", last, fake.Unlimited)
		r.settle()
		c.want(want...)
	}
}

// Events from before the place of a log that was rewritten are no longer missing once they are
// prepended.
func TestOlderEventsOfARewrittenLog(t *testing.T) {
	for _, fork := range []bool{false, true} {
		r, u := fed(t, patient(), topic.Config{})
		_, feed := placed(r, u)
		feed.add(101)
		want := []string{"60", "70", "100", "101", "104"}
		if fork {
			feed.add(103)
			feed.Fork(id(101))
			want = []string{"60", "70", "100", "101", "103", "104"}
		}
		feed.add(104)
		r.settle()
		c := r.join("a", "55", fake.Unlimited) // a time at which the topic had no event
		r.settle()
		below, _, _ := feed.Span()
		feed.Prepend([]log.Older{{ID: id(60), Body: eventBody(60)},
			{ID: id(70), Body: eventBody(70)}, {ID: id(100), Body: eventBody(100)}},
			eventid.Before(eventid.At(55)), below)
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		c.want(want...)
	}
}

// Eviction of a log that has had only events without ids leaves its place as it is.
func TestAnEvictedLogOfRawEventsKeepsItsPlace(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.AppendRaw(eventBody(1))
	r.settle()
	r.table.EvictOldest()
	if lost, last, _ := feed.Span(); lost != id(100) || last != id(100) {
		t.Fatalf("it has lost %v, and its newest is %v", lost, last)
	}
	feed.AppendRaw(eventBody(2))
	r.settle()
	again := r.join("a", "100-0", fake.Unlimited)
	feed.add(101)
	r.settle()
	again.want("101")
}

// An event without an id that comes to a topic without events is not repeated to streams that
// resume, even if nothing turns out to have been before an earlier time.
func TestARawEventBeforeTheFirstIsNotRepeated(t *testing.T) {
	r, feed, _ := empty(t, topic.Config{})
	feed.AppendRaw([]byte("data: raw\n"))
	r.settle()
	for _, last := range []string{"650", "700", "650"} {
		c := r.join("a", last, fake.Unlimited)
		r.settle()
		feed.Prepend(nil, eventid.Before(eventid.At(650)), eventid.Before(eventid.At(700)))
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		c.want()
	}
}

// On a topic without events a position is a time. Later events are delivered to live and to
// resuming streams, even if a clock has gone back in between.
func TestTheFirstEventOfAClockThatHasGoneBack(t *testing.T) {
	r, feed, c := empty(t, topic.Config{})
	began := c.decoder.LastEventID()
	feed.add(300, 301)
	r.settle()
	c.want("300", "301")
	for last, want := range map[string]string{began: "gap:future 300 301", "300-0": "301",
		"301-0": "", "900": "gap:future 300 301", since(900): "gap:future"} {
		again := r.join("a", last, fake.Unlimited)
		r.settle()
		if n := len(feed.asks); n > 0 {
			feed.Answer(feed.last, eventid.ID{})
			r.settle()
		}
		again.want(strings.Fields(want)...)
	}
	feed.add(800) // and went on since
	r.settle()
	again := r.join("a", began, fake.Unlimited)
	r.settle()
	again.want("300", "301", "800")
}

// A stream whose topics' places are not known gets a position for all of them with its head, and
// comes back with it.
func TestAHeadHasAPositionForEachTopic(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r, u := fed(t, patient(), topic.Config{})
		c := r.join(topics, "", fake.Unlimited)
		r.pass(2 * time.Second)
		c.read()
		kept := c.decoder.LastEventID()
		if kept == "" || c.state() != stateLive ||
			!strings.Contains(string(c.raw), "\nid: "+kept+"\n\n") {
			t.Fatalf("%s: the head comes with %q", topics, c.raw)
		}
		c.sock.HangUp()
		r.settle()
		for name, feed := range u.feeds {
			// what was published since the head came, by an upstream that is heard again
			if name == "b" {
				feed.Place(eventid.At(45), eventid.ID{})
				continue
			}
			feed.Place(eventid.After(id(20)), id(20))
			feed.add(60, 61)
		}
		again := r.join(topics, kept, fake.Unlimited)
		r.settle()
		for _, feed := range u.feeds {
			feed.Answer(feed.last, eventid.ID{})
		}
		r.settle()
		again.want("60", "61")
	}
}
