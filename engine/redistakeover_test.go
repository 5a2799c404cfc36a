package engine_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A replica takes over without a vote (CLUSTER FAILOVER TAKEOVER) while its master lives and takes
// events; then the former master does the same. What the loser had acknowledged but not replicated
// is gone. Until it hears that it has lost, two servers take events for the same topics.
func TestTakeovers(t *testing.T) {
	unraced(t) // TestAMasterIsKilled
	t.Parallel()
	f := failingCluster(t, startCluster(t, 1))
	l := newLoad(newStage(t, f.servers, &edge(t, f.url, chunked).server, edgeAt(t, f.url)), f.topic)
	rng := l.seed.of("test")
	from, to := f.victim, f.heir
	for round := range rounds(3, 8) {
		took := make(chan string, 1)
		takeOver := func() { took <- to.cli("CLUSTER", "FAILOVER", "TAKEOVER") }
		if round%2 == 0 {
			// it has not got the last events, and takes over before it can ask for them
			to.signal(syscall.SIGSTOP)
			from.cli("CLIENT", "KILL", "TYPE", "replica")
			if round == 0 {
				l.enter(fault)
			}
			time.Sleep(about(rng, 150*time.Millisecond))
			l.say(round/2%2, l.quiet, l.still, l.empty)
			go takeOver()
			time.Sleep(about(rng, 150*time.Millisecond))
			to.signal(syscall.SIGCONT)
		} else {
			takeOver()
		}
		if out := <-took; out != "OK" {
			t.Fatalf("CLUSTER FAILOVER TAKEOVER: %s", out)
		}
		if round == 0 {
			l.enter(outage)
		}
		l.rest(about(rng, 200*time.Millisecond))
		eventually(t, "the other one has given in", func() bool {
			return strings.HasPrefix(from.cli("ROLE"), "slave") &&
				strings.Contains(from.cli("INFO", "replication"), "master_link_status:up")
		})
		l.rest(about(rng, 200*time.Millisecond))
		from, to = to, from
	}
	l.mend()
	l.told()
	l.finish()
}
