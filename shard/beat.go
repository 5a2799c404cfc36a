package shard

import "ssedge/proto/sse"

// The wheel has one entry per stream, for whichever comes first of its deadlines:
// the end of its life, the end of patience with a full socket, or a heartbeat.
// Writes do not touch the wheel: when an entry fires, lastWrite says whether the
// heartbeat is really due, and the entry is armed again for when it will be.

// beatSpread is the part of the heartbeat interval, 1/8, over which the beats of
// streams that were last written to together are spread, towards earlier.
const beatSpread = 8

// beatBatch is the ticks, 134 ms, whose heartbeats are sent together: sends in a row
// cost a third less than sends one by one (measured: bench/results/README.md).
const beatBatch = 8

// beatDue is the tick of the next heartbeat of slot i.
func (s *Shard) beatDue(i uint32, sl *slot) uint32 {
	due := sl.lastWrite + s.heartbeatTicks
	if spread := s.heartbeatTicks / beatSpread; spread > beatBatch {
		due -= i * 2654435761 >> 8 % spread // Knuth's multiplicative hash
		due &^= beatBatch - 1
	}
	return due
}

// arm sets slot i's entry to its nearest deadline.
func (s *Shard) arm(i uint32, sl *slot) {
	var due uint32
	armed := false
	if sl.flags&flagEnds != 0 {
		due, armed = sl.endsAt, true
	}
	next, has := due, false
	if sl.flags&flagBlocked != 0 {
		next, has = s.stallDue(i, sl), true
	} else if s.headDue(i, sl) {
		next, has = sl.lastWrite+headDelay, true
	} else if s.heartbeatTicks > 0 {
		next, has = s.beatDue(i, sl), true
	}
	if has && (!armed || int32(next-due) < 0) {
		due, armed = next, true
	}
	if armed {
		s.wheel.Arm(i, due)
	} else {
		s.wheel.Disarm(i)
	}
}

// fire is called when slot i's entry fires.
func (s *Shard) fire(i uint32) {
	sl := s.slots.at(i)
	if sl.flags&flagEnds != 0 && s.reached(sl.endsAt) {
		s.close(i, sl, ClosedMaxLifetime)
		return
	}
	if sl.flags&flagBlocked != 0 {
		if s.stalled(i, sl) {
			s.close(i, sl, ClosedWriteStalled)
			return
		}
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

// headDue reports whether slot i waits and was not sent its response head.
func (s *Shard) headDue(i uint32, sl *slot) bool {
	return sl.flags&flagWaiting != 0 && !s.waits[i].join.headSent
}

func (s *Shard) reached(tick uint32) bool { return int32(s.tick-tick) >= 0 }

// beat sends a heartbeat. It reports whether the stream is still open.
func (s *Shard) beat(i uint32, sl *slot) bool {
	s.stats.Heartbeats.Add(1)
	s.due.lead = append(s.due.lead, sse.Heartbeat...)
	return s.put(i, sl, reading{})
}
