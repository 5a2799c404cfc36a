package log

import (
	"bytes"

	"ssedge/proto/eventid"
)

// Snapshot is a log as one pass over its readers sees it: taken under the topic's lock, read
// without it. What it points to is immutable. Positions come from the index, never from the bytes.
type Snapshot struct {
	Tail, Head uint64           // cursors at the oldest event and behind the newest
	Last       eventid.Position // after the newest event

	lost      eventid.ID
	cause     GapCause // why the events before Tail are not there
	foreign   bool
	segments  []*segment // the last is &newest
	newest    segment    // as it was: the others never change any more
	rewritten rewritten

	// Most subscribers of a topic stand at the same cursor: what they are sent is found once.
	cachedFor    uint64
	cached       [][]byte
	cachedEvents int // in them; -1 if they were not counted yet
}

// Take fills the snapshot from l. The caller holds the topic's lock.
func (s *Snapshot) Take(l *Log) {
	s.Tail, s.Head, s.Last = l.tail, l.head, l.Position()
	s.lost, s.cause, s.foreign = l.lost, l.cause, l.foreign
	s.rewritten = rewritten{}
	if l.rewritten != nil {
		s.rewritten = *l.rewritten
	}
	s.segments = append(s.segments[:0], l.segments...)
	if n := len(s.segments); n > 0 {
		s.newest = *s.segments[n-1]
		s.segments[n-1] = &s.newest
	}
	s.cached = s.cached[:0]
}

// Drop forgets the bytes, so that they keep no segment alive.
func (s *Snapshot) Drop() {
	clear(s.segments[:cap(s.segments)])
	clear(s.cached[:cap(s.cached)])
	s.segments, s.cached, s.newest = s.segments[:0], s.cached[:0], segment{}
}

// Behind returns the bytes from a cursor, which must not be below Tail or at Head, to Head, one
// piece for each segment they lie in. The slice is valid until the next call.
func (s *Snapshot) Behind(cursor uint64) [][]byte {
	if len(s.cached) > 0 && s.cachedFor == cursor {
		return s.cached
	}
	s.cachedFor, s.cached, s.cachedEvents = cursor, s.cached[:0], -1
	for _, g := range s.segments[s.segmentAt(cursor):] {
		s.cached = append(s.cached, g.buf[max(cursor, g.base)-g.base:])
	}
	return s.cached
}

// EventsBehind is how many events the last answer of Behind has.
func (s *Snapshot) EventsBehind() int {
	if s.cachedEvents < 0 {
		s.cachedEvents = s.EventsBetween(s.cachedFor, s.Head)
	}
	return s.cachedEvents
}

// EventsBetween is how many events lie between two cursors, which must not be below Tail.
func (s *Snapshot) EventsBetween(from, to uint64) (n int) {
	for _, g := range s.segments[s.segmentAt(from):] {
		if from >= to {
			break
		}
		first, end := g.eventAt(from), len(g.index)
		if to < g.end() {
			end = g.eventAt(to)
		}
		n += end - first
		from = g.end()
	}
	return n
}

func (s *Snapshot) segmentAt(cursor uint64) int {
	for i := len(s.segments) - 1; i > 0; i-- { // readers are near the head
		if s.segments[i].base <= cursor {
			return i
		}
	}
	return 0
}

// Event is an event as it stands in a log.
type Event struct {
	Body []byte           // in wire form without its id
	Text []byte           // all of it, with its id line
	At   eventid.Position // after it
	End  uint64           // the cursor behind it
}

// event is event k of a segment, its text from a cursor in it on.
func (g *segment) event(k int, from uint64) Event {
	e := &g.index[k]
	begin := from - g.base
	return Event{
		Body: g.buf[min(begin, uint64(e.idLine)):e.idLine], Text: g.buf[begin:e.end],
		At: eventid.PositionOf(e.id), End: g.base + uint64(e.end),
	}
}

