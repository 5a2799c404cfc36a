package shard

// unblock is called when a blocked stream's socket is writable: its outbox first,
// then all it has fallen behind.
func (s *Shard) unblock(i uint32, sl *slot) {
	since, sent := sl.since, s.stats.BytesOut.Load()
	stalled, known := s.stalls[i]
	sl.flags &^= flagBlocked
	s.forgetStall(i)
	s.stats.Blocked.Add(-1)
	if sl.flags&flagOutbox != 0 && !s.sendOutbox(i, sl) {
		return
	}
	if sl.flags&flagBlocked == 0 {
		if sl.flags&(flagLeaving|flagAnswered) != 0 {
			s.close(i, sl, sl.lastReason())
			return
		}
		if !s.catchUp(i, sl, true) {
			return
		}
	}
	if sl.flags&flagBlocked != 0 {
		if s.stats.BytesOut.Load() == sent { // it took nothing
			if sl.since = since; known {
				s.stalls[i] = stalled
			}
		}
		return
	}
	sl.flags &^= flagWatched
	if errno := s.kernel.WatchWritable(int(sl.fd), userData(i, sl), false); errno != 0 {
		s.close(i, sl, ClosedError)
		return
	}
	s.arm(i, sl)
}

// sendOutbox sends what was left. It reports whether the stream is still open; it may be blocked
// again.
func (s *Shard) sendOutbox(i uint32, sl *slot) bool {
	o := s.outboxes[i]
	f := &framings[sl.wire]
	pieces, total := append(s.pieces[:0], o.framed), len(o.framed)
	if !f.promises() {
		pieces, total = append(pieces, o.log, o.tail), o.size()
	}
	s.pieces = pieces
	n := 0
	if total > 0 {
		var ok bool
		if n, ok = s.send(i, sl, pieces, total); !ok {
			return false
		}
	}
	if n < total {
		k := min(n, len(o.framed))
		o.framed = o.framed[k:]
		o.cut(n - k)
		if !f.promises() && len(o.log) > 0 && o.size() <= restCopyMax && s.rests.used.Load()+
			int64(o.size()) <= s.rests.max {
			// it is little by now
			s.dropOutbox(i, sl)
			o.framed = append(clone(o.framed), o.log...)
			return s.block(i, sl, outbox{framed: append(o.framed, o.tail...)})
		}
		s.outboxes[i] = o
		return s.park(i, sl)
	}
	s.dropOutbox(i, sl)
	if !f.promises() {
		return true
	}
	return s.putUnits(i, sl, f, reading{}, o.underway)
}

// checkBlocked handles a blocked subscriber of the current topic. It gets nothing in this pass, and
// is closed if it cannot continue: the log has dropped the event that it has a part of, whose bytes
// must not be kept beyond the log's bounds; or it is overrun, and the topic's policy is to close.
func (s *Shard) checkBlocked(i uint32, sl *slot, n uint32, st *state) {
	if sl.flags&flagOutbox != 0 {
		if o := s.outboxes[i]; len(o.log) > 0 && o.state == n && o.end <= s.snap.Tail {
			s.close(i, sl, ClosedSlowConsumer)
			return
		}
	}
	if st.policy != PolicyClose || sl.flags&flagAnswered != 0 {
		return
	}
	cursor := sl.cursor
	if sl.flags&flagMulti != 0 {
		cursor = s.bundles[sl.topic].subOf(n).cursor
	}
	if cursor < s.snap.Tail {
		s.close(i, sl, ClosedSlowConsumer)
	}
}
