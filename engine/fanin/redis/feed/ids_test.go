package feed

import (
	"math"
	"testing"

	"ssedge/proto/eventid"
)

// Clients give any id and any time. What one of them gives changes nothing for another.
func TestAClientsTimeMovesNoPlace(t *testing.T) {
	for _, ms := range []uint64{0, 1, 5_000_000, 1 << 62, 1<<63 + 5, math.MaxUint64} {
		f := followed(t)
		s := chain(0, 50, 60, 100) // 50 is the first event that the topic ever had
		f.ask(eventid.At(ms))
		s.answer(t, f)
		if lost := lostOf(f); eventid.Before(eventid.At(50)).Less(lost) {
			t.Errorf("after a client with %d the log begins after %v, the stream at 50-0", ms, lost)
		}
	}
}

// Edges that know nothing of a topic give their clients different times: none of them proves that
// nothing was before it.
func TestTimesOfSeveralEdges(t *testing.T) {
	for _, times := range [][]uint64{{30, 40}, {40, 30}, {40, 30, 20}} {
		f := followed(t)
		s := chain(0, 50, 60, 100)
		lowest := uint64(math.MaxUint64)
		for _, ms := range times {
			lowest = min(lowest, ms)
			f.ask(eventid.At(ms))
			s.answer(t, f)
			if lost := lostOf(f); lost != eventid.Before(eventid.At(lowest)) {
				t.Errorf("times %v: after %d the log begins after %v", times, ms, lost)
			}
		}
	}
}

// Servers' ids may be any, too.
func TestIDsAtTheEndsOfWhatIsPossible(t *testing.T) {
	for _, last := range []eventid.ID{
		{MS: math.MaxUint64}, {MS: math.MaxUint64, Seq: math.MaxUint64 - 1}, {MS: 1 << 63},
		{MS: 151, Seq: math.MaxUint64},
	} {
		f := followed(t)
		f.reconnects()
		s := chain(99, 100, 150, 300)
		s[2].ID = last
		s.answer(t, f)
		if _, newest, _ := f.topic.Span(); newest != last || f.state != Live {
			t.Errorf("behind %v the newest is %v, and it is %s", last, newest, f.state)
		}
		before := f.table.HistoryBytes()
		for range 3 {
			f.reconnects()
			s.answer(t, f)
		}
		if f.table.HistoryBytes() != before {
			t.Errorf("behind %v the log grows with every look", last)
		}
		if last.IsBound() {
			continue
		}
		f.reconnects()
		stream(nil).answer(t, f)
		if f.counts[Reset] != 1 {
			t.Errorf("behind %v the stream was deleted, and no gap was told", last)
		}
	}
}

// A log whose fork was let go still finds its events: servers that forget the newest one are told
// of by no gap.
func TestAForkIsFoundBehindOneThatWasLetGo(t *testing.T) {
	f := keeping(t, 3)
	for _, ms := range [][2]uint64{{101, 100}, {102, 101}, {200, 102}, {201, 200}} {
		f.comes(ms[0], ms[1])
	}
	f.reconnects()
	chain(100, 101, 102, 110).answer(t, f) // 200 and 201 are forgotten
	f.comes(111, 110)
	f.comes(112, 111)
	before := f.counts[Gap]
	f.reconnects()
	chain(100, 101, 102, 110, 111).answer(t, f) // and 112
	if n := f.counts[Gap] - before; n != 0 || !f.topic.Has(id(111)) {
		t.Errorf("%d gaps were told, though nothing is missing; 111: %t", n, f.topic.Has(id(111)))
	}
}

// The stream was gone, and one is back that has more than a page of events which the log never had
// before those that it has.
func TestAStreamIsBackBehindAPageOfOthers(t *testing.T) {
	for _, n := range []uint64{120, 140} {
		f := followed(t)
		first := uint64(rigBegan) - 5000
		f.comes(first+n-1, first+n-2)
		chain(first+n-2, first+n-1).answer(t, f) // what was before is told as a gap
		f.comes(first+n, first+n-1)
		f.reconnects()
		stream(nil).answer(t, f)
		f.reconnects()
		before := f.events
		chain(append([]uint64{100}, upTo(first+1, first+n+1)...)...).answer(t, f)
		if had := uint64(f.events - before); had > n-1 {
			t.Errorf("behind %d others, %d events were added that the log had", n, had-(n-1))
		}
	}
}

// A message comes before the end of the stream is asked for, and an old master answers: the stream
// is looked at again.
func TestAMessageThatAnOldMasterHasNotGot(t *testing.T) {
	f := followed(t)
	f.comes(500, 100)
	f.reconnects()
	f.comes(400, 0) // the first event of the new master's stream, whose clock is behind
	r := f.next(t)
	f.take(r, chain(100, 500))
	f.machine().Wake(LookAgain) // after phantomPause
	chain(0, 400).answer(t, f)
	if !f.topic.Has(id(400)) || f.state != Live {
		t.Errorf("the event did not come; the feed is %s", f.state)
	}
}

// A stream began anew, and its first event came through a channel that was subscribed all the time.
// What follows it may be read before it comes: nothing was missed.
func TestAStreamBeganAnewAndIsReadFirst(t *testing.T) {
	f := followed(t)
	last := uint64(rigBegan) - 5000
	f.comes(last, 100)
	f.comes(last+10, 0)
	chain(0, last+10, last+11).answer(t, f)
	f.comes(last+11, last+10)
	if n := f.counts[Gap]; n != 0 || lastOf(f) != id(last+11) || f.state != Live {
		t.Errorf("%d gaps were told, though nothing is missing; the newest is %v, and the feed %s",
			n, lastOf(f), f.state)
	}
}

// A stream is deleted while messages are held, and begins anew. What was held of the earlier one is
// nowhere else any more.
func TestWhatIsHeldOfAStreamThatIsGone(t *testing.T) {
	const last = rigBegan - 5000
	for _, missing := range []bool{false, true} {
		f := followed(t)
		f.comes(last, 100)
		f.doubt()
		if !missing {
			f.comes(last+1, last)
		}
		f.comes(last+2, last+1)
		f.comes(last+10, 0)
		chain(0, last+10).answer(t, f)
		if missing {
			if f.counts[Gap] != 1 {
				t.Errorf("%d gaps were told, though an event is missing", f.counts[Gap])
			}
		} else if !f.topic.Has(id(last+2)) || f.counts[Gap] != 0 {
			t.Errorf("the events that were held did not come; %d gaps were told", f.counts[Gap])
		}
		if lastOf(f) != id(last+10) || !f.Settled() {
			t.Errorf("the newest is %v, and the feed is %s", lastOf(f), f.state)
		}
	}
}
