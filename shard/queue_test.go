package shard

import (
	"math/rand/v2"
	"testing"
)

// A queue is the same as a list from whose front one takes, and keeps no more room
// than twice what waits in it.
func TestTheQueueIsFirstInFirstOut(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q queue
		pushed, popped := uint32(0), uint32(0)
		for range 50_000 {
			if most := uint32(1 + rng.IntN(10_000)); pushed-popped < most && rng.IntN(5) > 0 {
				q.push(pushed)
				pushed++
			} else if q.len() > 0 {
				if got := q.pop(); got != popped {
					t.Fatalf("seed %d: took %d, want %d", seed, got, popped)
				}
				popped++
			}
			if q.len() != int(pushed-popped) {
				t.Fatalf("seed %d: length %d, want %d", seed, q.len(), pushed-popped)
			}
			if len(q.waiting) > 2*q.len()+queueSlack {
				t.Fatalf("seed %d: %d elements for %d that wait", seed, len(q.waiting), q.len())
			}
		}
	}
}