// Event returns the event at a cursor, which must not be below Tail or at Head.
func (s *Snapshot) Event(cursor uint64) Event {
	g := s.segments[s.segmentAt(cursor)]
	return g.event(g.eventAt(cursor), cursor)
}

// HalfSent returns the event in which a send has stopped behind a byte of the log: Text is what is
// unsent of it, nothing if the send stopped between two events.
func (s *Snapshot) HalfSent(sent uint64) Event {
	g := s.segments[s.segmentAt(sent-1)]
	return g.event(g.eventAt(sent-1), sent)
}

// Run returns the events at a cursor, which must not be below Tail or at Head, as far as they lie
// in one segment and have no more than most bytes, at least one: their text, the position after
// them, and the cursor behind them.
func (s *Snapshot) Run(cursor uint64, most int) Event {
	g := s.segments[s.segmentAt(cursor)]
	last := len(g.index) - 1
	if g.end()-cursor > uint64(most) {
		last = g.eventAt(cursor + uint64(most))
		if first := g.eventAt(cursor); last > first {
			last-- // the one that does not fit
		}
	}
	return g.event(last, cursor)
}

// newestEvent returns where the newest event that is no gap begins, and the position before it;
// false if it is the oldest, or there is none.
func (s *Snapshot) newestEvent() (cursor uint64, before eventid.Position, ok bool) {
	for i := len(s.segments) - 1; i >= 0; i-- {
		g := s.segments[i]
		for k := len(g.index) - 1; k >= 0; k-- {
			begin := g.start(k)
			if cursor = g.base + uint64(begin); cursor <= s.Tail {
				return 0, before, false
			}
			if !bytes.HasPrefix(g.buf[begin:], gapBegin) {
				return cursor, s.positionBefore(i, k), true
			}
		}
	}
	return 0, before, false
}

// positionBefore is the position before event k of segment i, which is not the oldest.
func (s *Snapshot) positionBefore(i, k int) eventid.Position {
	if k == 0 {
		i--
		k = len(s.segments[i].index)
	}
	return eventid.PositionOf(s.segments[i].index[k-1].id)
}

// Overrun is where a reader goes on that the log has left behind: at cursor, which is below Tail,
// having seen everything up to from.
func (s *Snapshot) Overrun(cursor uint64, from eventid.Position) Place {
	lost := eventid.PositionOf(s.lost)
	p := Place{Cursor: s.Tail, At: lost, Cause: s.cause, From: from, Known: !from.Time ||
		!s.foreign, To: lost}
	if p.Cause == GapNone {
		p.Cause = GapOverrun
	}
	if cursor <= s.rewritten.falls {
		s.rewritten.widen(&p)
	}
	return p
}

// SkipToNewest moves p on so that only the newest event follows. It reports whether p has moved.
func (s *Snapshot) SkipToNewest(p *Place) bool {
	cursor, before, ok := s.newestEvent()
	if !ok || cursor <= p.Cursor {
		return false
	}
	begin := p.Cursor
	p.Cursor, p.At, p.To = cursor, before,
		eventid.PositionOf(eventid.Max(eventid.Before(p.To), eventid.Before(before)))
	s.rewritten.widenSkipped(p, begin)
	return true
}

// Conflate returns the place of a reader at a cursor that has seen everything up to at and is to go
// on with the newest event only; false if there is nothing to leave out.
func (s *Snapshot) Conflate(cursor uint64, at eventid.Position) (p Place, ok bool) {
	if cursor < s.Tail {
		return p, false // an overrun, which does the same
	}
	p = Place{Cursor: cursor, At: at, Cause: GapConflated, From: at, Known: true}
	return p, s.SkipToNewest(&p)
}

// SkipResumed is SkipToNewest for a stream that resumes at p, if its gap lies before what is left.
func (s *Snapshot) SkipResumed(p *Place) {
	switch p.Cause {
	case GapExpired, GapEvicted, GapUnknown:
		to := p.To
		if s.SkipToNewest(p); to == (eventid.Position{}) {
			// of another history, whose events have any ids
			p.To = to
		}
	}
}
