package shard

import (
	"ssedge/shard/sys"
)

const (
	eagain    = sys.EAGAIN
	piecesMax = sys.PiecesMax
)

// put sends a stream what it is owed, and empties that: s.due, and what the log has from its cursor
// to the head. The caller has filled s.due and taken the snapshot (s.snap). It decides by the
// stream's wire how that is sent. It reports whether the stream is still open; it may be blocked.
func (s *Shard) put(i uint32, sl *slot, of reading) bool {
	open := true
	if sl.wire == WireRaw && of.bundle == nil && of.older == nil {
		open = s.putRange(i, sl, of)
	} else if f := &framings[sl.wire]; f.whole {
		open = s.putAnswer(i, sl, of)
	} else {
		open = s.putUnits(i, sl, f, of, underway{})
	}
	if len(s.due.lead) > 0 {
		s.due.reset()
	}
	return open
}

// putRange sends a raw stream with one topic all of it in one call: the fast path.
func (s *Shard) putRange(i uint32, sl *slot, of reading) bool {
	lead := len(s.due.lead)
	pieces, total := s.pieces[:0], lead
	if of.has && sl.cursor < s.snap.Head {
		pieces = s.snap.Behind(sl.cursor)
		total += int(s.snap.Head - sl.cursor)
	}
	if lead > 0 {
		s.pieces = append(append(s.pieces[:0], s.due.lead), pieces...)
		pieces = s.pieces
	}
	if total == 0 {
		return true
	}
	n, ok := s.send(i, sl, pieces, total)
	if !ok {
		return false
	}
	switch {
	case n == total:
		if total > lead {
			sl.cursor = s.snap.Head
			sl.setLast(s.snap.Last)
			s.stats.countEvents(s.snap.EventsBehind())
		}
		return true
	case n < lead:
		return s.block(i, sl, outbox{framed: clone(s.due.lead[n:])})
	case n == lead:
		return s.block(i, sl, outbox{})
	}
	// The cursor goes to the end of the event that the send stopped in; what is
	// unsent of it is kept aside. So a cursor never stands inside an event.
	half := s.snap.HalfSent(sl.cursor + uint64(n-lead))
	s.stats.countEvents(s.snap.EventsBetween(sl.cursor, half.End))
	sl.cursor = half.End
	sl.setLast(half.At)
	return s.block(i, sl, unsent(underway{log: half.Text, state: of.state, end: half.End}))
}
