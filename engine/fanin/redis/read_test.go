package redis

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// followed is the feed of a topic that has been placed after event 100, of servers that are not there: tests say what was
// read.
func followed(t *testing.T) *feed {
	t.Helper()
	return keeping(t, 0)
}

// keeping is one whose log keeps that many events; 0: all.
func keeping(t *testing.T, events int) *feed {
	t.Helper()
	s := &Source{config: Config{
		Settings:     Settings{Shared: Shared{TTL: time.Hour}, CatchUpRate: 1000},
		HistoryBytes: 1 << 20, Rule: rule.Limits{EventBytes: 1 << 10},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, target: &target{}, counts: newCounts(), nodes: map[string]*node{}}
	s.times = &s.clock
	s.leavers.wake = make(chan struct{}, 1)
	s.only = newNode(s, "", "probe", func() rueidis.Client { return nil })
	s.table = topic.New(topic.Config{HistoryMax: 1 << 30, TopicsMax: 10, Upstream: s, Retention: log.Retention{Events: events}})
	topic, err := s.table.Acquire([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	f := topic.Feed().(*feed)
	topic.Place(eventid.After(id(100)), eventid.ID{})
	f.set(live)
	return f
}

func id(ms uint64) eventid.ID { return eventid.ID{MS: ms} }

// elements are those of a stream, each behind the one that stands after it here.
func elements(ids ...uint64) (all []rueidis.XRangeEntry) {
	for i, ms := range ids[:len(ids)-1] {
		all = append(all, rueidis.XRangeEntry{ID: fmt.Sprint(ms, "-0"), FieldValues: map[string]string{"p": fmt.Sprint(ids[i+1], "-0"), "d": fmt.Sprint(ms)}})
	}
	return all
}

func (f *feed) reading(kind reading) request {
	return request{feed: f, kind: kind, doubts: f.doubts, from: f.from, lost: lostOf(f), after: lastOf(f), below: f.apartEnd(), epoch: f.epoch, count: fetchEventsMax}
}

func lastOf(f *feed) eventid.ID {
	_, last, _ := f.topic.Span()
	return last
}

func lostOf(f *feed) eventid.ID {
	lost, _, _ := f.topic.Span()
	return lost
}

// A stream that asks for still older events while others are being read is not told that there are none.
func TestAskingForOlderEventsMeanwhile(t *testing.T) {
	f := followed(t)
	f.Ask(eventid.After(id(90)))
	first := f.reading(backward)
	f.Ask(eventid.After(id(50)))
	first.read(elements(100, 95, 90))
	if lost, _, _ := f.topic.Span(); lost != id(90) || f.todo == nil || !f.backward || f.asked != 2 || !f.floor.IsZero() {
		t.Fatalf("after the first reading: the log begins after %v, to do %+v", lost, f.todo)
	}
	f.reading(backward).read(elements(90, 60, 50))
	if lost, _, _ := f.topic.Span(); lost != id(50) || f.todo != nil {
		t.Errorf("after the second: the log begins after %v, to do %+v", lost, f.todo)
	}
}

// A stream that asks from before what the servers have is answered, with what there is.
func TestAskingForMoreThanThereIs(t *testing.T) {
	f := followed(t)
	f.Ask(eventid.After(id(10)))
	f.reading(backward).read(elements(100, 95, 90)) // 90 is gone
	if lost, _, _ := f.topic.Span(); lost != id(90) || f.todo != nil {
		t.Errorf("the log begins after %v, to do %+v", lost, f.todo)
	}
}

// A reply that was under way when something else gave reason to look does not end the doubt.
func TestAReplyFromBeforeADoubt(t *testing.T) {
	f := followed(t)
	f.mu.Lock()
	f.doubt(causeGap)
	f.mu.Unlock()
	early := f.reading(theEnd)
	f.Ask(eventid.After(id(120))) // is ahead of the log
	early.read(elements(100, 95))
	if f.state != catching || f.asked != 1 {
		t.Fatalf("state %s, asked %d", stateNames[f.state], f.asked)
	}
	f.reading(theEnd).read(elements(120, 100))
	if _, last, _ := f.topic.Span(); last != id(120) || f.state != live || f.todo != nil {
		t.Errorf("last %v, state %s, to do %+v", last, stateNames[f.state], f.todo)
	}
}

// What comes for a topic that was forgotten is not added: nothing would ever let it go again.
func TestNothingIsAddedToAForgottenTopic(t *testing.T) {
	f := followed(t)
	table, topic := f.source.table, f.topic
	topic.Append(id(101), []byte("data: x\n"))
	table.Release(topic)
	for range 8 { // more idle topics than there may be
		other, err := table.Acquire([]byte(fmt.Sprint("other", table.Topics())))
		if err != nil {
			t.Fatal(err)
		}
		table.Release(other)
	}
	if !f.isGone() {
		t.Fatal("it was not forgotten")
	}
	topic.Append(id(102), []byte("data: y\n"))
	topic.AppendRaw([]byte("data: z\n"))
	if n := table.HistoryBytes(); n != 0 {
		t.Errorf("%d bytes are held", n)
	}
}

// A reading that was asked for twice proves nothing the second time.
func TestAReadingThatComesTwice(t *testing.T) {
	f := followed(t)
	f.Ask(eventid.After(id(90)))
	first := f.reading(backward)
	f.Ask(eventid.After(id(50)))
	second := f.reading(backward)
	first.read(elements(100, 95, 90))
	second.read(elements(100, 95, 90))
	if lost, _, _ := f.topic.Span(); lost != id(90) || f.todo == nil || !f.backward {
		t.Fatalf("the log begins after %v, to do %+v", lost, f.todo)
	}
	f.reading(backward).read(elements(90, 60, 50))
	if lost, _, _ := f.topic.Span(); lost != id(50) || f.todo != nil {
		t.Errorf("the log begins after %v, to do %+v", lost, f.todo)
	}
}

// Two readings of the same events are under way. What only the second has is not taken for read: it comes as a message.
func TestAReadingThatIsDroppedReadsNothing(t *testing.T) {
	f := followed(t)
	f.reconnects()
	f.Ask(eventid.After(id(90))) // so there is more to read then
	s := chain(100, 101, 102, 103)
	more := append(chain(100, 101, 102, 103, 104), chain(104, 105)...)
	delete(more[3].FieldValues, "d") // is no event, so what comes does not follow what is there
	first := f.next(f.source.only)
	first.read(s[2:3]) // 103 was the newest then
	verify := f.next(f.source.only)
	verify.read(chain(99, 100))
	reading := f.next(f.source.only)
	f.comes(105, 104)
	reading.read(s)
	reading.read(more) // asked for at the same time
	append(chain(89, 90, 95, 100), more...).answer(t, f)
	if lastOf(f) != id(105) || f.state != live {
		t.Errorf("the newest is %v, and it is %s", lastOf(f), stateNames[f.state])
	}
}

// A promoted replica ends before what the log has lost: what it has is not sent again, and what follows it is.
func TestAForkBeforeWhatTheLogHas(t *testing.T) {
	f := followed(t)
	f.topic.Append(id(101), []byte("data: x\n"))
	f.mu.Lock()
	f.doubt(causeGap)
	f.mu.Unlock()
	f.reading(theEnd).read(elements(99, 98))
	f.reading(newest).read(elements(99, 98, 97))
	if lost, last, _ := f.topic.Span(); lost != id(100) || last != id(99) || f.state != live {
		t.Errorf("the log is from %v to %v, state %s", lost, last, stateNames[f.state])
	}
	f.receive("\x00s1 102-0 99-0 0\nx")
	if _, last, _ := f.topic.Span(); last != id(102) || f.state != live {
		t.Errorf("last %v, state %s", last, stateNames[f.state])
	}
}

// A claim to be the first, in the last entry of a full page, is not believed: what is before it comes with the next page.
func TestAFalseBeginningEndsAPage(t *testing.T) {
	f := followed(t)
	f.Ask(eventid.At(40))
	entry := func(ms, prev uint64) rueidis.XRangeEntry { return elements(ms, prev)[0] }
	stream := []rueidis.XRangeEntry{entry(100, 90), entry(90, 0), entry(60, 50), entry(50, 0)}
	first := f.reading(backward)
	first.count = 2
	first.read(stream[:2])
	if lost := lostOf(f); lost != id(90) || f.todo == nil || !f.backward {
		t.Fatalf("after the first reading: the log begins after %v, to do %+v", lost, f.todo)
	}
	f.reading(backward).read(stream[1:])
	if lost := lostOf(f); lost != eventid.Before(eventid.At(40)) || f.todo != nil || !f.topic.Has(id(50)) {
		t.Errorf("the log begins after %v, to do %+v", lost, f.todo)
	}
}

// What is held, has no place and is given up is told: with it, of many messages, once.
func TestWhatIsHeldAndGivenUpIsTold(t *testing.T) {
	for name, text := range map[string]string{"raw": "hello", "unreadable": "\x00hello"} {
		t.Run(name, func(t *testing.T) {
			f := followed(t)
			f.mu.Lock()
			f.doubt(causeGap)
			f.mu.Unlock()
			before := f.source.table.HistoryBytes()
			for range heldMax + 1 {
				f.receive(text)
			}
			for range 2 { // the second one because of what was given up
				f.reading(theEnd).read(elements(100, 95))
			}
			if f.state != live || f.todo != nil || f.source.table.HistoryBytes() == before {
				t.Errorf("state %s, to do %+v, %d bytes told", stateNames[f.state], f.todo, f.source.table.HistoryBytes()-before)
			}
		})
	}
}
