package engine_test

import (
	"strings"
	"testing"
	"time"
)

// A server is a zombie when it lives, and an edge's connection to it too, but events are published
// elsewhere.

// A virtual address moves from a master to its replica. Commands go there; the connections for
// subscriptions are up, to the old one, which is a master still. Nothing tells the edges but that
// what they publish reaches no subscriber.
func TestAZombie(t *testing.T) {
	t.Parallel()
	old, heir := startPair(t)
	relay := startRelay(t, old.address())
	url := "redis://" + relay.address
	a, b := edge(t, url, nil), edge(t, url, nil)
	x := newTier(t, []*redisServer{heir, old}, &a.server, &b.server)
	x.load(4, 3, 5*time.Millisecond)
	x.pause(300 * time.Millisecond)
	old.cli("CLIENT", "PAUSE", "60000", "WRITE") // so that the replica has everything
	eventually(t, "the replica has everything", func() bool { return offset(old) == offset(heir) })
	heir.cli("REPLICAOF", "NO", "ONE")
	relay.turn(heir.address())
	old.cli("CLIENT", "KILL", "TYPE", "normal")
	old.cli("CLIENT", "UNPAUSE")
	began := time.Now()
	eventually(t, "no edge is subscribed at the zombie", func() bool {
		return len(old.subscribed()) == 0
	})
	t.Logf("the zombie was left after %v", time.Since(began).Round(time.Millisecond))
	x.pause(300 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
	leftAtOnce(t, a, b)
}

// offset is up to where a server has replicated, or been replicated to.
func offset(r *redisServer) string {
	_, after, _ := strings.Cut(r.cli("INFO", "replication"), "master_repl_offset:")
	return strings.Fields(after)[0]
}

// leftAtOnce checks that edges have given up a subscription that publishing did not reach.
func leftAtOnce(t *testing.T, edges ...*node) {
	t.Helper()
	for _, n := range edges {
		if m := n.metrics(t); m["ssedge_redis_elsewhere_total"] == 0 {
			t.Errorf("no such subscription was counted, %v reconnects",
				m["ssedge_redis_reconnects_total"])
		}
	}
}

// With Sentinel, an edge goes with the master. The old one is not told for a while: it takes events
// that no client will see again, and does not end the connections for subscriptions.
func TestSentinel(t *testing.T) {
	t.Parallel()
	old, heir := startPair(t)
	sentinel := startSentinel(t, old)
	url := "redis+sentinel://" + sentinel.address() + "/mymaster"
	a, b := edge(t, url, nil), edge(t, url, nil)
	x := newTier(t, []*redisServer{heir, old}, &a.server, &b.server)
	x.mayLose = true
	x.load(4, 3, 5*time.Millisecond)
	x.pause(300 * time.Millisecond)
	if out := sentinel.cli("SENTINEL", "FAILOVER", "mymaster"); out != "OK" {
		t.Fatalf("SENTINEL FAILOVER: %s", out)
	}
	eventually(t, "the other one is master", func() bool {
		return strings.Contains(heir.cli("ROLE"), "master")
	})
	length := heir.cli("XLEN", "sse:topic0")
	eventually(t, "the other one takes events", func() bool {
		return heir.cli("XLEN", "sse:topic0") != length
	})
	eventually(t, "no edge is subscribed at the old one", func() bool {
		return len(old.subscribed()) == 0
	})
	x.pause(300 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
	leftAtOnce(t, a, b)
}

// The answers of a master are lost, and then it is: what publishers were not told of, its replica
// has. They try again with the same keys, and are told what there is.
func TestPublishersTryAgainAcrossAFailover(t *testing.T) {
	t.Parallel()
	old, heir := startPair(t)
	relay := startRelay(t, old.address())
	url := "redis://" + relay.address
	x := newTier(t, []*redisServer{heir}, edgeAt(t, url), edgeAt(t, url))
	x.load(5, 2, 5*time.Millisecond)
	x.pause(300 * time.Millisecond)
	relay.silence(true)
	// all have published something that they were not told of, and none tries again yet
	time.Sleep(300 * time.Millisecond)
	eventually(t, "the replica has everything", func() bool { return offset(old) == offset(heir) })
	old.kill()
	heir.cli("REPLICAOF", "NO", "ONE")
	relay.turn(heir.address())
	relay.silence(false)
	relay.cut()
	x.pause(300 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
	if x.again < len(x.acked) {
		t.Errorf("%d of %d publishers tried again what was there: the test shows little", x.again,
			len(x.acked))
	}
}
