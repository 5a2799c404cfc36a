package shard

import (
	"ssedge/proto/eventid"
)

// place is where a stream takes up a topic: the cursor, the position that names
// it to the client, and, if cause is set, the gap that must be told first.
type place struct {
	cursor uint64
	head   uint64           // of the log: equal to cursor if there is nothing to catch up with
	at     eventid.Position // what the client has seen, once the gap was told
	cause  GapCause         // gapNone: nothing is missing
	from   eventid.Position // the gap: after from …
	known  bool             // … if that is known at all
	to     eventid.Position // … up to to; zero if it has no name
}

// resume finds the place for a client that has seen everything up to p: the one
// rule by which events are never lost silently. p is taken only if it can be
// proved: the id of a retained event, of the newest one that is not retained, or
// a time since which everything is. Otherwise there is a gap, and the stream goes on
// with what lies behind p in the order of ids:
//
//   - an expired position goes on with the oldest event that is left (or as the topic's
//     policy says), exactly like a slow consumer that was overrun;
//   - a position of another history (unknown) goes on with the next event there is. It
//     cannot be known which of the events before that the client has;
//   - a position ahead of the topic (future) has nothing behind it: it goes on live. A time ahead of a
//     foreign log may be of a clock that has gone back since: it goes on with the oldest event.
func (l *log) resume(p eventid.Position, nowMS uint64) place {
	return l.withUntold(l.resumeAt(p, nowMS))
}

// resumeAt is resume without what a client may lack at a place that is found.
func (l *log) resumeAt(p eventid.Position, nowMS uint64) place {
	if p.Time && l.foreign {
		return l.resumeEmpty(p, nowMS)
	}
	if p.Time {
		switch {
		case p.ID.MS > nowMS, !l.last.IsZero() && l.last.Less(eventid.Before(p)): // another process's clock
			return l.future(p, nowMS)
		case p.ID.MS <= l.lost.MS && !l.lost.IsZero():
			return l.expired(p, nowMS)
		}
		return place{cursor: l.after(p), at: p}
	}
	id := p.ID
	if cursor, ok := l.find(id); ok && (id != l.lost || l.follows()) {
		return place{cursor: cursor, at: p}
	}
	newest := l.newestID()
	switch {
	case id == l.lost && !l.follows():
		return l.expired(p, nowMS)
	case id == l.lost:
		return place{cursor: l.beginning(), at: p}
	case id.Less(l.lost) && !l.beginsBelow(id):
		return l.expired(p, nowMS)
	case newest.Less(id) && !(id.IsBound() && newest.IsBound()): // if both are times, the topic has had no event since either
		return l.future(p, nowMS)
	case id.IsBound(): // since a time, of an edge that did not know the topic's events (Join.fix)
		return l.since(p)
	}
	return l.unknown(p)
}

// since is the place behind a time, for a client that has had nothing since: before the first event
// that lies after it.
func (l *log) since(p eventid.Position) place {
	if !l.sorted() {
		return l.withGone(place{cursor: l.firstAfter(p), at: p})
	}
	return l.withGone(place{cursor: l.after(p), at: p})
}

// withGone tells what came after a time and is not retained any more, in a history that was rewritten.
func (l *log) withGone(p place) place {
	if gone := l.gone(); p.at.Precedes(gone) {
		p.cause, p.from, p.to = GapExpired, p.at, eventid.PositionOf(gone)
	}
	return p
}

// resumeEmpty is resume in a foreign log, from a time at which the topic had no event: all that
// it has came later, whatever the clocks say of it.
func (l *log) resumeEmpty(p eventid.Position, nowMS uint64) place {
	if cursor, ok := l.find(eventid.Before(p)); ok {
		return place{cursor: cursor, at: p}
	}
	newest := l.newestID()
	back := !newest.IsBound() && newest.Less(eventid.Before(p)) // a clock has gone
	if cursor, erased, ok := l.beganAnew(eventid.Before(p)); ok && !back {
		found := place{cursor: cursor, at: p}
		if erased {
			found.cause, found.to = GapMissed, eventid.PositionOf(l.idAt(cursor))
		}
		return found
	}
	switch {
	case p.ID.MS <= l.lost.MS && !l.lost.IsZero(), !l.lost.IsBound() && !l.lost.IsZero():
		return l.expired(p, nowMS)
	case back:
		return place{cursor: l.beginning(), at: eventid.PositionOf(l.lost), cause: GapFuture, from: p, to: eventid.PositionOf(eventid.Max(newest, l.gone()))}
	}
	return l.withGone(place{cursor: l.beginning(), at: p})
}

// expired is the place of a client whose position lies before the tail. If the topic was forgotten in
// between, lost is at or above its last event. A position that is an id may be of a deleted history
// and lie above what the client missed; that cannot be known. So from is left out only for a time in a
// foreign log, which is known to be such.
func (l *log) expired(p eventid.Position, nowMS uint64) place {
	at := eventid.PositionOf(l.lost)
	if l.events == 0 {
		at = l.start(nowMS)
	}
	cause := GapExpired
	if l.cause == GapEvicted {
		cause = GapEvicted
	}
	found := place{cursor: l.tail, at: at, cause: cause, from: p, known: !p.Time || !l.foreign, to: eventid.PositionOf(l.lost)}
	if l.lost.IsBound() { // the topic had no event then at one edge, others may have: those without an id
		found.cursor = l.beginning()
	}
	l.rewritten.widen(&found)
	return found
}

// future is the place of a client whose position lies ahead of the topic.
func (l *log) future(p eventid.Position, nowMS uint64) place {
	found := place{cursor: l.head, at: l.start(nowMS), cause: GapFuture, from: p, to: eventid.After(l.last)}
	if l.foreign { // of another history, whose events have any ids
		found.to = eventid.Position{}
	}
	return found
}

// unknown is the place of a client whose position lies among the log's events and is none of them.
func (l *log) unknown(p eventid.Position) place {
	cursor := l.after(p)
	before := l.lost
	if cursor > l.tail {
		before = l.idBefore(cursor)
	}
	found := place{cursor: cursor, at: eventid.PositionOf(before), cause: GapUnknown, to: eventid.PositionOf(before)}
	if l.foreign { // another node may know it: the client keeps it
		found.at, found.to = p, eventid.Position{}
	}
	return found
}

// after is the place right behind the last retained event that does not lie
// after p.
func (l *log) after(p eventid.Position) (cursor uint64) {
	if !l.sorted() {
		return l.scanAfter(p)
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		g, first := l.segments[i], 0
		if i == 0 {
			first = l.first // the ids of events that were let go may be higher
		}
		if n := g.after(p, first, len(g.index)); n > 0 || i == 0 {
			return g.base + uint64(g.start(n))
		}
	}
	return l.head
}

// idBefore returns the id of the event that ends at cursor; zero if it is not
// retained.
func (l *log) idBefore(cursor uint64) eventid.ID {
	if cursor <= l.tail {
		return eventid.ID{}
	}
	g := l.segments[l.segmentAt(cursor-1)]
	off := uint32(cursor - g.base)
	for lo, hi := 0, len(g.index); lo < hi; {
		mid := (lo + hi) / 2
		switch {
		case g.index[mid].end == off:
			return g.index[mid].id
		case g.index[mid].end < off:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return eventid.ID{}
}
