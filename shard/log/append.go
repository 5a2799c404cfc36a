package log

import (
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// Append adds an event: body in wire form without its id (sse.AppendBody), which is copied, then
// its id line and the blank line. It returns by how much the memory held has grown. In a log of
// this node id must be above all that the topic has had.
func (l *Log) Append(body []byte, id eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, id, id.Append(text[:0]))
	l.last = id
	return grown
}

// AppendRaw adds an event that has no id: a receiver stands where it stood.
func (l *Log) AppendRaw(body []byte) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	id := l.HeadID()
	return l.put(body, id, eventid.PositionOf(id).Append(text[:0]))
}

// appendGap adds a gap event. A stream that was sent the gap stands at at; the topic stands at to.
func (l *Log) appendGap(body []byte, at, to eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, at, eventid.PositionOf(at).Append(text[:0]))
	l.last = to
	return grown
}

func (l *Log) put(body []byte, id eventid.ID, idText []byte) (grown int64) {
	need := len(body) + len(idText) + sse.IDOverheadBytes
	l.noteAppended(id)

	g := l.newest()
	if g == nil || cap(g.buf)-len(g.buf) < need {
		g = newSegment(l.head, need, l.head-l.tail)
		l.segments = append(l.segments, g)
		grown = g.held()
	}
	indexed := cap(g.index)
	g.add(body, id, idText)
	grown += int64(cap(g.index)-indexed) * entryBytes

	l.head = g.end()
	l.events++
	return grown
}

// Prepend adds the events that lie right before the oldest one, at least one; lost is the id before
// them. Holes become gaps of that topic. It returns by how much the memory held has grown. The log
// must be whole: cursors below the tail would be given a second time, and streams that are overrun
// stand there.
func (l *Log) Prepend(topic string, events []Older, lost eventid.ID) (grown int64) {
	var before []*segment
	var text [eventid.MaxPositionBytes]byte
	total := uint64(0)
	last := lost
	for _, e := range events {
		if e.Body == nil {
			e.Body = AppendGap(nil, topic, &Place{From: eventid.PositionOf(last), Known: true,
				To: eventid.PositionOf(e.ID), Cause: GapMissed})
		}
		last = e.ID
		idText := eventid.PositionOf(e.ID).Append(text[:0])
		need := len(e.Body) + len(idText) + sse.IDOverheadBytes
		var g *segment
		if n := len(before); n > 0 && cap(before[n-1].buf)-len(before[n-1].buf) >= need {
			g = before[n-1]
		} else {
			g = newSegment(0, need, total)
			before = append(before, g)
		}
		g.add(e.Body, e.ID, idText)
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

// Lower moves the place of the log, before which nothing is, to an earlier id. Events without an id
// at its beginning have that, and so have losses there.
func (l *Log) Lower(lost eventid.ID) {
	was := l.lost
	l.lost = lost
	if l.rewritten != nil {
		for i := range l.rewritten.losses {
			if x := &l.rewritten.losses[i]; x.before == was {
				x.before = lost
			}
		}
	}
	for i, g := range l.segments {
		n := 0
		for n < len(g.index) && g.index[n].id == was {
			n++
		}
		if n > 0 { // snapshots keep what they have
			lowered := *g
			lowered.index = append(make([]entry, 0, cap(g.index)), g.index...)
			for k := range n {
				lowered.index[k].id = lost
			}
			l.segments[i] = &lowered
		}
		if n < len(g.index) {
			return
		}
	}
}
