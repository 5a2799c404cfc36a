package shard

import "ssedge/proto/sse"

// The wheel has one entry per stream, for whichever comes first of its deadlines:
// the end of its life, the end of patience with a full socket, or a heartbeat.
// Writes do not touch the wheel: when an entry fires, lastWrite says whether the
// heartbeat is really due, and the entry is armed again for when it will be.

// fire is called when slot i's entry fires.
func (s *Shard) fire(i uint32) {
	sl := s.slots.at(i)
	if sl.flags&flagEnds != 0 && s.reached(sl.endsAt) {
		if sl.wire == WireAnswer {
			s.answerNow(i, sl)
			return
		}
		s.close(i, sl, ClosedMaxLifetime)
		return
	}
	if sl.flags&flagBlocked != 0 {
		if s.stalled(i, sl) {
			s.close(i, sl, ClosedWriteStalled)
			return
		}
	} else if sl.wire == WireAnswer {
		// it is sent nothing before its answer
	} else if s.headDue(i, sl) {
		if s.reached(sl.lastWrite+headDelay) && !s.sendHead(i, sl) {
			return
		}
	} else if s.heartbeatTicks > 0 && s.reached(s.beatDue(i, sl)) {
		if !s.beat(i, sl) {
			return
		}
	}
	s.arm(i, sl)
}

// beat sends a heartbeat. It reports whether the stream is still open.
func (s *Shard) beat(i uint32, sl *slot) bool {
	s.stats.Heartbeats.Add(1)
	s.due.lead = append(s.due.lead, sse.Heartbeat...)
	return s.put(i, sl, reading{})
}
