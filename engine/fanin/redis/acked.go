package redis

import (
	"slices"

	"ssedge/proto/eventid"
)

// An event that was published through this edge has an id, and its publisher knows it. If the servers forget it before it
// has come to the topic's feed, nothing in the stream says so: the event that follows names the log's newest one as its
// predecessor. So a feed keeps the ids of such events until they come.

// acked is the id of an event that was published through this edge and has not come to its log.
type acked struct {
	id     eventid.ID
	doubts uint32 // the feed's at that time: what is read for a later one has the event, or the servers have forgotten it
	apart  bool   // whether the other history was read since then
	old    bool   // whether it has been awaited for ackedPause
	many   bool   // it stands for several, of which this is the highest id
}

// unheard are those of one topic, in the order in which they were acknowledged.
type unheard struct {
	all   []acked
	timed bool // a look at the stream is scheduled
}

// ackedMax bounds how many ids a feed keeps. Those behind are kept as one, and told as a gap even if they come.
const ackedMax = 1024

// ackedPause is how long a feed that is live waits for an acknowledged event, at least, before it looks at the stream; it waits
// at most twice as long.
const ackedPause = phantomPause

// sending is an event that is being published through this edge.
type sending struct {
	source *Source
	topic  string
	feed   *feed      // of the topic; nil: this edge does not follow it
	lost   eventid.ID // the newest that its log had let go before. An event with a lower id is of a clock that went back
}

// sending is called before an event is published.
func (s *Source) sending(topic string) sending {
	e := sending{source: s, topic: topic, feed: s.feedOf(topic)}
	if e.feed != nil {
		e.lost, _, _ = e.feed.topic.Span()
	}
	return e
}

// acknowledged is called when the event was stored. The log may have it by now, or have let it go.
func (e sending) acknowledged(id eventid.ID) {
	f := e.source.feedOf(e.topic)
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch _, _, placed := f.topic.Span(); {
	case f.isGone(), !placed, id.IsZero(), f.topic.Has(id):
	case f == e.feed && !e.lost.Less(id), f.topic.MayNeverHaveHad(id):
		f.awaitAcked(id)
	}
}

// awaitAcked keeps an id that the log has not got.
func (f *feed) awaitAcked(id eventid.ID) {
	if f.unheard == nil {
		f.unheard = &unheard{}
	}
	u, a := f.unheard, acked{id: id, doubts: f.doubts}
	if len(u.all) == ackedMax {
		last := &u.all[ackedMax-1]
		a.id, a.many = eventid.Max(a.id, last.id), true
		*last = a
	} else {
		u.all = append(u.all, a)
	}
	if !u.timed {
		u.timed = true
		f.source.times.after(ackedPause, f.lookForAcked)
	}
}

// lookForAcked has the end of the stream looked at if events have been awaited for long.
func (f *feed) lookForAcked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.unheard
	if u == nil {
		return
	}
	u.timed = false
	if f.isGone() || len(u.all) == 0 {
		f.unheard = nil
		return
	}
	if u.all[0].old && f.state == live {
		f.doubt(causeGap)
	}
	for i := range u.all {
		u.all[i].old = true
	}
	u.timed = true
	f.source.times.after(ackedPause, f.lookForAcked)
}

// ackedCame notes that an event is about to be added: those published before it that have not come are lost, and told.
func (f *feed) ackedCame(id eventid.ID) {
	if f.unheard == nil {
		return
	}
	f.unheard.all = slices.DeleteFunc(f.unheard.all, func(a acked) bool { return a.id == id && !a.many })
	f.tellAcked(func(a acked) bool { return a.id.Less(id) })
}

// tellAcked tells those that are lost, in one gap: the log has not got them, and has what would come after them.
func (f *feed) tellAcked(lost func(a acked) bool) {
	if f.unheard == nil {
		return
	}
	to := eventid.ID{}
	f.unheard.all = slices.DeleteFunc(f.unheard.all, func(a acked) bool {
		if !lost(a) {
			return false
		}
		if a.many || !f.topic.Has(a.id) {
			to = eventid.Max(to, a.id)
		}
		return true
	})
	if !to.IsZero() {
		f.source.counts.gaps.Add(1)
		f.topic.Lose(to, f.state != live)
	}
}

// ackedSkipped takes those in a gap that was just told for lost: the gap is told of them, too.
func (f *feed) ackedSkipped(from, to eventid.ID) {
	if f.unheard == nil {
		return
	}
	f.unheard.all = slices.DeleteFunc(f.unheard.all, func(a acked) bool {
		skipped := !a.many && from.Less(a.id) && !to.Less(a.id)
		if skipped {
			f.topic.LostInGap(a.id)
		}
		return skipped
	})
}

// markApart is called when the other history is about to be read, from its end.
func (f *feed) markApart() {
	if f.unheard == nil {
		return
	}
	for i := range f.unheard.all {
		f.unheard.all[i].apart = true
	}
}

// tellAckedApart tells those that are not in the other history, of which f.apart is all that the log has not got, before
// that is added: its ids may be lower.
func (f *feed) tellAckedApart() {
	f.tellAcked(func(a acked) bool {
		return a.apart && !slices.ContainsFunc(f.apart, func(m element) bool { return m.ID == a.id })
	})
}

// tellAckedRead tells those that are not in what was read since they were acknowledged.
func (f *feed) tellAckedRead() {
	f.tellAcked(func(a acked) bool { return a.doubts != f.looked })
}
