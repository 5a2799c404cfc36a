package engine_test

import (
	"strings"
	"testing"
)

// ownerOf is the master that has a key.
func ownerOf(t *testing.T, all []*redisServer, key string) *redisServer {
	t.Helper()
	for _, r := range masters(all) {
		if out := r.cli("EXISTS", key); out == "0" || out == "1" {
			return r
		}
	}
	t.Fatalf("%s is no master's", key)
	return nil
}

// A slot that no master has: nothing can be published to its topics, and the edge says so.
func TestASlotThatNoMasterHas(t *testing.T) {
	t.Parallel()
	unraced(t) // TestFanInSlotsMove
	all := startCluster(t, 0)
	n := edge(t, clusterURL(all), nil)
	n.opened(t, topic("news"))
	n.publish(t, "news", "before")
	owner, slot := ownerOf(t, all, "sse:news"), all[0].cli("CLUSTER", "KEYSLOT", "sse:news")
	for _, r := range all {
		r.cli("CLUSTER", "DELSLOTS", slot)
	}
	n.await(t, "ssedge_redis_up", 0)
	await(t, "publishing to be refused", func() (bool, string) {
		status, body := send(t, n, "POST", "/publish?topic=news", "x")
		return status == 503 && strings.Contains(body, "was not stored"), body
	})
	await(t, "/admin/status to say why", func() (bool, string) {
		_, body := n.get(t, n.admin, "/admin/status")
		return strings.Contains(body, "no master for some slots: 1 of 16384, the first is "+slot),
			body
	})
	if n.metrics(t)[`ssedge_redis_failures_total{cause="clusterdown"}`] == 0 {
		t.Error("it is not counted")
	}
	owner.cli("CLUSTER", "ADDSLOTS", slot)
	n.await(t, "ssedge_redis_up", 1)
	await(t, "publishing to go on", func() (bool, string) {
		status, body := send(t, n, "POST", "/publish?topic=news", "x")
		return status == 200, body
	})
}

// A slot stays on its way between two masters, as a resharding that was interrupted leaves it: what
// is published goes to the one, and edges are subscribed at the other.
func TestASlotThatStaysOnItsWay(t *testing.T) {
	t.Parallel()
	unraced(t) // TestFanInSlotsMove
	all := startCluster(t, 0)
	a, b := edge(t, clusterURL(all), nil), edge(t, clusterURL(all), nil)
	from, slot := ownerOf(t, all, "sse:news"), all[0].cli("CLUSTER", "KEYSLOT", "sse:news")
	to := all[0]
	if to == from {
		to = all[1]
	}
	onA, onB := a.opened(t, topic("news")), b.opened(t, topic("news"))
	for _, out := range []string{to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id()),
		from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())} {
		if out != "OK" {
			t.Fatal(out)
		}
	}
	for _, data := range []string{"one", "two"} {
		a.publish(t, "news", data)
	}
	onB.gets(t, "one", "two")
	onA.gets(t, "one", "two")
	if out := to.cli("EXISTS", "sse:news"); !strings.HasPrefix(out, "MOVED") {
		t.Errorf("the slot has arrived: %s", out)
	}
}
