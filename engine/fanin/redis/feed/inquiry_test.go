package feed

import (
	"testing"

	"ssedge/proto/eventid"
)

// A stream that asks for still older events while others are being read is not told that there are
// none.
func TestAskingForOlderEventsMeanwhile(t *testing.T) {
	f := followed(t)
	f.ask(eventid.After(id(90)))
	first := f.reading(ReadOlder)
	f.ask(eventid.After(id(50)))
	f.take(first, newestFirst(100, 95, 90))
	q := f.inquiry
	if lostOf(f) != id(90) || q == nil || q.older.asked != 2 || !q.older.floor.IsZero() {
		t.Fatalf("after the first reading: the log begins after %v, to do %+v", lostOf(f), q)
	}
	f.take(f.reading(ReadOlder), newestFirst(90, 60, 50))
	if lost, _, _ := f.topic.Span(); lost != id(50) || f.inquiry != nil {
		t.Errorf("after the second: the log begins after %v, to do %+v", lost, f.inquiry)
	}
}

// A stream that asks from before what the servers have is answered, with what there is.
func TestAskingForMoreThanThereIs(t *testing.T) {
	f := followed(t)
	f.ask(eventid.After(id(10)))
	f.take(f.reading(ReadOlder), newestFirst(100, 95, 90)) // 90 is gone
	if lost, _, _ := f.topic.Span(); lost != id(90) || f.inquiry != nil {
		t.Errorf("the log begins after %v, to do %+v", lost, f.inquiry)
	}
}

// A reply that was under way when something else gave reason to look does not end the doubt.
func TestAReplyFromBeforeADoubt(t *testing.T) {
	f := followed(t)
	f.doubt()
	early := f.reading(ReadEnd)
	f.ask(eventid.After(id(120))) // is ahead of the log
	f.take(early, newestFirst(100, 95))
	if f.state != Catching || f.inquiry.older.asked != 1 {
		t.Fatalf("state %s, asked %d", f.state, f.inquiry.older.asked)
	}
	f.take(f.reading(ReadEnd), newestFirst(120, 100))
	if _, last, _ := f.topic.Span(); last != id(120) || f.state != Live || f.inquiry != nil {
		t.Errorf("last %v, state %s, to do %+v", last, f.state, f.inquiry)
	}
}

// A reading that was asked for twice proves nothing the second time.
func TestAReadingThatComesTwice(t *testing.T) {
	f := followed(t)
	f.ask(eventid.After(id(90)))
	first := f.reading(ReadOlder)
	f.ask(eventid.After(id(50)))
	second := f.reading(ReadOlder)
	f.take(first, newestFirst(100, 95, 90))
	f.take(second, newestFirst(100, 95, 90))
	if lost, _, _ := f.topic.Span(); lost != id(90) || f.inquiry == nil || !f.inquiry.older.wanted {
		t.Fatalf("the log begins after %v, to do %+v", lost, f.inquiry)
	}
	f.take(f.reading(ReadOlder), newestFirst(90, 60, 50))
	if lost, _, _ := f.topic.Span(); lost != id(50) || f.inquiry != nil {
		t.Errorf("the log begins after %v, to do %+v", lost, f.inquiry)
	}
}

// Two readings of the same events are under way. What only the second has is not taken for read: it
// comes as a message.
func TestAReadingThatIsDroppedReadsNothing(t *testing.T) {
	f := followed(t)
	f.reconnects()
	f.ask(eventid.After(id(90))) // so there is more to read then
	s := chain(100, 101, 102, 103)
	more := append(chain(100, 101, 102, 103, 104), chain(104, 105)...)
	more[3].Bad = true // is no event, so what comes does not follow what is there
	first := f.next(t)
	f.take(first, s[2:3]) // 103 was the newest then
	verify := f.next(t)
	f.take(verify, chain(99, 100))
	reading := f.next(t)
	f.comes(105, 104)
	f.take(reading, s)
	f.take(reading, more) // asked for at the same time
	append(chain(89, 90, 95, 100), more...).answer(t, f)
	if lastOf(f) != id(105) || f.state != Live {
		t.Errorf("the newest is %v, and it is %s", lastOf(f), f.state)
	}
}

// A promoted replica ends before what the log has lost: what it has is not sent again, and what
// follows it is.
func TestAForkBeforeWhatTheLogHas(t *testing.T) {
	f := followed(t)
	f.topic.Append(id(101), []byte("data: x\n"))
	f.doubt()
	f.take(f.reading(ReadEnd), newestFirst(99, 98))
	f.take(f.reading(ReadLast), newestFirst(99, 98, 97))
	if lost, last, _ := f.topic.Span(); lost != id(100) || last != id(99) || f.state != Live {
		t.Errorf("the log is from %v to %v, state %s", lost, last, f.state)
	}
	f.machine().Receive("\x00s1 102-0 99-0 0\nx")
	if _, last, _ := f.topic.Span(); last != id(102) || f.state != Live {
		t.Errorf("last %v, state %s", last, f.state)
	}
}

// A claim to be the first, in the last entry of a full page, is not believed: what is before it
// comes with the next page.
func TestAFalseBeginningEndsAPage(t *testing.T) {
	f := followed(t)
	f.ask(eventid.At(40))
	stream := []Element{event(100, 90), event(90, 0), event(60, 50), event(50, 0)}
	first := f.reading(ReadOlder)
	first.Count = 2
	f.take(first, stream[:2])
	if lost := lostOf(f); lost != id(90) || f.inquiry == nil || !f.inquiry.older.wanted {
		t.Fatalf("after the first reading: the log begins after %v, to do %+v", lost, f.inquiry)
	}
	f.take(f.reading(ReadOlder), stream[1:])
	lost := lostOf(f)
	if lost != eventid.Before(eventid.At(40)) || f.inquiry != nil || !f.topic.Has(id(50)) {
		t.Errorf("the log begins after %v, to do %+v", lost, f.inquiry)
	}
}

// What is held, has no place and is given up is told: with it, of many messages, once.
func TestWhatIsHeldAndGivenUpIsTold(t *testing.T) {
	for name, text := range map[string]string{"raw": "hello", "unreadable": "\x00hello"} {
		t.Run(name, func(t *testing.T) {
			f := followed(t)
			f.doubt()
			before := f.table.HistoryBytes()
			for range heldMax + 1 {
				f.machine().Receive(text)
			}
			for range 2 { // the second one because of what was given up
				f.take(f.reading(ReadEnd), newestFirst(100, 95))
			}
			if f.state != Live || f.inquiry != nil || f.table.HistoryBytes() == before {
				told := f.table.HistoryBytes() - before
				t.Errorf("state %s, to do %+v, %d bytes told", f.state, f.inquiry, told)
			}
		})
	}
}
