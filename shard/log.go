package shard

import (
	"iter"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// log is a topic's append-only sequence of events in wire form. Positions in it
// are byte offsets since the topic was made; they are never reused. Its fields
// are guarded by the topic's lock.
type log struct {
	segments  []*segment
	first     int        // first event of segments[0] that is still retained
	tail      uint64     // position of the first retained event
	head      uint64     // position after the newest event
	lowest    uint64     // with foreign: the lowest position that there has ever been
	events    int        // retained events
	last      eventid.ID // of the newest event that the topic has; zero if there was none yet
	lost      eventid.ID // the id at the tail: of the last event that was let go, or of the log's place
	foreign   bool       // the events are those of an upstream, which gives them their ids
	over      bool       // with foreign: the topic was forgotten, and nothing is added any more
	placed    bool       // with foreign: lost is known, so that the log has a place in its topic
	cause     GapCause   // why the last lost event was lost: GapOverrun or GapEvicted
	rewritten *rewritten // nil: the history was never rewritten
	youth     youth      // which of the events the window keeps
}

// Retention bounds one topic's history: what may be resumed from. A bound of 0 is no bound.
type Retention struct {
	Events int
	Bytes  int64
	AgeMS  int64
	Window Window // what is kept beyond that, to be sent
}

// append adds an event: body, then its id line and the blank line. It returns by
// how much the memory held has grown. In a log of this node id must be above last and lost.
func (l *log) append(body []byte, id eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, id, id.Append(text[:0]))
	l.last = id
	return grown
}

// appendRaw adds an event that has no id: a receiver stands where it stood.
func (l *log) appendRaw(body []byte) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	id := l.headID()
	return l.put(body, id, eventid.PositionOf(id).Append(text[:0]))
}

// appendGap adds a gap event. A stream that was sent the gap stands at at; the topic stands at to.
func (l *log) appendGap(body []byte, at, to eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, at, eventid.PositionOf(at).Append(text[:0]))
	l.last = to
	return grown
}

// headID is the id of the last event in the log. If the history was rewritten, it may differ from the
// id of the topic's newest event.
func (l *log) headID() eventid.ID {
	if l.events == 0 {
		return l.newestID()
	}
	g := l.newest()
	return g.index[len(g.index)-1].id
}

func (l *log) put(body []byte, id eventid.ID, idText []byte) (grown int64) {
	need := len(body) + len(idText) + sse.IDOverheadBytes
	l.follow(id)

	g := l.newest()
	if g == nil || cap(g.buf)-len(g.buf) < need {
		g = newSegment(l.head, need, l.head-l.tail)
		l.segments = append(l.segments, g)
		grown = g.held()
	}
	indexed := cap(g.index)
	g.buf = append(g.buf, body...)
	g.buf = sse.AppendID(g.buf, idText)
	g.index = append(g.index, entry{id: id, end: uint32(len(g.buf))})
	grown += int64(cap(g.index)-indexed) * entryBytes

	l.head = g.end()
	l.events++
	return grown
}

// prepend adds the events that lie right before the oldest one; lost is the id before them. It
// returns by how much the memory held has grown. Nothing may ever have been let go: positions
// below the tail would be given a second time, and streams that are overrun stand there.
func (l *log) prepend(events []Older, lost eventid.ID) (grown int64) {
	var before []*segment
	var text [eventid.MaxPositionBytes]byte
	total := uint64(0)
	for _, e := range events {
		idText := eventid.PositionOf(e.ID).Append(text[:0])
		need := len(e.Body) + len(idText) + sse.IDOverheadBytes
		var g *segment
		if n := len(before); n > 0 && cap(before[n-1].buf)-len(before[n-1].buf) >= need {
			g = before[n-1]
		} else {
			g = newSegment(0, need, total)
			before = append(before, g)
		}
		g.buf = sse.AppendID(append(g.buf, e.Body...), idText)
		g.index = append(g.index, entry{id: e.ID, end: uint32(len(g.buf))})
		total += uint64(need)
	}
	l.tail -= total
	l.lowest = l.tail
	base := l.tail
	for _, g := range before {
		g.base = base
		base += uint64(len(g.buf))
		grown += g.held()
	}
	l.segments = append(before, l.segments...)
	l.events += len(events)
	l.lost = lost
	if l.rewritten != nil {
		l.rewritten.prepended(lost)
	}
	if l.last.IsZero() {
		l.last = events[len(events)-1].ID
	}
	return grown
}

