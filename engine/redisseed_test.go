package engine_test

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// chaos is how much longer and larger things are with CHAOS=1 (make chaos).
var chaos = os.Getenv("CHAOS") != ""

// rounds is how often something happens.
func rounds(normal, full int) int {
	if chaos {
		return full
	}
	return normal
}

// unraced skips a variant of a test under the race detector: another one has the edges do the same there, with other
// faults of the servers, which are processes of their own. Without the detector, and with CHAOS, all of them run.
func unraced(t testing.TB) {
	t.Helper()
	if raced && !chaos {
		t.Skip("one variant is enough for the race detector: go test without -race, or make chaos, runs this one")
	}
}

// seed is where the random choices of a test come from: CHAOS_SEED, or any. Whoever chooses has a generator of their
// own, so that their choices are the same again with the same seed, in whatever order goroutines get their turns.
type seed struct {
	t testing.TB
	n uint64
}

func newSeed(t testing.TB) seed {
	t.Helper()
	s := seed{t, rand.Uint64()}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if s.n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	t.Logf("CHAOS_SEED=%d", s.n) // which repeats the choices
	return s
}

// of is the generator of one who chooses.
func (s seed) of(who string) *rand.Rand {
	h := fnv.New64a()
	io.WriteString(h, s.t.Name()+" "+who)
	return rand.New(rand.NewPCG(s.n, h.Sum64()))
}
