package shard

import "ssedge/shard/topic"

// state is a topic as one shard sees it: its subscribers here and the pass over
// them that is under way. It belongs to the shard's goroutine.
type state struct {
	topic  *topic.Topic
	subs   []uint32 // slots; those before next have had their turn in this pass
	next   uint32
	queued bool  // waits for its turn, or is in it
	again  bool  // became dirty in the middle of a pass: another one follows
	since  int64 // when the oldest event of this pass was appended (nanotime); 0 unknown
	later  int64 // the same for the pass that follows
	policy Policy
}

// remove takes out the subscriber at place i, and calls moved for each slot whose place changes. A
// pass in progress neither skips nor repeats a subscriber: the hole is filled from the same side of
// next.
func (st *state) remove(i uint32, moved func(slot, place uint32)) {
	end := uint32(len(st.subs)) - 1
	if i < st.next {
		st.next--
		if i != st.next {
			st.subs[i] = st.subs[st.next]
			moved(st.subs[i], i)
		}
		i = st.next
	}
	if i != end {
		st.subs[i] = st.subs[end]
		moved(st.subs[i], i)
	}
	st.subs = st.subs[:end]
	if cap(st.subs) > 64 && len(st.subs) < cap(st.subs)/4 {
		st.subs = append(make([]uint32, 0, cap(st.subs)/2), st.subs...)
	}
}

const stateChunk = 128

// states is a slab of states; indices and addresses are stable while used.
type states struct {
	chunks []*[stateChunk]state
	free   []uint32
	ever   uint32
	used   int
}

func (s *states) at(i uint32) *state { return &s.chunks[i/stateChunk][i%stateChunk] }

func (s *states) take() (uint32, *state) {
	s.used++
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i, s.at(i)
	}
	i := s.ever
	s.ever++
	if int(i/stateChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, new([stateChunk]state))
	}
	return i, s.at(i)
}

func (s *states) give(i uint32) {
	*s.at(i) = state{}
	s.free = append(s.free, i)
	if s.used--; s.used == 0 && len(s.chunks) > 1 {
		// nothing has an index: the memory of the most there were goes
		*s = states{}
	}
}
