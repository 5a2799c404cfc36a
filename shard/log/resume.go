package log

import (
	"ssedge/proto/eventid"
)

// Place is where a stream takes up a topic: the cursor, the position that names it to the client,
// and, if Cause is set, the gap that must be told first.
type Place struct {
	Cursor uint64
	Head   uint64           // of the log: equal to Cursor if there is nothing to catch up with
	At     eventid.Position // what the client has seen, once the gap was told
	Cause  GapCause         // GapNone: nothing is missing
	From   eventid.Position // the gap: after From …
	Known  bool             // … if that is known at all
	To     eventid.Position // … up to To; zero if it has no name
}

// Resume is what a client said of the events it has seen.
type Resume uint8

const (
	ResumeNot       Resume = iota // nothing: it begins with what is published from now on
	ResumeAt                      // it has seen everything up to a position
	ResumeEarliest                // it wants everything that is retained
	ResumeMalformed               // something that is no id of such a stream
	ResumeNewest                  // nothing, but it wants so many of the newest events
)

// Resume finds the place for a client that has seen everything up to p: the one rule by which
// events are never lost silently. p is taken only if it can be proved: the id of a retained event,
// of the newest one that is not retained, or a time since which everything is. Otherwise there is a
// gap, and the stream goes on with what lies behind p in the order of ids:
//
//   - an expired position goes on with the oldest event that is left (or as the topic's
//     policy says), exactly like a slow consumer that was overrun;
//   - a position of another history (unknown) goes on with the next event there is. It
//     cannot be known which of the events before that the client has;
//   - a position ahead of the topic (future) has nothing behind it: it goes on live. A time ahead
//     of a foreign log may be of a clock that has gone back since: it goes on with the oldest
//     event.
func (l *Log) Resume(p eventid.Position, nowMS uint64) Place {
	return l.withUntold(l.resumeAt(p, nowMS))
}

// Live is the place of a stream that begins with what is added from now on, Malformed that of one
// that came with something that is no id of it, and Earliest that of one that wants all events.
func (l *Log) Live(nowMS uint64) Place {
	return Place{Cursor: l.head, At: l.Start(nowMS), To: eventid.After(l.last)}
}
func (l *Log) Malformed(nowMS uint64) Place {
	p := l.Live(nowMS)
	p.Cause = GapMalformed
	return p
}
func (l *Log) Earliest() Place { return Place{Cursor: l.tail, At: eventid.PositionOf(l.lost)} }

// Rewound is the place before the newest n events that are retained, as far as there are so many.
// It is found in the index: a gap in the log counts as an event there.
func (l *Log) Rewound(n int) Place {
	if n >= l.events {
		return l.Earliest()
	}
	for i := len(l.segments) - 1; ; i-- { // there are more than n events
		g := l.segments[i]
		if k := len(g.index); n >= k {
			n -= k
			continue
		}
		cursor := g.base + uint64(g.start(len(g.index)-n))
		return Place{Cursor: cursor, At: eventid.PositionOf(l.idAt(cursor))}
	}
}

// resumeAt is Resume without what a client may lack at a place that is found.
func (l *Log) resumeAt(p eventid.Position, nowMS uint64) Place {
	if p.Time && l.foreign {
		return l.resumeEmpty(p, nowMS)
	}
	if p.Time {
		switch {
		case p.ID.MS > nowMS, !l.last.IsZero() && l.last.Less(eventid.Before(p)):
			// another process's clock
			return l.future(p, nowMS)
		case p.ID.MS <= l.lost.MS && !l.lost.IsZero():
			return l.expired(p, nowMS)
		}
		return Place{Cursor: l.after(p), At: p}
	}
	id := p.ID
	if cursor, ok := l.Find(id); ok && (id != l.lost || l.follows()) {
		return Place{Cursor: cursor, At: p}
	}
	newest := l.NewestID()
	switch {
	case id == l.lost && !l.follows():
		return l.expired(p, nowMS)
	case id == l.lost:
		return Place{Cursor: l.beginning(), At: p}
	case id.Less(l.lost) && !l.beginsBelow(id):
		return l.expired(p, nowMS)
	case newest.Less(id) && !(id.IsBound() && newest.IsBound()):
		// if both are times, the topic has had no event since either
		return l.future(p, nowMS)
	case id.IsBound(): // since a time, of an edge that did not know the topic's events (Join.fix)
		return l.Since(p)
	}
	return l.unknown(p)
}

