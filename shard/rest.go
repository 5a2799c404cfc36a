package shard

// rest is what is unsent of an event that a send stopped in (or of an opening, a
// gap, a heartbeat): ref first, then own. Since the cursor has moved past that
// event, nothing else remembers it.
//
// A short remainder is copied, so that the log may move on and the stream
// survives an overrun. A long one stays in the log and is only pointed to: a
// thousand slow readers of one big event share its bytes. If the log lets that
// event go first, the stream is closed: the event can neither be finished nor
// taken back.
type rest struct {
	ref   []byte // bytes of a log
	own   []byte // copies …
	held  int    // … and the memory they keep, charged to the node's budget
	state uint32 // with ref: whose log
	end   uint64 // with ref: where the event ends in it
}

// restCopyMax is the longest remainder that is copied, bytes.
const restCopyMax = 4 << 10

// restOf makes the rest of log bytes unsent, followed by tail, which is scratch.
func restOf(unsent, tail []byte, state uint32, end uint64) rest {
	if len(unsent) <= restCopyMax {
		own := make([]byte, 0, len(unsent)+len(tail))
		return rest{own: append(append(own, unsent...), tail...)}
	}
	return rest{ref: unsent, own: clone(tail), state: state, end: end}
}

func (r *rest) size() int { return len(r.ref) + len(r.own) }

// block parks a stream whose socket is full until it is writable. It reports
// whether the stream is still open: it is not if there is no room for r.
func (s *Shard) block(i uint32, sl *slot, r rest) bool {
	if r.held = cap(r.own); r.held > 0 {
		s.charge(r.held)
		if s.rests.used.Load() > s.rests.max {
			s.charge(-r.held)
			s.close(i, sl, ClosedOverload)
			return false
		}
	}
	if r.size() > 0 {
		s.rest[i] = r
		sl.flags |= flagRest
	}
	s.stats.Blocked.Add(1)
	sl.flags |= flagBlocked
	sl.since = s.tick
	if sl.flags&flagWatched == 0 {
		sl.flags |= flagWatched
		if errno := s.kernel.WatchWritable(int(sl.fd), user(i, sl), true); errno != 0 {
			s.close(i, sl, ClosedError)
			return false
		}
	}
	s.arm(i, sl)
	return true
}

// unblock is called when a blocked stream's socket is writable: the rest first,
// then all it has fallen behind.
func (s *Shard) unblock(i uint32, sl *slot) {
	if sl.flags&flagRest != 0 && !s.sendRest(i, sl) {
		return
	}
	if sl.flags&flagLeaving != 0 {
		s.close(i, sl, ClosedDrain)
		return
	}
	sl.flags &^= flagBlocked
	s.forgetStall(i)
	s.stats.Blocked.Add(-1)
	if !s.catchUp(i, sl, true) || sl.flags&flagBlocked != 0 {
		return
	}
	sl.flags &^= flagWatched
	if errno := s.kernel.WatchWritable(int(sl.fd), user(i, sl), false); errno != 0 {
		s.close(i, sl, ClosedError)
		return
	}
	s.arm(i, sl)
}

// sendRest reports whether the rest is all sent and the stream still open.
func (s *Shard) sendRest(i uint32, sl *slot) bool {
	r := s.rest[i]
	s.pieces = append(s.pieces[:0], r.ref, r.own)
	n, ok := s.send(i, sl, s.pieces, r.size())
	if !ok {
		return false
	}
	if n == r.size() {
		s.dropRest(i, sl)
		return true
	}
	if n > 0 {
		sl.since = s.tick
		ofRef := min(n, len(r.ref))
		r.ref, r.own = r.ref[ofRef:], r.own[n-ofRef:]
		if len(r.ref) == 0 {
			r.ref = nil // the log may let the event go
		}
		s.rest[i] = r
	}
	return false
}

func (s *Shard) dropRest(i uint32, sl *slot) {
	s.charge(-s.rest[i].held)
	delete(s.rest, i)
	sl.flags &^= flagRest
	if len(s.rest) == 0 {
		s.rest = make(map[uint32]rest) // a map does not shrink by itself
	}
}

func (s *Shard) charge(n int) {
	s.rests.used.Add(int64(n))
	s.stats.RestBytes.Add(int64(n))
}

// checkBlocked looks at a blocked subscriber of the topic under way, which gets
// nothing in this pass, and closes it if it cannot go on any more: the log has let
// go of the event that it stands inside of, whose bytes must not be kept alive
// beyond the log's bounds; or it is overrun and the topic's policy is to close.
func (s *Shard) checkBlocked(i uint32, sl *slot, n uint32, st *state) {
	if sl.flags&flagRest != 0 {
		if r := s.rest[i]; r.ref != nil && r.state == n && r.end <= s.snap.Tail {
			s.close(i, sl, ClosedSlowConsumer)
			return
		}
	}
	if st.policy != PolicyClose {
		return
	}
	cursor := sl.cursor
	if sl.flags&flagMulti != 0 {
		cursor = s.bundles[sl.topic].of(n).cursor
	}
	if cursor < s.snap.Tail {
		s.close(i, sl, ClosedSlowConsumer)
	}
}

// catchUp sends a stream everything it is behind in all its topics. It reports
// whether the stream is still open. slow says that it was blocked: then policy
// latest goes on with the newest event.
func (s *Shard) catchUp(i uint32, sl *slot, slow bool) bool {
	if sl.flags&flagWaiting != 0 {
		s.retries = append(s.retries, user(i, sl)) // something may have been heard while it was blocked
		return s.sendHead(i, sl)
	}
	s.lead = s.lead[:0]
	if sl.flags&flagMulti != 0 {
		return s.catchUpBundle(i, sl, slow)
	}
	st := s.states.at(sl.topic)
	st.topic.Snapshot(&s.snap)
	if slow && st.policy == PolicyLatest {
		s.conflate(sl)
	}
	if sl.cursor == s.snap.Head && len(s.lead) == 0 {
		return true
	}
	return s.push(i, sl, st)
}
