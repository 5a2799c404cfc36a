package log

import (
	"iter"

	"ssedge/proto/eventid"
)

// after is the place right behind the last retained event that does not lie after p.
func (l *Log) after(p eventid.Position) (cursor uint64) {
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

// idBefore returns the id of the event that ends at cursor; zero if it is not retained.
func (l *Log) idBefore(cursor uint64) eventid.ID {
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

// retained yields the log's events, oldest first, and where each begins.
func (l *Log) retained() iter.Seq2[uint64, entry] {
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

// segmentAt returns the index of the segment that holds position p, which must be retained.
func (l *Log) segmentAt(p uint64) int {
	for i := len(l.segments) - 1; i > 0; i-- { // readers are near the head
		if l.segments[i].base <= p {
			return i
		}
	}
	return 0
}

// Find returns where the event with that id ends, and those without an id behind it; false if it
// is not retained. Of two with the same id it is the newer one.
func (l *Log) Find(id eventid.ID) (cursor uint64, ok bool) {
	if l.sorted() {
		cursor = l.after(eventid.After(id))
		return cursor, l.events > 0 && l.idBefore(cursor) == id && cursor > l.tail
	}
	runs := l.rewritten.runs
	for i := len(l.segments) - 1; i >= 0; i-- {
		g, first := l.segments[i], 0
		if i == 0 {
			first = l.first
		}
		for end := len(g.index); end > first; { // one run after the other, from the newest
			begin := first
			for len(runs) > 0 && runs[len(runs)-1] >= g.base+uint64(g.start(end)) {
				runs = runs[:len(runs)-1]
			}
			if n := len(runs); n > 0 && runs[n-1] > g.base+uint64(g.start(first)) {
				begin = g.indexAt(runs[n-1])
			}
			if k := g.after(eventid.After(id), begin, end) - 1; k >= begin && g.index[k].id == id {
				return g.base + uint64(g.index[k].end), true
			}
			end = begin
		}
	}
	return 0, false
}

// scanAfter is after for a log that is not sorted: the place behind the last event that does not
// lie after p. Everything behind it is delivered. Events before it may lie after p; they are told
// as a gap.
func (l *Log) scanAfter(p eventid.Position) uint64 {
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

// idAt is the id of what lies before a position of the log.
func (l *Log) idAt(cursor uint64) eventid.ID {
	if cursor == l.tail {
		return l.lost
	}
	return l.idBefore(cursor)
}

// sorted reports whether the retained events stand in the order of their ids.
func (l *Log) sorted() bool { return l.rewritten == nil || l.rewritten.falls <= l.tail }
