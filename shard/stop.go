package shard

// stop ends all streams, and a drain with them. It shuts the inbox first:
// streams that are in it by then are closed like the others, later ones are refused.
func (s *Shard) stop() {
	s.inbox.close()
	var late incoming
	s.inbox.take(&late)
	for _, joins := range [][]Join{s.incoming.joins[s.incoming.admitted:], late.joins} {
		for i := range joins {
			s.admit(&joins[i])
			s.inbox.joining.Add(-1)
		}
	}
	s.incoming.joins, s.incoming.admitted = nil, 0
	for _, f := range late.calls {
		f()
	}
	for i := range s.slots.ever {
		if sl := s.slots.at(i); sl.flags&flagUsed != 0 {
			s.close(i, sl, ClosedShutdown)
		}
	}
	if s.drain.active {
		s.drain.active = false
		s.drain.done()
	}
	s.ended = true
}
