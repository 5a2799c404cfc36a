package engine_test

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// masters are the servers that are masters now, by their own word; replicas those that are
// replicas.
func masters(all []*redisServer) []*redisServer  { return withRole(all, "master") }
func replicas(all []*redisServer) []*redisServer { return withRole(all, "slave") }

func withRole(all []*redisServer, role string) (found []*redisServer) {
	for _, r := range all {
		if strings.HasPrefix(r.cli("ROLE"), role) {
			found = append(found, r)
		}
	}
	return found
}

// anyOf is one of them.
func anyOf(rng *rand.Rand, all []*redisServer) *redisServer { return all[rng.IntN(len(all))] }

func (r *redisServer) id() string { return r.cli("CLUSTER", "MYID") }

// A master is killed, and its replica takes over. Nothing that was acknowledged before the replica
// had it may be lost here: the test waits for the replicas first.
func TestAMasterIsKilled(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 1)
	url := clusterURL(all)
	x := newTier(t, all, edgeAt(t, url))
	x.process(url)
	x.mayLose = true
	x.load(6, 2, 5*time.Millisecond)
	x.pause(500 * time.Millisecond)
	anyOf(x.rng, masters(all)).kill()
	time.Sleep(4 * time.Second)
	gaps := x.finish()
	for _, g := range gaps {
		// replication is asynchronous: what the replica had not got is gone, and may be told
		t.Logf("told: %s", g)
	}
	x.stayed()
}

// A master hangs for so long that its replica takes over, and goes on: until it hears of that it is
// a zombie, does what was asked of it before, and tells the new master's subscribers.
func TestAMasterHangs(t *testing.T) {
	unraced(t) // TestAMasterIsKilled
	t.Parallel()
	all := startCluster(t, 1)
	url := clusterURL(all)
	x := newTier(t, all, edgeAt(t, url))
	x.process(url)
	x.mayLose = true
	x.load(6, 2, 5*time.Millisecond)
	x.pause(300 * time.Millisecond)
	hung := anyOf(x.rng, masters(all))
	others := slices.DeleteFunc(slices.Clone(all), func(r *redisServer) bool { return r == hung })
	hung.signal(syscall.SIGSTOP)
	eventually(t, "a replica takes over", func() bool { return len(masters(others)) == 3 })
	x.pause(300 * time.Millisecond)
	hung.signal(syscall.SIGCONT)
	eventually(t, "it is a replica", func() bool { return len(masters(all)) == 3 })
	x.pause(500 * time.Millisecond)
	for _, g := range x.finish() {
		t.Logf("told: %s", g)
	}
	x.stayed()
}

func TestAGracefulFailover(t *testing.T) {
	unraced(t) // TestAMasterIsKilled
	t.Parallel()
	all := startCluster(t, 1)
	url := clusterURL(all)
	log := &said{}
	x := newTier(t, all,
		&edge(t, url, func(c *engine.Config) {
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
		}).server)
	x.process(url)
	x.load(6, 2, 5*time.Millisecond)
	for range 2 {
		x.pause(500 * time.Millisecond)
		if out := anyOf(x.rng, replicas(all)).cli("CLUSTER", "FAILOVER"); out != "OK" {
			t.Fatalf("CLUSTER FAILOVER: %s", out)
		}
		x.pause(1500 * time.Millisecond)
	}
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
	if text := log.String(); !strings.Contains(text, "slots of the cluster have moved") ||
		strings.Contains(text, "no connection to") {
		t.Errorf("subscriptions have not gone where the slots have: %s", text)
	}
}

func TestSlotsMoveUnderLoad(t *testing.T) {
	unraced(t) // TestFanInSlotsMove
	t.Parallel()
	all := startCluster(t, 0)
	url := clusterURL(all)
	x := newTier(t, all, edgeAt(t, url))
	x.process(url)
	x.load(20, 2, 10*time.Millisecond)
	x.pause(500 * time.Millisecond)
	k := x.rng.IntN(3)
	for range 2 { // and on
		from := k
		k = (k + 1 + x.rng.IntN(2)) % 3
		x.moveSlots(all[from], all[k])
		x.pause(500 * time.Millisecond)
	}
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
}

