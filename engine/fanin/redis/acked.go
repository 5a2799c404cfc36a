package redis

import (
	"slices"

	"ssedge/proto/eventid"
)

// An event that was published through this edge has an id, and its publisher knows it. If the servers
// forget it before the topic's feed has read it, nothing in the stream says so: what follows has the
// log's newest event for predecessor. So a feed keeps the ids of such events until it has them.

// acked is the id of an event that was published through this edge.
type acked struct {
	id     eventid.ID
	doubts uint32 // the feed's at that time: what is read for a later one has the event, or the servers have forgotten it
	apart  bool   // whether the other history was read since then
}

// ackedMax bounds how many a feed keeps. Behind so many it keeps the newest.
const ackedMax = 64

// acknowledged is called when an event was stored.
func (s *Source) acknowledged(topic string, id eventid.ID) {
	if s.table == nil { // it publishes only
		return
	}
	t := s.table.Find(topic)
	if t == nil {
		return
	}
	f := t.Feed().(*feed)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.state == live:
		f.newestAcked = id
	default:
		f.busy()
		f.awaitAcked(id)
	}
}

// awaitAcked keeps an id that the log has not got. The feed is busy.
func (f *feed) awaitAcked(id eventid.ID) {
	if _, _, placed := f.topic.Span(); !placed || id.IsZero() || !f.topic.Lacks(id) {
		return
	}
	a := acked{id: id, doubts: f.doubts}
	if len(f.acked) < ackedMax {
		f.acked = append(f.acked, a)
	} else {
		f.acked[ackedMax-1] = a
	}
}

// awaitNewestAcked keeps the newest id of those before a doubt. If it came to the log, so did the others.
func (f *feed) awaitNewestAcked() {
	f.awaitAcked(f.newestAcked)
	f.newestAcked = eventid.ID{}
}

// tellAcked tells those that are lost, in one gap: the log has not got them, and has what would come after them.
func (f *feed) tellAcked(lost func(a acked) bool) {
	to := eventid.ID{}
	f.acked = slices.DeleteFunc(f.acked, func(a acked) bool {
		if !f.topic.Lacks(a.id) {
			return true
		}
		if lost(a) {
			to = highest(to, a.id)
			return true
		}
		return false
	})
	if !to.IsZero() {
		f.source.counts.gaps.Add(1)
		f.topic.Lose(to)
	}
}

// tellAckedBefore tells those before an event that is about to be added.
func (f *feed) tellAckedBefore(id eventid.ID) {
	if f.todo != nil && len(f.acked) > 0 {
		f.tellAcked(func(a acked) bool { return a.id.Less(id) })
	}
}

// readApart is called when the other history is about to be read, from its end.
func (f *feed) readApart() {
	for i := range f.acked {
		f.acked[i].apart = true
	}
}

// tellAckedApart tells those that are not in the other history, of which f.apart is all that the log has not got, before
// that is added: its ids may be lower.
func (f *feed) tellAckedApart() {
	f.tellAcked(func(a acked) bool {
		return a.apart && !slices.ContainsFunc(f.apart, func(m element) bool { return m.ID == a.id })
	})
}

// tellAckedRead tells those that are not in what was read, and has what was published since then looked for.
func (f *feed) tellAckedRead() {
	if len(f.acked) == 0 {
		return
	}
	f.tellAcked(func(a acked) bool { return a.doubts != f.looked })
	if len(f.acked) > 0 {
		f.doubt(causeGap)
	}
}
