package engine_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// Events that the old master had acknowledged and the new one never got are not mixed up with later
// ones, and a client that was sent them gets the later ones.
func TestUnreplicatedEventsAreRolledBack(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 1)
	url := clusterURL(all)
	a := edge(t, url, nil)
	st := a.opened(t, topic("fork"))
	a.publish(t, "fork", "kept")
	st.gets(t, "kept")
	kept := st.decoder.LastEventID()
	var master *redisServer
	for _, r := range all {
		if r.cli("EXISTS", "sse:fork") == "1" && strings.Contains(r.cli("ROLE"), "master") {
			master = r
		}
	}
	master.cli("WAIT", "1", "1000")
	master.cli("CONFIG", "SET", "requirepass", "x") // the replica cannot come back
	master.cli("-a", "x", "CLIENT", "KILL", "TYPE", "replica")
	for k := range 3 {
		a.publish(t, "fork", fmt.Sprint("lost ", k))
		st.gets(t, fmt.Sprint("lost ", k))
	}
	lost := st.decoder.LastEventID()
	master.kill()
	eventually(t, "the replica takes over", func() bool {
		_, err := a.post("fork", "after")
		return err == nil
	})
	for m, err := st.next(); m.Data != "after"; m, err = st.next() {
		if err != nil {
			t.Fatal(err)
		}
		t.Fatalf("found %+v", m)
	}
	if n := a.metrics(t)["ssedge_redis_forks_total"]; n == 0 {
		t.Error("no fork was counted")
	}
	b := edge(t, url, nil)
	b.opened(t, after("fork", kept)).gets(t, "after")
	if m, err := b.opened(t, after("fork", lost)).next(); err != nil || m.Event != "gap" {
		t.Errorf("a client that has seen what is gone is told %+v, %v", m, err)
	}
}

// FLUSHALL takes the history. A client that is there has missed nothing. A client that comes back
// is told.
func TestTheHistoryIsFlushed(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	a, b := edge(t, url, nil), edge(t, url, nil)
	st := a.opened(t, topic("x"))
	a.publish(t, "x", "1")
	st.gets(t, "1")
	before := st.decoder.LastEventID()
	a.publish(t, "x", "2")
	st.gets(t, "2")
	r.cli("FLUSHALL")
	b.publish(t, "x", "3")
	b.publish(t, "x", "4")
	st.gets(t, "3", "4")
	a.opened(t, after("x", before)).gets(t, "2", "3", "4") // this one still has it
	m, err := b.opened(t, after("x", before)).next()
	if err != nil || m.Event != "gap" {
		t.Errorf("found %+v, %v", m, err)
	}
}

// An edge that does not read is disconnected by the server, and catches up.
func TestAnEdgeStopsReading(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "--client-output-buffer-limit", "pubsub 1mb 256kb 5")
	url := "redis://" + r.address()
	stopped, other := edgeProcess(t, url, "--history-bytes=33554432", "--history-max=134217728"),
		edge(t, url, nil)
	st := stopped.opened(t, topic("big"))
	other.publish(t, "big", "begin")
	st.gets(t, "begin")
	stopped.cmd.Process.Signal(syscall.SIGSTOP)
	var want []string
	for k := range 200 { // more than the kernel's buffers hold
		want = append(want, fmt.Sprint(k, strings.Repeat("x", 60_000)))
		other.publish(t, "big", want[k])
	}
	if log, err := exec.Command("grep", "-c", "overcoming of output buffer limits", r.dir+"/log").
		Output(); err != nil {
		t.Errorf("the server did not disconnect it: %s, %v", log, err)
	}
	stopped.cmd.Process.Signal(syscall.SIGCONT)
	st.gets(t, want...)
	if n := stopped.metrics(t)["ssedge_redis_reconnects_total"]; n == 0 {
		t.Error("no reconnect was counted")
	}
}

// A network that swallows what is sent, without a word.
func TestTheNetworkIsHalfOpen(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	behind, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	st := behind.opened(t, topic("x"))
	direct.publish(t, "x", "1")
	st.gets(t, "1")
	relay.swallow(true)
	direct.publish(t, "x", "2")
	direct.publish(t, "x", "3")
	eventually(t, "it is noticed", func() bool { return behind.metrics(t)["ssedge_redis_up"] == 0 })
	if _, err := behind.post("x", "nowhere"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("publishing meanwhile: %v", err)
	}
	late := behind.open(t, topic("new")) // is let in, and told nothing
	relay.swallow(false)
	st.gets(t, "2", "3")
	if err := late.opening(); err != nil {
		t.Error(err)
	}
	direct.publish(t, "new", "4")
	late.gets(t, "4")
}

// The clients of an edge that dies go on at another.
func TestAnEdgeIsKilled(t *testing.T) {
	unraced(t) // TestConnectionsAreKilled
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	dying := edgeProcess(t, url)
	x := newTier(t, []*redisServer{r}, &dying.server)
	for k := range 4 {
		for range 5 {
			x.follow(fmt.Sprint("topic", k))
		}
	}
	x.mu.Lock()
	x.edges = []*server{edgeAt(t, url), edgeAt(t, url)}
	x.mu.Unlock()
	for k := range 4 {
		x.publishTo(fmt.Sprint("topic", k), 2*time.Millisecond)
	}
	x.pause(300 * time.Millisecond)
	dying.cmd.Process.Kill()
	x.pause(500 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
}

// All edges are replaced, one after the other.
func TestARollingRestart(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	nodes := []*node{edge(t, url, quickDrain), edge(t, url, quickDrain)}
	x := newTier(t, []*redisServer{r}, &nodes[0].server, &nodes[1].server)
	x.load(4, 5, 2*time.Millisecond)
	for k := range nodes {
		x.pause(200 * time.Millisecond)
		fresh := edge(t, url, quickDrain)
		x.mu.Lock()
		x.edges[k] = &fresh.server
		x.mu.Unlock()
		nodes[k].engine.Drain()
		nodes[k].engine.Close()
	}
	x.pause(200 * time.Millisecond)
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
}

func quickDrain(c *engine.Config) { c.DrainRate, c.DrainTimeout = 1000, 5*time.Second }
