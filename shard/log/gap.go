package log

import (
	"bytes"
	"encoding/json"
	"math"

	"ssedge/proto/eventid"
)

// A gap is told in the stream, where a plain EventSource can see it:
//
//	event: gap
//	data: {"topic":"prices","from":"1763880000123-0","to":"1763880000456-2","cause":"overrun"}
//	id: 1763880000456-2
//
// Events after from, up to and including to, are missing. from is null if it is not known
// what the client has, to if there is nothing to name. The id makes a client that
// reconnects go on from there: a gap is told once, but for those of untold.go.

// gapBegin is how a gap begins. No published event has that name.
var gapBegin = []byte("event: gap\n")

// AppendGap appends the event and data lines of a gap. The range can always hold an event: if from
// is not below to, the bound that would make it empty is left out.
func AppendGap(dst []byte, topic string, p *Place) []byte {
	known, to := p.Known, p.To
	if from, end := eventid.Before(p.From), eventid.Before(to); known && !to.ID.IsZero() &&
		!from.Less(end) {
		if from == end { // events without an id
			to = eventid.Position{}
		} else {
			known = false
		}
	}
	name, _ := json.Marshal(topic) // a string cannot fail
	dst = append(append(dst, gapBegin...), "data: {\"topic\":"...)
	dst = append(dst, name...)
	dst = append(dst, `,"from":`...)
	if known {
		dst = append(p.From.Append(append(dst, '"')), '"')
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"to":`...)
	if to == (eventid.Position{}) {
		dst = append(dst, "null"...)
	} else {
		dst = append(to.Append(append(dst, '"')), '"')
	}
	dst = append(dst, `,"cause":"`...)
	dst = append(dst, p.Cause.String()...)
	return append(dst, "\"}\n"...)
}

// Skip adds a gap of that topic over the events after from, up to and including to: they cannot be
// had any more. A zero from means that it is not known where the gap begins; a zero to, that the
// missing events have no ids. Each stream that reaches it is told. It returns by how much the
// memory held has grown.
func (l *Log) Skip(topic string, from, to eventid.ID) (grown int64) {
	gap := Place{From: eventid.PositionOf(from), Known: !from.IsBound() && !from.IsZero(),
		To: eventid.PositionOf(to), Cause: GapMissed}
	at := to
	switch {
	case to.IsZero():
		to, at = l.NewestID(), l.HeadID()
	case !l.NewestID().Less(to):
		// if to is below the events that this log has, it is no place behind the gap
		at = eventid.ID{MS: to.MS, Seq: math.MaxUint64 - 1}
	}
	if from.IsZero() {
		l.Fork(eventid.ID{})
	}
	return l.appendGap(AppendGap(nil, topic, &gap), at, to)
}

// behindHole returns the place behind a gap of this node's log that is the event at cursor, for a
// client at p, which lies in it: told from p on, the gap is told once.
func (l *Log) behindHole(cursor uint64, p eventid.Position) (found Place, ok bool) {
	if l.foreign || cursor == l.head {
		return found, false
	}
	g := l.segments[l.segmentAt(cursor)]
	k := g.eventAt(cursor)
	if !bytes.HasPrefix(g.buf[g.start(k):], gapBegin) {
		return found, false
	}
	to := eventid.PositionOf(g.index[k].id)
	return Place{Cursor: g.base + uint64(g.index[k].end), At: to, Cause: GapMissed, From: p,
		Known: true, To: to}, true
}
