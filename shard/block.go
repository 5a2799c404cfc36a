package shard

// block parks a stream whose socket is full until it is writable. It reports
// whether the stream is still open: it is not if there is no room for o.
func (s *Shard) block(i uint32, sl *slot, o outbox) bool {
	if o.held = cap(o.framed) + cap(o.tail); o.own {
		o.held += len(o.log)
	}
	if o.held > 0 && s.charge(o.held) > s.rests.max {
		s.charge(-o.held)
		s.close(i, sl, ClosedOverload)
		return false
	}
	if o.size() > 0 {
		s.outboxes[i] = o
		sl.flags |= flagOutbox
	}
	return s.park(i, sl)
}

// park is block for a stream whose outbox is there.
func (s *Shard) park(i uint32, sl *slot) bool {
	s.stats.Blocked.Add(1)
	sl.flags |= flagBlocked
	sl.since = s.tick
	if sl.flags&flagWatched == 0 {
		sl.flags |= flagWatched
		if errno := s.kernel.WatchWritable(int(sl.fd), userData(i, sl), true); errno != 0 {
			s.close(i, sl, ClosedError)
			return false
		}
	}
	s.arm(i, sl)
	return true
}