// Since is the place behind a time, for a client that has had nothing since: before the first event
// that lies after it.
func (l *Log) Since(p eventid.Position) Place {
	if !l.sorted() {
		return l.withGone(Place{Cursor: l.firstAfter(p), At: p})
	}
	return l.withGone(Place{Cursor: l.after(p), At: p})
}

// withGone tells what came after a time and is not retained any more, in a history that was
// rewritten.
func (l *Log) withGone(p Place) Place {
	if gone := l.Gone(); p.At.Precedes(gone) {
		p.Cause, p.From, p.To = GapExpired, p.At, eventid.PositionOf(gone)
	}
	return p
}

// resumeEmpty is Resume in a foreign log, from a time at which the topic had no event: all that
// it has came later, whatever the clocks say of it.
func (l *Log) resumeEmpty(p eventid.Position, nowMS uint64) Place {
	if cursor, ok := l.Find(eventid.Before(p)); ok {
		return Place{Cursor: cursor, At: p}
	}
	newest := l.NewestID()
	back := !newest.IsBound() && newest.Less(eventid.Before(p)) // a clock has gone
	if cursor, erased, ok := l.beganAnew(eventid.Before(p)); ok && !back {
		found := Place{Cursor: cursor, At: p}
		if erased {
			found.Cause, found.To = GapMissed, eventid.PositionOf(l.idAt(cursor))
		}
		return found
	}
	switch {
	case p.ID.MS <= l.lost.MS && !l.lost.IsZero(), !l.lost.IsBound() && !l.lost.IsZero():
		return l.expired(p, nowMS)
	case back:
		return Place{Cursor: l.beginning(), At: eventid.PositionOf(l.lost), Cause: GapFuture,
			From: p, To: eventid.PositionOf(eventid.Max(newest, l.Gone()))}
	}
	return l.withGone(Place{Cursor: l.beginning(), At: p})
}

// expired is the place of a client whose position lies before the tail. If the topic was forgotten
// in between, lost is at or above its last event. A position that is an id may be of a deleted
// history and lie above what the client missed; that cannot be known. So from is left out only for
// a time in a foreign log, which is known to be such.
func (l *Log) expired(p eventid.Position, nowMS uint64) Place {
	at := eventid.PositionOf(l.lost)
	if l.events == 0 {
		at = l.Start(nowMS)
	}
	cause := GapExpired
	if l.cause == GapEvicted {
		cause = GapEvicted
	}
	found := Place{Cursor: l.tail, At: at, Cause: cause, From: p, Known: !p.Time || !l.foreign,
		To: eventid.PositionOf(l.lost)}
	if l.lost.IsBound() {
		// the topic had no event then at one edge, others may have: those without an id
		found.Cursor = l.beginning()
	}
	l.rewritten.widen(&found)
	return found
}

// future is the place of a client whose position lies ahead of the topic.
func (l *Log) future(p eventid.Position, nowMS uint64) Place {
	found := Place{Cursor: l.head, At: l.Start(nowMS), Cause: GapFuture, From: p,
		To: eventid.After(l.last)}
	if l.foreign { // of another history, whose events have any ids
		found.To = eventid.Position{}
	}
	return found
}

// unknown is the place of a client whose position lies among the log's events and is none of them.
func (l *Log) unknown(p eventid.Position) Place {
	cursor := l.after(p)
	if found, ok := l.behindHole(cursor, p); ok {
		return found
	}
	before := l.lost
	if cursor > l.tail {
		before = l.idBefore(cursor)
	}
	found := Place{Cursor: cursor, At: eventid.PositionOf(before), Cause: GapUnknown,
		To: eventid.PositionOf(before)}
	if l.foreign { // another node may know it: the client keeps it
		found.At, found.To = p, eventid.Position{}
	}
	return found
}
