package log

import "ssedge/proto/eventid"

// Trim drops the oldest events, idMS being the time of the clock that gives them their ids, until
// the log is within the retention or, where that is wider, its window. It returns by how much the
// memory held has shrunk. The newest event is dropped only for its age.
func (l *Log) Trim(r *Retention, nowMS, idMS uint64) (shrunk int64) {
	r.Window.grow(l, nowMS)
	for l.events > 0 {
		oldest := l.segments[0].index[l.first]
		if !r.exceeded(l, oldest.id, idMS) || r.Window.outlasts(r, l) {
			break
		}
		shrunk += l.drop(oldest)
		l.cause = GapOverrun
	}
	return shrunk
}

// drop lets the oldest event go, and its segment with the last of its events.
func (l *Log) drop(oldest entry) (shrunk int64) {
	segments := l.segments
	if !l.advanceTail(oldest) {
		return 0
	}
	shrunk = segments[0].held()
	segments[0] = nil
	if len(l.segments) == 0 {
		l.segments = nil
	}
	return shrunk
}

// Clear lets all events go. It returns the memory that was held.
func (l *Log) Clear() (shrunk int64) {
	lost := l.lost
	for _, g := range l.segments {
		shrunk += g.held()
	}
	for _, e := range l.retained() {
		l.noteDropped(e.id)
		l.lost = e.id
	}
	if l.events > 0 {
		if l.NewestID() != l.HeadID() || !l.follows() && l.NewestID() == lost {
			// the events that go do not lie before the place where the upstream goes on
			newest := l.NewestID()
			l.fall(l.HeadID(), eventid.ID{MS: newest.MS, Seq: newest.Seq + 1})
			l.rewritten.displaced = l.head
		}
		l.lost = l.NewestID() // of a log of events without ids it stays
		l.cause = GapEvicted
	}
	l.segments, l.first, l.events = nil, 0, 0
	l.tail = l.head
	return shrunk
}
