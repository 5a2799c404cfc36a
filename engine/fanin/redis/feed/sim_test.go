package feed

import (
	"fmt"
	"testing"

	"ssedge/shard/sys/fake/seeds"
)

// The simulation of one feed: its stream at a server that trims, forgets and goes back to what it
// was; a channel whose connection breaks, and whose messages are lost or come late or twice;
// readings that fail, overlap, or are answered by a server that is behind; streams that begin
// before and behind the log.
//
//	SIM_RUNS=100000 go test -run TestSimulation ./engine/fanin/redis/feed    more seeds (make sim)
//	SIM_SEED=17 go test -run TestSimulation ./engine/fanin/redis/feed        this one

// simRuns is how many there are if the environment does not say.
const simRuns = 1000

func TestSimulation(t *testing.T) {
	from, to := seeds.Range(t, simRuns)
	var all account
	for seed := from; seed < to; seed++ {
		w := newWorld(t, seed)
		w.run()
		all.add(&w.tally)
	}
	t.Logf("%+v", all)
	if to-from != simRuns {
		return
	}
	for what, n := range map[string]int{
		"events": all.events, "gaps": all.gaps, "raw events": all.raws,
		"rewritten histories":    all.rewrites,
		"clients behind the log": all.older, "pages of history": all.pages, "old answers": all.lags,
		"quiet moments at which all had come": all.exact, "gaps that were judged": all.judged,
	} {
		if n == 0 {
			t.Errorf("no %s: the simulation does not try what it should", what)
		}
	}
	for what, n := range all.counts {
		if n == 0 && Count(what) != Unfit {
			t.Errorf("nothing was counted among the %v", Count(what))
		}
	}
	for why, n := range all.causes {
		if n == 0 {
			t.Errorf("no feed came into doubt because of %q", Cause(why))
		}
	}
}

// account is what happened in worlds.
type account struct {
	events, gaps, raws, rewrites, older, pages, lags, exact, judged int
	counts                                                          [Counts]int
	causes                                                          [Causes]int
}

func (a *account) add(b *account) {
	a.events += b.events
	a.gaps += b.gaps
	a.raws += b.raws
	a.rewrites += b.rewrites
	a.older += b.older
	a.pages += b.pages
	a.lags += b.lags
	a.exact += b.exact
	a.judged += b.judged
	for k, n := range b.counts {
		a.counts[k] += n
	}
	for k, n := range b.causes {
		a.causes[k] += n
	}
}

// fail ends the test with what happened.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace {
		w.t.Log(line)
	}
	w.t.Fatalf("seed %d: %s\nSIM_SEED=%d go test -run TestSimulation ./engine/fanin/redis/feed",
		w.seed, fmt.Sprintf(format, args...), w.seed)
}

func (w *world) log(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%d: ", w.happened)+fmt.Sprintf(format, args...))
}
