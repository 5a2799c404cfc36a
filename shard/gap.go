package shard

import (
	"encoding/json"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
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

// appendGap appends the event and data lines of a gap. The range can always hold an event: if from is
// not below to, the bound that would make it empty is left out.
func appendGap(dst []byte, topic string, p *place) []byte {
	known, to := p.known, p.to
	if from, end := eventid.Before(p.from), eventid.Before(to); known && !to.ID.IsZero() && !from.Less(end) {
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
		dst = append(p.from.Append(append(dst, '"')), '"')
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
	dst = append(dst, p.cause.String()...)
	return append(dst, "\"}\n"...)
}

// tellGap appends the event and data lines of a gap to s.lead, and counts it. The caller adds the id line.
func (s *Shard) tellGap(topic string, p *place) {
	s.lead = appendGap(s.lead, topic, p)
	s.stats.Gaps[p.cause].Add(1)
}

// overrun deals with a stream whose cursor the log has left behind: by the
// topic's policy it is closed, or told of the gap in s.lead and set to where it goes on.
// A stream whose opening is still to be sent is not closed. It reports whether the
// stream is still open.
func (s *Shard) overrun(i uint32, sl *slot, st *state) bool {
	if st.policy == PolicyClose && len(s.lead) == 0 {
		s.close(i, sl, ClosedSlowConsumer)
		return false
	}
	p := s.overrunPlace(sl.cursor, sl.last(), st)
	sl.cursor = p.cursor
	sl.setLast(p.at)
	s.tellGap(st.topic.name, &p)
	s.lead = sse.AppendID(s.lead, p.at.Append(s.idBuf[:0]))
	return true
}

// overrunPlace is where a subscriber at cursor that has seen everything up to from goes on
// after an overrun.
func (s *Shard) overrunPlace(cursor uint64, from eventid.Position, st *state) place {
	p := place{cursor: s.snap.tail, at: eventid.PositionOf(s.snap.lost), cause: s.snap.cause, from: from, known: !from.Time || st.topic.feed == nil, to: eventid.PositionOf(s.snap.lost)}
	if p.cause == gapNone {
		p.cause = GapOverrun
	}
	if cursor <= s.snap.rewritten.falls {
		s.snap.rewritten.widen(&p)
	}
	if st.policy == PolicyLatest {
		s.skipToNewest(&p)
	}
	return p
}

// skipToNewest moves p on so that only the newest event follows.
func (s *Shard) skipToNewest(p *place) {
	if cursor, before, ok := s.snap.newest(); ok && cursor > p.cursor {
		begin := p.cursor
		p.cursor, p.at, p.to = cursor, before, eventid.PositionOf(eventid.Max(eventid.Before(p.to), eventid.Before(before)))
		s.snap.rewritten.widenSkipped(p, begin)
	}
}

// conflate is policy latest for a stream that was blocked but not overrun: of all
// it is behind only the newest event is sent, and the others are told as a gap.
func (s *Shard) conflate(sl *slot) {
	if sl.cursor < s.snap.tail {
		return // an overrun, which does the same
	}
	p := place{cursor: sl.cursor, at: sl.last(), cause: GapConflated, from: sl.last(), known: true}
	s.skipToNewest(&p)
	if p.cursor == sl.cursor {
		return
	}
	name := s.states.at(sl.topic).topic.name
	sl.cursor = p.cursor
	sl.setLast(p.at)
	s.tellGap(name, &p)
	s.lead = sse.AppendID(s.lead, p.at.Append(s.idBuf[:0]))
}
