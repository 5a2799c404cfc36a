package shard

import "ssedge/shard/topic"

// enqueue notes that a topic has something new. The topic's bit is cleared before
// the shard looks at its log: whatever is appended from here on sets it again.
func (s *Shard) enqueue(d dirtyMark) {
	d.topic.ClearDirty(s.number)
	n := d.topic.State(s.number)
	if n == topic.NoState {
		return // the last subscriber has left
	}
	st := s.states.at(n)
	if st.queued {
		if !st.again {
			st.again, st.later = true, d.since
		}
		return
	}
	st.queued, st.since = true, d.since
	s.queue.push(n)
}

// fanOut serves dirty topics in turn, a share of the budget each: a topic with
// many subscribers delays one with few by no more than what it has left of a
// turn. It reports whether all are served.
func (s *Shard) fanOut() bool {
	b := s.newBudget()
	for s.queue.len() > 0 && b.sends > 0 {
		n := s.queue.pop()
		b.spend(s)
		if st := s.states.at(n); st.topic == nil {
			s.states.give(n) // left by its last subscriber while it waited
		} else if s.pass(n, st, &b) {
			s.endPass(n, st)
		} else {
			s.queue.push(n)
		}
	}
	return s.queue.len() == 0
}

// pass continues the pass over a topic's subscribers until its end or that of the budget. Each
// share of a pass takes a new snapshot of the log. Subscribers visited late in a pass already get
// newer events, so the next pass is shorter.
func (s *Shard) pass(n uint32, st *state, b *budget) (done bool) {
	s.snapshot(st.topic)
	for st.topic != nil && int(st.next) < len(st.subs) {
		i := st.subs[st.next]
		st.next++
		s.deliver(i, s.slots.at(i), n, st)
		if !b.spend(s) {
			return st.topic == nil || int(st.next) >= len(st.subs)
		}
	}
	return true
}

func (s *Shard) endPass(n uint32, st *state) {
	st.next = 0
	if st.topic == nil {
		s.states.give(n)
		return
	}
	if st.since != 0 {
		s.stats.Delivery.observeNanos(s.clock() - st.since)
	}
	st.queued = false
	if st.again {
		st.again, st.queued, st.since, st.later = false, true, st.later, 0
		s.queue.push(n)
	}
}

// deliver brings slot i up to the head of the topic under way, whose snapshot is taken.
func (s *Shard) deliver(i uint32, sl *slot, n uint32, st *state) {
	switch {
	case sl.flags&flagBlocked != 0:
		s.checkBlocked(i, sl, n, st)
	case sl.flags&flagMulti != 0:
		b := s.bundles[sl.topic]
		if sub := b.subOf(n); sub.cursor != s.snap.Head {
			s.push(i, sl, reading{state: n, has: true, bundle: b, sub: sub}, st)
		}
	case sl.cursor != s.snap.Head:
		s.push(i, sl, reading{state: n, has: true}, st)
	}
}
