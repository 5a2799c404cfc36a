package shard

import (
	"slices"

	"ssedge/proto/eventid"
)

// An upstream may rewrite a topic's history: a server without the newest events takes over, an
// older copy is restored, a clock goes back. The log keeps what it has, and every stream that lacks
// those events gets them. The ids that follow may be lower than those before. rewritten records what
// a log must know of that. While the events are not in the order of their ids, ids are searched one
// by one, and a gap's range is wide enough for what is missing on either side. Most logs have no
// rewritten.
type rewritten struct {
	falls  uint64     // position behind which ids may be below earlier ones; the newest, if there are several
	fell   uint64     // the first such position
	low    eventid.ID // the lowest id behind such a position …
	high   eventid.ID // … and the highest before one: an id between them may be of either side
	anew   uint64     // position behind which the upstream's stream began anew, and nothing is missing; the newest, if there are several
	apart  uint64     // position: before it, events were let go that do not lie before the log's place
	losses []loss
	gone   eventid.ID // the highest id of an event that is not retained
	began  eventid.ID // id of a gap that is not retained, behind which the upstream's stream began anew; zero: there was none
}

// loss is a gap over events that never came to the log.
type loss struct {
	at uint64     // position
	id eventid.ID // the highest of theirs
}

// isBound reports whether id belongs to no event, but is the last possible one before a time.
func isBound(id eventid.ID) bool { return id.Seq == maxSeq }

func highest(a, b eventid.ID) eventid.ID {
	if a.Less(b) {
		return b
	}
	return a
}

// rewrite is called when the log may be rewritten from here on.
func (l *log) rewrite() *rewritten {
	if l.rewritten == nil {
		l.rewritten = &rewritten{gone: l.gone()}
	}
	return l.rewritten
}

// gone is the highest id of the events that are not retained or lie before the log's place; zero if
// there are none.
func (l *log) gone() eventid.ID {
	switch {
	case l.rewritten != nil:
		return l.rewritten.gone
	case isBound(l.lost):
		return eventid.ID{}
	}
	return l.lost
}

// follow notes that an event with that id is about to be put at the head.
func (l *log) follow(id eventid.ID) {
	before := l.lost
	if l.events > 0 {
		before = l.headID()
	}
	if id.Less(before) {
		l.rewrite().fall(l.head, before, id)
	}
}

// fork notes that what follows at the head follows the event with that id.
func (l *log) fork(id eventid.ID) {
	l.rewrite().fall(l.head, l.headID(), eventid.ID{MS: id.MS, Seq: id.Seq + 1})
	if isBound(id) {
		l.rewritten.anew = l.head
	}
	l.last = id
}

// lose notes that a gap over an event with that id, which never came, is about to be put at the head.
func (l *log) lose(id eventid.ID) {
	newest, r := l.newestID(), l.rewrite()
	r.fall(l.head, highest(id, l.headID()), eventid.ID{MS: newest.MS, Seq: newest.Seq + 1})
	r.gone = highest(r.gone, id)
	r.losses = append(slices.DeleteFunc(r.losses, func(x loss) bool { return x.at < l.tail }), loss{l.head, id})
}

// withLosses tells of losses that lie between what a client has seen and its place: their gaps have the id of what is
// before them, so whether the client was told is not known.
func (l *log) withLosses(p place) place {
	if l.rewritten == nil || p.cause != gapNone {
		return p
	}
	for _, x := range l.rewritten.losses {
		if x.at >= l.tail && x.at < p.cursor && l.idAt(x.at) == l.idAt(p.cursor) {
			p.cause, p.to = GapMissed, positionOf(highest(Before(p.to), x.id))
		}
	}
	return p
}

// idAt is the id of what lies before a position of the log.
func (l *log) idAt(cursor uint64) eventid.ID {
	if cursor == l.tail {
		return l.lost
	}
	return l.idBefore(cursor)
}

// fall notes that at position at, behind ids of up to before, there follow ids that may be as low as
// low.
func (r *rewritten) fall(at uint64, before, low eventid.ID) {
	if r.falls == 0 || low.Less(r.low) {
		r.low = low
	}
	if r.high.IsZero() {
		r.fell = at
	}
	r.falls, r.high = at, highest(r.high, before)
}

// leave notes that an event is about to be dropped.
func (l *log) leave(id eventid.ID) {
	if isBound(id) && id != l.lost {
		l.rewrite().began = id
	} else if l.rewritten != nil && !isBound(id) {
		l.rewritten.gone = highest(l.rewritten.gone, id)
	}
}

