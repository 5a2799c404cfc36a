package shard

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
	} else if sl.wire == WireAnswer {
		// it is sent nothing before its answer
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

// headDue reports whether slot i waits and was not sent its response head.
func (s *Shard) headDue(i uint32, sl *slot) bool {
	return sl.flags&flagWaiting != 0 && !s.waits[i].join.headSent
}
