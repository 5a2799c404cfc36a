package shard

import "ssedge/shard/topic"

// catchUp sends a stream s.due and everything it is behind in all its topics. It reports
// whether the stream is still open. slow says that it was blocked: then policy
// latest goes on with the newest event.
func (s *Shard) catchUp(i uint32, sl *slot, slow bool) bool {
	if sl.flags&flagWaiting != 0 {
		s.retries = append(s.retries, userData(i, sl)) // its topics may have been answered
		return s.sendHead(i, sl)
	}
	if sl.flags&flagMulti != 0 {
		return s.catchUpBundle(i, sl, slow)
	}
	st := s.states.at(sl.topic)
	s.snapshot(st.topic)
	of := reading{state: sl.topic, has: true}
	if slow && st.policy == PolicyLatest {
		s.conflate(sl, of, st)
	}
	return s.push(i, sl, of, st)
}

// catchUpBundle sends a stream with several topics s.due and everything it is behind, until it is
// blocked. It reports whether the stream is still open. The first topic rotates: one that the
// client cannot keep up with must not starve the others.
func (s *Shard) catchUpBundle(i uint32, sl *slot, slow bool) bool {
	b := s.bundles[sl.topic]
	for range b.subs {
		sub := b.nextSub()
		st := s.states.at(sub.state)
		s.snapshot(st.topic)
		of := reading{state: sub.state, has: true, bundle: b, sub: sub}
		if slow && st.policy == PolicyLatest {
			s.conflate(sl, of, st)
		}
		if !s.push(i, sl, of, st) {
			return false
		}
		if sl.flags&flagBlocked != 0 {
			return true
		}
	}
	return true
}

// push sends a stream s.due and everything from its cursor to the head of a topic whose snapshot is
// taken. A gap that it finds itself in goes between the two. It reports whether the stream is still
// open.
func (s *Shard) push(i uint32, sl *slot, of reading, st *state) bool {
	if of.cursor(sl) < s.snap.Tail {
		s.addParked(sl) // says where the stream stood
		if !s.overrun(i, sl, of, st) {
			return false
		}
	}
	return s.put(i, sl, of)
}

// snapshot takes the snapshot of a topic.
func (s *Shard) snapshot(t *topic.Topic) {
	t.Snapshot(&s.snap)
	s.shared.valid = false
}
