package shard

import (
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// addGap appends the event and data lines of a gap to s.due, and counts it. The caller adds the id
// line.
func (s *Shard) addGap(name string, p *log.Place) {
	s.due.gaps = append(s.due.gaps, toldIn{len(s.due.lead), name})
	s.due.lead = log.AppendGap(s.due.lead, name, p)
	s.stats.Gaps[p.Cause].Add(1)
}

// overrun deals with a stream whose cursor the log has left behind: by the topic's policy it is
// closed, or set to where it goes on and told of the gap. A stream whose opening is still to be
// sent is not closed, nor is a poll. It reports whether the stream is still open.
func (s *Shard) overrun(i uint32, sl *slot, of reading, st *state) bool {
	if st.policy == PolicyClose && len(s.due.lead) == 0 && sl.wire != WireAnswer {
		s.close(i, sl, ClosedSlowConsumer)
		return false
	}
	p := s.snap.Overrun(of.cursor(sl), of.at(sl))
	if st.policy == PolicyLatest {
		s.snap.SkipToNewest(&p)
	}
	s.skip(sl, of, st, &p)
	return true
}

// conflate is policy latest for a stream that was blocked but not overrun: of all
// it is behind only the newest event is sent, and the others are told as a gap.
func (s *Shard) conflate(sl *slot, of reading, st *state) {
	if p, ok := s.snap.Conflate(of.cursor(sl), of.at(sl)); ok {
		s.skip(sl, of, st, &p)
	}
}

// skip moves a stream to p, and adds the gap before it to s.due.
func (s *Shard) skip(sl *slot, of reading, st *state, p *log.Place) {
	of.moveTo(sl, p.Cursor, p.At)
	s.addGap(st.topic.Name(), p)
	s.addID(sl)
}

// addID appends the id line of where a stream stands to s.due, and the blank line.
func (s *Shard) addID(sl *slot) {
	if sl.flags&flagMulti != 0 {
		s.due.lead = s.bundles[sl.topic].appendID(s.due.lead)
	} else {
		s.due.lead = sse.AppendID(s.due.lead, sl.last().Append(s.idBuf[:0]))
	}
}
