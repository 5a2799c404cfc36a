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
// a time since which everything is. Otherwise there is a gap, and:
//
//   - an expired position goes on with the oldest event that is left (or as the
//     topic's policy says), exactly like a slow consumer that was overrun;
//   - one that was never given out (unknown), or lies ahead of the topic
//     (future), says nothing about what the client has: it goes on live.
func (l *log) resume(p eventid.Position, nowMS uint64) place {
	live := place{cursor: l.head, at: l.start(nowMS), from: p, known: true, to: eventid.After(l.last)}
	if p.Time {
		switch {
		case p.ID.MS > nowMS && !l.foreign: // whose clock is another one
			live.cause = GapFuture
			return live
		case p.ID.MS <= l.lost.MS && !l.lost.IsZero():
			return l.expired(p, nowMS)
		}
		return l.after(p)
	}
	id := p.ID
	switch {
	case id == l.last && !id.IsZero():
		return place{cursor: l.head, at: p}
	case l.last.Less(id) && l.lost.Less(id):
		live.cause = GapFuture
		return live
	case id == l.lost:
		return l.after(p)
	case id.Less(l.lost):
		return l.expired(p, nowMS)
	}
	found := l.after(p)
	if l.idBefore(found.cursor) != id {
		live.cause = GapUnknown
		return live
	}
	return found
}

// expired is the place of a client whose position lies before the tail. If the
// topic was forgotten in between, lost is at or above its last event.
func (l *log) expired(p eventid.Position, nowMS uint64) place {
	at := positionOf(l.lost)
	if l.events == 0 {
		at = l.start(nowMS)
	}
	cause := GapExpired
	if l.cause == GapEvicted {
		cause = GapEvicted
	}
	return place{cursor: l.tail, at: at, cause: cause, from: p, known: true, to: positionOf(l.lost)}
}

// after is the place right behind the last retained event that does not lie
// after p.
func (l *log) after(p eventid.Position) place {
	for i := len(l.segments) - 1; i >= 0; i-- {
		g := l.segments[i]
		n := g.after(p)
		if i == 0 {
			n = max(n, l.first)
		}
		if n > 0 || i == 0 {
			return place{cursor: g.base + uint64(g.start(n)), at: p}
		}
	}
	return place{cursor: l.head, at: p}
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
