package feed

import (
	"testing"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// rig is a feed with a topic, and the host of that feed: clocks that are set by hand, and an
// account of what the feed has asked for. The readings are answered by tests.
type rig struct {
	Feed
	topic  *topic.Topic
	table  *topic.Table
	config Config

	nowMS   uint64 // of the servers; all clocks agree to a second
	seconds int64
	queued  int
	alarms  []Alarm
	counts  [Counts]int
	causes  [Causes]int
	events  int
	broken  int
	asks    uint64
	left    eventid.ID // the log's newest event when the feed was live last
}

const rigBegan = 1_700_000_000_000 // Unix milliseconds

func (f *rig) Lower() uint64       { return f.nowMS - 1000 }
func (f *rig) Upper() uint64       { return f.nowMS + 1000 }
func (f *rig) Seconds() int64      { return f.seconds }
func (f *rig) Queue(bool)          { f.queued++ }
func (f *rig) Later(why Alarm)     { f.alarms = append(f.alarms, why) }
func (f *rig) Appended(eventid.ID) { f.events++ }
func (f *rig) Doubted(why Cause)   { f.causes[why]++ }
func (f *rig) Count(what Count)    { f.counts[what]++ }
func (f *rig) Malformed(error)     { f.broken++ }

func (f *rig) Changed(from, _ State) {
	if from == Live {
		f.left = lastOf(f)
	}
}

func (f *rig) machine() Machine {
	return Machine{Feed: &f.Feed, Log: f.topic, Host: f, Config: &f.config}
}

// upstream is where the topic's events come from. The rig says what comes, and when.
type upstream struct{}

func (upstream) Follow(*topic.Topic) topic.Feed { return nil }

// newRig is a feed that is away.
func newRig(t testing.TB, retention log.Retention) *rig {
	t.Helper()
	f := &rig{
		nowMS: rigBegan, seconds: 1000,
		config: Config{
			TTLMS: 3_600_000, HistoryBytes: 1 << 20, Rule: rule.Limits{EventBytes: 1 << 10},
		},
	}
	f.table = topic.New(topic.Config{
		HistoryMax: 1 << 30, TopicsMax: 10, Upstream: upstream{}, Retention: retention,
		WallMS: func() uint64 { return f.nowMS },
	})
	topic, err := f.table.Acquire([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	f.topic = topic
	return f
}

// followed is a feed that is live, of a topic that was placed after event 100.
func followed(t testing.TB) *rig {
	t.Helper()
	return keeping(t, 0)
}

// keeping is one whose log keeps that many events; 0: all.
func keeping(t testing.TB, events int) *rig {
	t.Helper()
	f := newRig(t, log.Retention{Events: events})
	f.machine().Away()
	f.machine().Subscribed()
	chain(99, 100).answer(t, f)
	if !f.Settled() || lastOf(f) != id(100) {
		t.Fatalf("the feed is %s behind %v", f.state, lastOf(f))
	}
	return f
}

func id(ms uint64) eventid.ID { return eventid.ID{MS: ms} }

func lastOf(f *rig) eventid.ID {
	_, last, _ := f.topic.Span()
	return last
}

func lostOf(f *rig) eventid.ID {
	lost, _, _ := f.topic.Span()
	return lost
}

// stream is what the servers have of a topic, oldest first.
type stream []Element

func event(ms, prev uint64) Element {
	return Element{Message: envelope.Message{ID: id(ms), Prev: id(prev), Data: []byte("x")}}
}

// chain is a stream in which each event follows the one before it. The first id is that of an event
// that is gone.
func chain(ids ...uint64) (all stream) {
	for k, ms := range ids[1:] {
		all = append(all, event(ms, ids[k]))
	}
	return all
}

// newestFirst are events of a stream, each behind the one that stands after it here.
func newestFirst(ids ...uint64) (all []Element) {
	for k, ms := range ids[:len(ids)-1] {
		all = append(all, event(ms, ids[k+1]))
	}
	return all
}

// upTo is the ids first to last, one a millisecond.
func upTo(first, last uint64) (ids []uint64) {
	for ms := first; ms <= last; ms++ {
		ids = append(ids, ms)
	}
	return ids
}

// rangeOf is what XRANGE or XREVRANGE answers.
func (s stream) rangeOf(r *Request) (got []Element) {
	for k := range s {
		e := s[k]
		if r.Backward {
			e = s[len(s)-1-k]
		}
		if within(e.ID, r.First, r.Last) && len(got) < r.Count {
			got = append(got, e)
		}
	}
	return got
}

// answer answers all that a feed wants to have read.
func (s stream) answer(t testing.TB, f *rig) {
	t.Helper()
	for range 1000 {
		r, ok := f.machine().Next()
		if !ok {
			return
		}
		f.machine().Take(r, s.rangeOf(&r))
	}
	t.Fatal("the reading does not end")
}

// within reports whether an id lies between the bounds of a command.
func within(at eventid.ID, first, last string) bool {
	bound := func(text string) (id eventid.ID, open bool) {
		if text[0] == '(' {
			text, open = text[1:], true
		}
		id, _ = eventid.Parse([]byte(text))
		return id, open
	}
	if first != "-" {
		if id, open := bound(first); at.Less(id) || open && at == id {
			return false
		}
	}
	if last != "+" {
		if id, open := bound(last); id.Less(at) || open && at == id {
			return false
		}
	}
	return true
}

// next is what the feed wants to have read.
func (f *rig) next(t testing.TB) Request {
	t.Helper()
	r, ok := f.machine().Next()
	if !ok {
		t.Fatal("nothing is to be read")
	}
	return r
}

// reading is a reading that was asked for, for whatever reason.
func (f *rig) reading(what Reading) Request {
	r := f.machine().request(f.inquiry, what, lostOf(f), lastOf(f))
	r.Count = requestEventsMax
	return r
}

func (f *rig) take(r Request, events []Element) { f.machine().Take(r, events) }

// asks is a stream that wants to go on from a position.
func (f *rig) ask(from eventid.Position) {
	f.asks++
	f.machine().Ask(from, f.asks)
}

func (f *rig) doubt() { f.machine().doubt(CauseGap) }

// comes is a message of an event that comes through the channel.
func (f *rig) comes(ms, prev uint64) {
	e := event(ms, prev)
	f.machine().Receive(string(envelope.Append(nil, &e.Message)))
}

// reconnects is a connection that was lost and made anew.
func (f *rig) reconnects() {
	f.machine().Away()
	f.machine().Subscribed()
}

// publishes are events that were published through this edge, and acknowledged.
func (f *rig) publishes(ids ...uint64) {
	for _, ms := range ids {
		f.machine().Published(id(ms), !lostOf(f).Less(id(ms)))
	}
}

// wakesTwice is a feed that is woken twice because of what was published.
func (f *rig) wakesTwice() {
	f.machine().Wake(LookPublished)
	f.machine().Wake(LookPublished)
}