// lower moves the place of the log, before which nothing is, to an earlier id. Events without an id at its beginning have that,
// and so have losses there.
func (l *log) lower(lost eventid.ID) {
	was := l.lost
	l.lost = lost
	if l.rewritten != nil {
		for i := range l.rewritten.losses {
			if x := &l.rewritten.losses[i]; x.before == was {
				x.before = lost
			}
		}
	}
	for _, g := range l.segments {
		for k := range g.index {
			if g.index[k].id != was {
				return
			}
			g.index[k].id = lost
		}
	}
}

func (l *log) newest() *segment {
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

// trim drops the oldest events, idMS being the time of the clock that gives them their ids, until the log is within the retention or, where that is wider, its
// window. It returns by how much the memory held has shrunk. The newest event is dropped only for its
// age.
func (l *log) trim(r *Retention, nowMS, idMS uint64) (shrunk int64) {
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
func (l *log) drop(oldest entry) (shrunk int64) {
	segments := l.segments
	if !l.pass(oldest) {
		return 0
	}
	shrunk = segments[0].held()
	segments[0] = nil
	if len(l.segments) == 0 {
		l.segments = nil
	}
	return shrunk
}

// pass moves the tail behind the oldest event. It reports whether that was the last of its segment.
func (l *log) pass(oldest entry) (last bool) {
	g := l.segments[0]
	l.leave(oldest.id)
	displaced := !l.follows() && oldest.id == l.lost
	l.lost, l.tail = oldest.id, g.base+uint64(oldest.end)
	if displaced { // it is no event
		l.rewritten.displaced = l.tail
	}
	l.events--
	if l.first++; l.first < len(g.index) {
		return false
	}
	l.first, l.segments = 0, l.segments[1:]
	return true
}

// clear lets all events go. It returns the memory that was held.
func (l *log) clear() (shrunk int64) {
	lost := l.lost
	for _, g := range l.segments {
		shrunk += g.held()
	}
	for _, e := range l.retained() {
		l.leave(e.id)
		l.lost = e.id
	}
	if l.events > 0 {
		if l.newestID() != l.headID() || !l.follows() && l.newestID() == lost { // the events that go do not lie before the place where the upstream goes on
			newest := l.newestID()
			l.fall(l.headID(), eventid.ID{MS: newest.MS, Seq: newest.Seq + 1})
			l.rewritten.displaced = l.head
		}
		l.lost = l.newestID() // of a log of events without ids it stays
		l.cause = GapEvicted
	}
	l.segments, l.first, l.events = nil, 0, 0
	l.tail = l.head
	return shrunk
}

// retained yields the log's events, oldest first, and where each begins.
func (l *log) retained() iter.Seq2[uint64, entry] {
	return func(yield func(uint64, entry) bool) {
		first := l.first
		for _, g := range l.segments {
			for k := first; k < len(g.index); k++ {
				if !yield(g.base+uint64(g.start(k)), g.index[k]) {
					return
				}
			}
			first = 0
		}
	}
}

// segmentAt returns the index of the segment that holds position p, which must
// be retained.
func (l *log) segmentAt(p uint64) int {
	for i := len(l.segments) - 1; i > 0; i-- { // readers are near the head
		if l.segments[i].base <= p {
			return i
		}
	}
	return 0
}

// start is the position that a stream without a history is given: right after
// the newest event or, before the first one, the present. In the millisecond of
// lost the first event may still come, with a higher sequence number: a time
// could not tell the two apart.
func (l *log) start(nowMS uint64) eventid.Position {
	switch {
	case !l.last.IsZero():
		return eventid.PositionOf(l.last)
	case l.foreign || nowMS <= l.lost.MS:
		return eventid.PositionOf(l.lost)
	}
	return eventid.At(nowMS)
}

// newestID is the id of the topic's newest event or, before the first one, the newest that is
// known to be lost. In a log of this node the next id must be above it.
func (l *log) newestID() eventid.ID {
	if l.last.IsZero() {
		return l.lost
	}
	return l.last
}

// place is the position after the newest event.
func (l *log) place() eventid.Position { return eventid.PositionOf(l.newestID()) }
