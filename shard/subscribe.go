package shard

import "ssedge/shard/topic"

// subscribe adds slot i to the subscribers of a topic and returns its state's
// index and the place there.
func (s *Shard) subscribe(i uint32, t *topic.Topic) (stateIndex, at uint32) {
	n := t.State(s.number)
	var st *state
	if n == topic.NoState {
		n, st = s.states.take()
		st.topic = t
		st.policy = s.policy(t.Name())
		t.Join(s.number, n)
		s.stats.Topics.Add(1)
	} else {
		st = s.states.at(n)
	}
	st.subs = append(st.subs, i)
	s.stats.Subscriptions.Add(1)
	return n, uint32(len(st.subs) - 1)
}

// unsubscribe is the inverse: it also gives back the hold that came with the join.
func (s *Shard) unsubscribe(stateIndex, at uint32) {
	st := s.states.at(stateIndex)
	t := st.topic
	st.remove(at, func(moved, place uint32) { s.movedTo(moved, stateIndex, place) })
	s.stats.Subscriptions.Add(-1)
	if len(st.subs) == 0 {
		t.Leave(s.number)
		if st.queued {
			st.topic = nil // the queue gives it back
		} else {
			s.states.give(stateIndex)
		}
		s.stats.Topics.Add(-1)
	}
	s.table.Release(t)
}

// movedTo notes that a slot stands at another place among a state's subscribers.
func (s *Shard) movedTo(i, stateIndex, place uint32) {
	sl := s.slots.at(i)
	if sl.flags&flagMulti == 0 {
		sl.at = place
		return
	}
	s.bundles[sl.topic].subOf(stateIndex).at = place
}
