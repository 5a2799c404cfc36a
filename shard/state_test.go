package shard

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// roll is the subscribers of one state and where each believes to stand.
type roll struct {
	st state
	at map[uint32]uint32
}

func (r *roll) join(slot uint32) {
	r.at[slot] = uint32(len(r.st.subs))
	r.st.subs = append(r.st.subs, slot)
}

func (r *roll) leave(slot uint32) {
	at := r.at[slot]
	delete(r.at, slot)
	r.st.remove(at, func(slot, place uint32) { r.at[slot] = place })
}

func (r *roll) check(t *testing.T) {
	t.Helper()
	if len(r.at) != len(r.st.subs) {
		t.Fatalf("%d subscribers, want %d", len(r.st.subs), len(r.at))
	}
	for slot, at := range r.at {
		if r.st.subs[at] != slot {
			t.Fatalf("slot %d believes to stand at %d, where %d is", slot, at, r.st.subs[at])
		}
	}
}

// A pass with joins and leaves in its middle, some by the subscriber that is being
// served: each one that was there from its beginning to its end is met once, none is met
// twice, and those that left are not met.
func TestAPassMeetsEverySubscriberOnce(t *testing.T) {
	oneGoroutine(t)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		r := roll{at: map[uint32]uint32{}}
		next := uint32(0)
		for range rng.IntN(400) {
			r.join(next)
			next++
		}
		stayed := slices.Clone(r.st.subs)
		met := map[uint32]int{}
		var left []uint32
		for int(r.st.next) < len(r.st.subs) {
			slot := r.st.subs[r.st.next]
			r.st.next++
			met[slot]++
			for range rng.IntN(3) {
				switch rng.IntN(4) {
				case 0:
					r.join(next)
					next++
				case 1:
					if _, in := r.at[slot]; in {
						r.leave(slot)
						left = append(left, slot)
					}
				case 2, 3:
					if len(r.st.subs) > 0 {
						gone := r.st.subs[rng.IntN(len(r.st.subs))]
						r.leave(gone)
						left = append(left, gone)
						if met[gone] == 0 {
							met[gone] = 100 // may not be met any more
						}
					}
				}
			}
			r.check(t)
			if len(met) > 5000 {
				break
			}
		}
		for slot, n := range met {
			if n != 1 && n != 100 {
				t.Fatalf("seed %d: slot %d was met %d times", seed, slot, n)
			}
		}
		for _, slot := range stayed {
			if met[slot] == 0 && !slices.Contains(left, slot) {
				t.Fatalf("seed %d: slot %d was skipped", seed, slot)
			}
		}
	}
}

func TestAStateThatEmptiesGivesItsMemoryBack(t *testing.T) {
	r := roll{at: map[uint32]uint32{}}
	for i := range uint32(10_000) {
		r.join(i)
	}
	for i := range uint32(9_990) {
		r.leave(i)
	}
	r.check(t)
	if c := cap(r.st.subs); c > 64 {
		t.Errorf("room for %d subscribers is kept for 10", c)
	}
}

func TestStatesAreReusedClean(t *testing.T) {
	var s states
	a, st := s.take()
	*st = state{subs: []uint32{1}, next: 1, queued: true, again: true, since: 5,
		policy: PolicyLatest}
	b, _ := s.take()
	s.give(a)
	c, st := s.take()
	if c != a || b == a || st.subs != nil || st.next != 0 || st.queued || st.again ||
		st.since != 0 || st.policy != PolicyGap {
		t.Errorf("state %d after %d is not clean: %+v", c, a, *st)
	}
	if s.used != 2 || s.ever != 2 {
		t.Errorf("%d used, %d ever, want 2, 2", s.used, s.ever)
	}
}
