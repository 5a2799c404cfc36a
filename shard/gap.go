package shard

import (
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// tellGap appends the event and data lines of a gap to s.lead, and counts it. The caller adds the id line.
func (s *Shard) tellGap(topic string, p *log.Place) {
	s.lead = log.AppendGap(s.lead, topic, p)
	s.stats.Gaps[p.Cause].Add(1)
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
	sl.cursor = p.Cursor
	sl.setLast(p.At)
	s.tellGap(st.topic.Name(), &p)
	s.lead = sse.AppendID(s.lead, p.At.Append(s.idBuf[:0]))
	return true
}

// overrunPlace is where a subscriber at cursor that has seen everything up to from goes on
// after an overrun.
func (s *Shard) overrunPlace(cursor uint64, from eventid.Position, st *state) log.Place {
	p := s.snap.Overrun(cursor, from)
	if st.policy == PolicyLatest {
		s.snap.SkipToNewest(&p)
	}
	return p
}

// conflate is policy latest for a stream that was blocked but not overrun: of all
// it is behind only the newest event is sent, and the others are told as a gap.
func (s *Shard) conflate(sl *slot) {
	p, ok := s.snap.Conflate(sl.cursor, sl.last())
	if !ok {
		return
	}
	sl.cursor = p.Cursor
	sl.setLast(p.At)
	s.tellGap(s.states.at(sl.topic).topic.Name(), &p)
	s.lead = sse.AppendID(s.lead, p.At.Append(s.idBuf[:0]))
}
