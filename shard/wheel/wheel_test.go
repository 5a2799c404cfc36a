package wheel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// twin is the wheel as one would define it: what is armed, and for when.
type twin map[uint32]uint32

// dueBy takes out what is due at now.
func (tw twin) dueBy(now uint32) []uint32 {
	var due []uint32
	for i, at := range tw {
		if int32(at-now) <= 0 {
			due = append(due, i)
			delete(tw, i)
		}
	}
	slices.Sort(due)
	return due
}

// nearest is how many ticks after now the first entry is due.
func (tw twin) nearest(now uint32) (ticks uint32, ok bool) {
	for _, at := range tw {
		ahead := uint32(max(int32(at-now), 0))
		if !ok || ahead < ticks {
			ticks, ok = ahead, true
		}
	}
	return ticks, ok
}

// ahead is a distance for an entry: mostly within the wheel, sometimes many
// revolutions away, sometimes past.
func ahead(rng *rand.Rand, buckets int) uint32 {
	switch rng.IntN(10) {
	case 0:
		return -uint32(rng.IntN(3 * buckets))
	case 1:
		return uint32(rng.IntN(20 * buckets))
	case 2:
		return 1<<31 - 1 - uint32(rng.IntN(1000))
	default:
		return uint32(rng.IntN(2 * buckets))
	}
}

func TestFiresWhatTheNaiveTwinFires(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		buckets := 1 << rng.IntN(8)
		now := -uint32(rng.IntN(4 * buckets)) // the ticks wrap on the way
		w, tw := New(buckets, now), twin{}
		for range 1500 {
			i := uint32(rng.IntN(3000)) // three chunks
			switch rng.IntN(4) {
			case 0, 1:
				due := now + ahead(rng, buckets)
				w.Arm(i, due)
				tw[i] = due
			case 2:
				w.Disarm(i)
				delete(tw, i)
			case 3:
				now += uint32(rng.IntN(1 + rng.IntN(3*buckets)))
				var fired []uint32
				if !w.Advance(now, 1<<30, func(i uint32) { fired = append(fired, i) }) {
					t.Fatalf("seed %d: something due is left", seed)
				}
				slices.Sort(fired)
				if want := tw.dueBy(now); !slices.Equal(fired, want) {
					t.Fatalf("seed %d: at %d fired %v, want %v", seed, now, fired, want)
				}
			}
			if w.Armed() != len(tw) {
				t.Fatalf("seed %d: %d armed, want %d", seed, w.Armed(), len(tw))
			}
			if err := nextIsNotLate(w, tw, now); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// nextIsNotLate compares Next with the nearest entry: exact within a revolution,
// early or exact beyond, and never in the past.
func nextIsNotLate(w *Wheel, tw twin, now uint32) error {
	next, ok := w.Next()
	nearest, any := tw.nearest(now)
	if ok != any {
		return fmt.Errorf("Next says %v with %d armed", ok, len(tw))
	}
	if ok && (next-now > nearest || int32(next-now) < 0) {
		return fmt.Errorf("Next is %d ticks ahead, the nearest entry %d", int32(next-now), nearest)
	}
	return nil
}

func TestAdvanceStopsAtItsBudgetAndForgetsNothing(t *testing.T) {
	w := New(8, 0)
	for i := range uint32(100) {
		w.Arm(i, 1+i%7)
	}
	times := map[uint32]int{}
	fire := func(i uint32) { times[i]++ }
	for turn := range 10 {
		before := len(times)
		idle := w.Advance(uint32(7+turn), 11, fire)
		if got, want := len(times)-before, min(11, 100-before); got != want {
			t.Fatalf("turn %d fired %d, want %d", turn, got, want)
		}
		if idle != (len(times) == 100) {
			t.Fatalf("after %d of 100 Advance says %v", len(times), idle)
		}
		if next, ok := w.Next(); !idle && (!ok || next != uint32(7+turn)) {
			t.Fatalf("with entries waiting to fire Next is %d, %v, want now", next, ok)
		}
	}
	for i, n := range times {
		if n != 1 {
			t.Fatalf("entry %d fired %d times", i, n)
		}
	}
}

func TestFireMayArmAndDisarmAnything(t *testing.T) {
	w := New(4, 0)
	for i := range uint32(6) {
		w.Arm(i, 3)
	}
	var fired []uint32
	fire := func(i uint32) {
		fired = append(fired, i)
		switch {
		case i == 0 && len(fired) == 1:
			w.Arm(0, 4)     // itself, later
			w.Disarm(1)     // one that was to fire next
			w.Arm(2, 9)     // one that was to fire, later
			w.Arm(5000, 3)  // a new one, at once; its chunk is made here
			w.Arm(3, 2)     // one that was to fire: to the end of the line
			w.Disarm(77777) // one that never was
		case i == 4:
			w.Disarm(4) // itself: is already out
		}
	}
	for now := uint32(3); now < 12; now++ {
		w.Advance(now, 100, fire)
	}
	if want := []uint32{0, 4, 5, 5000, 3, 0, 2}; !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

// An entry that arms itself for a tick that has passed fires again within the
// same budget, and no more often.
func TestAnEntryThatIsAlwaysDueIsBoundByTheBudget(t *testing.T) {
	w, fired := New(4, 10), 0
	w.Arm(1, 10)
	if w.Advance(11, 25, func(i uint32) { fired++; w.Arm(i, 11) }) || fired != 25 {
		t.Errorf("fired %d times, want 25 and something left", fired)
	}
}

func TestAnEntryFarAheadFiresOnItsTick(t *testing.T) {
	for _, start := range []uint32{0, 1<<32 - 5, 1 << 31} {
		w := New(16, start)
		due := start + 1000
		w.Arm(9, due)
		for now := start; now != due+3; now++ {
			fired := false
			w.Advance(now, 1, func(uint32) { fired = true })
			if fired != (now == due) {
				t.Fatalf("from %d: fired %v %d ticks before it is due", start, fired,
					int32(due-now))
			}
		}
	}
}

func TestTimeThatStandsStillOrGoesBackFiresNothingTwice(t *testing.T) {
	w, fired := New(8, 100), 0
	w.Arm(1, 105)
	for _, now := range []uint32{104, 105, 105, 90, 105, 104} {
		w.Advance(now, 10, func(uint32) { fired++ })
	}
	if fired != 1 {
		t.Errorf("fired %d times, want once", fired)
	}
}

func TestNewRefusesBucketsThatAreNoPowerOfTwo(t *testing.T) {
	for _, n := range []int{0, -8, 3, 12} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%d) did not panic", n)
				}
			}()
			New(n, 0)
		}()
	}
}

func TestKnownEntriesDoNotAllocate(t *testing.T) {
	w, now := New(64, 0), uint32(0)
	fire := func(i uint32) { w.Arm(i, now+1+i%200) }
	for i := range uint32(1000) {
		w.Arm(i, i%100)
	}
	if n := testing.AllocsPerRun(200, func() {
		now++
		w.Disarm(now % 1000)
		w.Arm(now%1000, now+5)
		w.Advance(now, 1000, fire)
		w.Next()
	}); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}
