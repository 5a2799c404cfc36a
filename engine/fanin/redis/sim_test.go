package redis

import (
	"fmt"
	"os"
	"testing"

	"github.com/redis/rueidis"

	"ssedge/shard/sys/fake/seeds"
)

// The simulation of several edges: real shards and real feeds on a server that forgets, goes back
// to what it was, and whose clock is set; viewers that come and go between the edges.
//
//	SIM_RUNS=100000 go test -run TestSimulation ./engine/fanin/redis    more seeds (make sim)
//	SIM_SEED=17 go test -run TestSimulation ./engine/fanin/redis        this one, with what happened

// simRuns is how many there are if the environment does not say.
const simRuns = 300

func pubSubMessage(channel, text string) rueidis.PubSubMessage {
	return rueidis.PubSubMessage{Channel: channel, Message: text}
}

func TestSimulation(t *testing.T) {
	from, to := seeds.Range(t, simRuns)
	causes, delivered, exempt, rewrites := map[string]int{}, 0, 0, 0
	for seed := from; seed < to; seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.run()
			for cause, n := range w.causes {
				causes[cause] += n
			}
			delivered += w.delivered
			exempt += w.exempt
			rewrites += w.rewrites
		})
		if !ok && os.Getenv("SIM_ON") == "" {
			t.Fatalf("SIM_SEED=%d go test -run TestSimulation ./engine/fanin/redis", seed)
		}
	}
	if to-from == simRuns { // they are enough to see that it tries what it should
		for _, cause := range []string{"overrun", "conflated", "evicted", "expired", "missed",
			"unknown", "future"} {
			if causes[cause] == 0 {
				t.Errorf("no gap %q was told", cause)
			}
		}
		if rewrites == 0 || exempt*100 > delivered {
			t.Errorf("%d rewritten histories; of %d events %d times one was exempt", rewrites,
				delivered, exempt)
		}
	}
	t.Logf("%d events delivered, gaps %v, %d rewritten histories, %d times an event was forgotten before any edge that could tell had it",
		delivered, causes, rewrites, exempt)
}
