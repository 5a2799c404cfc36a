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

// unraced skips a test, or a variant of one, under the race detector. Another one, which the caller
// names, makes the edges do the same there; the two differ in what happens to the Redis servers,
// which the detector does not watch, or in how much. Without the detector, or with CHAOS=1, all
// run.
func unraced(t testing.TB) {
	t.Helper()
	if raced && !chaos {
		t.Skip("not run with -race: another test runs the same code of the edges. go test ./engine runs this one, and so does make chaos; CHAOS=1 go test -race ./engine runs it with the race detector")
	}
}

// seed is where the random choices of a test come from: CHAOS_SEED, or any. Each goroutine that
// chooses has a generator of its own, so its choices are the same again with the same seed, in
// whatever order goroutines get their turns.
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

// of is the generator for one chooser, which is given by its name.
func (s seed) of(name string) *rand.Rand {
	h := fnv.New64a()
	io.WriteString(h, s.t.Name()+" "+name)
	return rand.New(rand.NewPCG(s.n, h.Sum64()))
}
