// Package seeds says which seeds a simulation tries. The environment may ask for others:
//
//	SIM_RUNS=10000 go test -run TestSimulation ./shard    so many, from SIM_FROM on
//	SIM_SEED=17 go test -run TestSimulation ./shard       this one
package seeds

import (
	"os"
	"strconv"
	"testing"
)

// Range returns the first seed, and the one behind the last; as many as usual if the environment
// does not say.
func Range(t *testing.T, usual uint64) (from, to uint64) {
	t.Helper()
	if seed, ok := number(t, "SIM_SEED"); ok {
		return seed, seed + 1
	}
	from, _ = number(t, "SIM_FROM")
	if runs, ok := number(t, "SIM_RUNS"); ok {
		return from, from + runs
	}
	return from, from + usual
}

func number(t *testing.T, name string) (n uint64, ok bool) {
	text, ok := os.LookupEnv(name)
	if !ok || text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: expected a number, found %q", name, text)
	}
	return n, true
}
