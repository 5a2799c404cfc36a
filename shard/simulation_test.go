package shard

import (
	"fmt"
	"testing"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake/seeds"
)

// The simulation: two shards on one table, clients that read slowly, break off at
// any byte and come back, publishers that overrun small logs, eviction, expiry,
// tiny budgets, and at the end no client misses anything that it was not told of.
//
//	SIM_RUNS=10000 go test -run TestSimulation ./shard    more seeds
//	SIM_SEED=17 go test -run TestSimulation ./shard       this one
//
// A seed decides everything but which topics share a stripe of the table, and with
// it the floor of their ids.

// seeds are the runs that the environment asks for.

func TestSimulation(t *testing.T) {
	from, to := seeds.Range(t, simRuns)
	gaps, ends, delivered := map[string]int{}, map[CloseReason]int{}, 0
	for seed := from; seed < to; seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("SIM_SEED=%d go test -run TestSimulation ./shard", seed)
				}
			}()
			s := newSim(t, seed)
			s.run()
			for cause, n := range s.gaps {
				gaps[cause] += n
			}
			for _, reasons := range s.ended {
				ends[reasons[0]]++
			}
			delivered += s.delivered
		})
		if !ok {
			return
		}
	}
	t.Logf("%d events delivered, gaps %v, ends %v", delivered, gaps, ends)
	if to-from < simRuns {
		return
	}
	for _, cause := range log.GapCauses() { // a simulation that never gets there shows nothing
		if gaps[cause.String()] == 0 && cause != log.GapMissed {
			// which only an upstream's topics know
			t.Errorf("no gap was told by %v", cause)
		}
	}
	for _, reason := range CloseReasons() {
		if ends[reason] == 0 && reason != ClosedError {
			t.Errorf("no stream ended with %v", reason)
		}
	}
}