// moveSlots moves the slots of the topics from one master to another, as redis-cli does it. With
// CHAOS=1 that moves 2,500 slots, most of them empty, which takes it a good while.
func (x *tier) moveSlots(from, to *redisServer) {
	x.t.Helper()
	if chaos {
		out, err := exec.Command("redis-cli", "--cluster", "reshard", from.address(),
			"--cluster-from", from.id(), "--cluster-to", to.id(),
			"--cluster-slots", "2500", "--cluster-yes").CombinedOutput()
		if err != nil {
			x.t.Fatalf("%v: %.1000s", err, out)
		}
		return
	}
	must := func(r *redisServer, arguments ...string) {
		x.t.Helper()
		if out := r.cli(arguments...); out != "OK" && out != "NOKEY" {
			x.t.Fatalf("%v: %s", arguments, out)
		}
	}
	x.mu.Lock()
	topics := slices.Sorted(maps.Keys(x.acked))
	x.mu.Unlock()
	moved := map[string]bool{}
	for _, topic := range topics {
		slot := from.cli("CLUSTER", "KEYSLOT", keyBy(x.way, topic))
		if moved[slot] || from.cli("CLUSTER", "COUNTKEYSINSLOT", slot) == "0" {
			// it is another master's
			continue
		}
		moved[slot] = true
		must(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id())
		must(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())
		for keys := from.cli("CLUSTER", "GETKEYSINSLOT", slot, "100"); keys != ""; keys = from.cli(
			"CLUSTER", "GETKEYSINSLOT", slot, "100") {
			must(from, append([]string{"MIGRATE", "127.0.0.1", to.port, "", "0", "5000", "KEYS"},
				strings.Split(keys, "\n")...)...)
		}
		for _, r := range []*redisServer{to, from} {
			must(r, "CLUSTER", "SETSLOT", slot, "NODE", to.id())
		}
	}
	if len(moved) == 0 {
		x.t.Error("that master has no topic's slot")
	}
}

// A slot is left half migrated: its key has moved, its owner has not changed. What is published
// then goes to the other master, where no edge can subscribe; it must arrive when the slot does.
func TestASlotIsLeftHalfMigrated(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 0)
	url := clusterURL(all)
	a := edge(t, url, nil)
	st := a.opened(t, topic("half"))
	a.publish(t, "half", "before")
	st.gets(t, "before")
	slot := all[0].cli("CLUSTER", "KEYSLOT", "sse:half")
	k := slices.IndexFunc(all, func(r *redisServer) bool {
		return r.cli("EXISTS", "sse:half") == "1"
	})
	from, to := all[k], anyOf(newSeed(t).of("test"), slices.Concat(all[:k], all[k+1:]))
	must := func(r *redisServer, arguments ...string) {
		t.Helper()
		if out := r.cli(arguments...); out != "OK" {
			t.Fatalf("%v: %s", arguments, out)
		}
	}
	must(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id())
	must(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())
	must(from, "MIGRATE", "127.0.0.1", to.port, "sse:half", "0", "5000")
	for k := range 5 {
		a.publish(t, "half", fmt.Sprint("meanwhile ", k))
	}
	onOther := edge(t, url, nil)
	for _, r := range []*redisServer{to, from} {
		must(r, "CLUSTER", "SETSLOT", slot, "NODE", to.id())
	}
	for k := range 5 {
		st.gets(t, fmt.Sprint("meanwhile ", k))
	}
	onOther.publish(t, "half", "after")
	st.gets(t, "after")
	onOther.opened(t, after("half", st.decoder.LastEventID()))
}
