package shard

import "time"

// admit makes a stream of a join: a slot, its subscriptions, the response head
// and the opening, and whatever it is behind.
func (s *Shard) admit(j *Join) {
	i, sl := s.slots.take()
	sl.fd = int32(j.Fd)
	sl.owner = j.Owner
	sl.wire = j.Wire
	s.stats.Joined.Add(1)
	s.stats.Streams.Add(1)
	if errno := s.kernel.Watch(j.Fd, userData(i, sl)); errno != 0 {
		s.releaseTopics(j)
		s.end(i, sl, ClosedError)
		return
	}
	s.setEnd(sl)

	// Heartbeats of streams that come together are spread by pretending that each
	// was last written to at another time.
	sl.lastWrite = s.tick
	if s.heartbeatTicks > 0 {
		sl.lastWrite -= s.rng.Uint32N(s.heartbeatTicks)
	}
	lastWrite := sl.lastWrite

	if !s.beginOrWait(i, sl, j) {
		return
	}
	if sl.flags&flagWaiting == 0 {
		sl.lastWrite = lastWrite // the opening was a write, too, which would undo the spread
	}
	s.arm(i, sl)
}

func (s *Shard) setEnd(sl *slot) {
	if life := s.config.Lifetime; life > 0 {
		life -= time.Duration(s.rng.Int64N(int64(life)/10 + 1))
		sl.flags |= flagEnds
		sl.endsAt = s.tick + ticks(life)
	}
}