// widen makes the range of a gap hold what is missing though the history was rewritten.
func (r *rewritten) widen(p *place) {
	if r == nil || r.falls == 0 {
		return
	}
	if from := Before(p.from); !from.Less(r.low) && !r.high.Less(from) {
		p.known = false
	}
	p.to = positionOf(highest(Before(p.to), r.gone))
}

// follows reports whether the log is all that came behind its place.
func (l *log) follows() bool { return l.rewritten == nil || l.rewritten.apart != l.tail || l.tail == 0 }

// sorted reports whether the retained events stand in the order of their ids.
func (l *log) sorted() bool { return l.rewritten == nil || l.rewritten.falls <= l.tail }

// find returns where the event with that id ends, and those without an id behind it; false if it
// is not retained. Of two with the same id it is the newer one.
func (l *log) find(id eventid.ID) (cursor uint64, ok bool) {
	if l.sorted() {
		cursor = l.after(eventid.After(id))
		return cursor, l.events > 0 && l.idBefore(cursor) == id && cursor > l.tail
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		g := l.segments[i]
		for k := len(g.index) - 1; k >= 0 && (i > 0 || k >= l.first); k-- {
			if g.index[k].id == id {
				return g.base + uint64(g.index[k].end), true
			}
		}
	}
	return 0, false
}

// scanAfter is after for a log that is not sorted: the place behind the last event that does not lie
// after p. Everything behind it is delivered. Events before it may lie after p; they are told as a
// gap.
func (l *log) scanAfter(p eventid.Position) uint64 {
	for i := len(l.segments) - 1; i >= 0; i-- {
		g := l.segments[i]
		for k := len(g.index) - 1; k >= 0 && (i > 0 || k >= l.first); k-- {
			if !p.Precedes(g.index[k].id) {
				return g.base + uint64(g.index[k].end)
			}
		}
	}
	return l.tail
}

// beganAnew returns the last place where the upstream's stream began anew behind events that are all
// older than a time at which it was empty; false if there is none. Once ids have fallen, times mean
// nothing behind such a place.
func (l *log) beganAnew(empty eventid.ID) (cursor uint64, ok bool) {
	anew := uint64(0)
	before := highest(l.gone(), l.lost) // the highest id of an event until here …
	if l.rewritten != nil {
		anew = l.rewritten.anew
		if l.rewritten.fell <= l.tail {
			before = highest(before, l.rewritten.high) // … or of a time above those
		}
	}
	at := l.tail
	for i, g := range l.segments {
		for k := range g.index {
			if i == 0 && k < l.first {
				continue
			}
			if at == anew && at > l.tail && before.Less(empty) {
				cursor, ok = at, true
			}
			at = g.base + uint64(g.index[k].end)
			switch id := g.index[k].id; {
			case isBound(id) && id != l.lost && before.Less(empty):
				cursor, ok = at, true
			case isBound(id):
			case ok && id.Less(before):
				return cursor, true
			default:
				before = highest(before, id)
			}
		}
	}
	return cursor, ok
}

// beginsBelow reports whether there is nothing before the log and its first event's id is not above
// id: the clock that gave the log its place has gone back.
func (l *log) beginsBelow(id eventid.ID) bool {
	cursor := l.beginning()
	if !isBound(l.lost) || cursor == l.head {
		return false
	}
	g := l.segments[l.segmentAt(cursor)]
	first := g.after(eventid.After(eventid.ID{}))
	for g.base+uint64(g.start(first)) < cursor {
		first++
	}
	return !id.Less(g.index[first].id)
}

// firstAfter is where the first event begins that lies after p, in a log that is not sorted.
func (l *log) firstAfter(p eventid.Position) (cursor uint64) {
	cursor = l.tail
	for i, g := range l.segments {
		for k := range g.index {
			if i == 0 && k < l.first {
				continue
			}
			if p.Precedes(g.index[k].id) {
				return cursor
			}
			cursor = g.base + uint64(g.index[k].end)
		}
	}
	return cursor
}

// beginning is the place behind the events without an id at the tail of the log, which have the
// position at which the log begins.
func (l *log) beginning() uint64 {
	cursor := l.tail
	for i, g := range l.segments {
		for k := range g.index {
			if i == 0 && k < l.first {
				continue
			}
			if g.index[k].id != l.lost {
				return cursor
			}
			cursor = g.base + uint64(g.index[k].end)
		}
	}
	return cursor
}
