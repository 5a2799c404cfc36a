package shard

import (
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// log is a topic's append-only sequence of events in wire form. Positions in it
// are byte offsets since the topic was made; they are never reused. Its fields
// are guarded by the topic's lock.
type log struct {
	segments []*segment
	first    int        // first event of segments[0] that is still retained
	tail     uint64     // position of the first retained event
	head     uint64     // position after the newest event
	events   int        // retained events
	last     eventid.ID // of the newest event ever appended; zero if there was none
	lost     eventid.ID // the newest id that is not retained: every later event is
	evicted  bool       // the node-wide cap, not the topic's own bounds, took the last event that was lost
}

// Retention bounds one topic's history. A bound of 0 is no bound.
type Retention struct {
	Events int
	Bytes  int64
	AgeMS  int64
}

// append adds an event: body, then its id line and the blank line. It returns by
// how much the memory held has grown. id must be above last and lost.
func (l *log) append(body []byte, id eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	idText := id.Append(text[:0])
	need := len(body) + len(idText) + sse.IDOverheadBytes

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
	l.last = id
	l.events++
	return grown
}

func (l *log) newest() *segment {
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

// trim drops the oldest events until the retention holds. It returns by how much
// the memory held has shrunk. The newest event goes only by age.
func (l *log) trim(r *Retention, nowMS uint64) (shrunk int64) {
	for l.events > 0 {
		oldest := l.segments[0].index[l.first]
		over := l.events > 1 && (r.Events > 0 && l.events > r.Events ||
			r.Bytes > 0 && l.head-l.tail > uint64(r.Bytes))
		if !over && !(r.AgeMS > 0 && oldest.id.MS+uint64(r.AgeMS) < nowMS) {
			break
		}
		shrunk += l.drop(oldest)
		l.evicted = false
	}
	return shrunk
}

// drop lets the oldest event go, and its segment with the last of its events.
func (l *log) drop(oldest entry) (shrunk int64) {
	g := l.segments[0]
	l.lost = oldest.id
	l.tail = g.base + uint64(oldest.end)
	l.events--
	if l.first++; l.first < len(g.index) {
		return 0
	}
	l.first = 0
	l.segments[0] = nil
	l.segments = l.segments[1:]
	if len(l.segments) == 0 {
		l.segments = nil
	}
	return g.held()
}

// clear lets all events go. It returns the memory that was held.
func (l *log) clear() (shrunk int64) {
	for _, g := range l.segments {
		shrunk += g.held()
	}
	if l.events > 0 {
		l.lost = l.last
		l.evicted = true
	}
	l.segments, l.first, l.events = nil, 0, 0
	l.tail = l.head
	return shrunk
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
		return eventid.After(l.last)
	case nowMS > l.lost.MS:
		return eventid.At(nowMS)
	}
	return eventid.After(l.lost)
}
