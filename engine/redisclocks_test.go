package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// The ids of events are times of the servers' clocks, which are wrong, or are set, or are another
// server's after a failover.

// fakeClock is the clock of a server that is started with its environment, and may be set while it
// runs (libfaketime).
type fakeClock struct {
	t    testing.TB
	path string
}

// newClock is a clock that is wrong by an offset, like "-30m".
func newClock(t testing.TB, offset string) *fakeClock {
	t.Helper()
	c := &fakeClock{t, filepath.Join(t.TempDir(), "clock")}
	c.set(offset)
	return c
}

func (c *fakeClock) env() []string {
	return append(fakeTime(c.t), "FAKETIME_TIMESTAMP_FILE="+c.path, "FAKETIME_NO_CACHE=1")
}

func (c *fakeClock) set(offset string) {
	c.t.Helper()
	if err := os.WriteFile(c.path+".new", []byte(offset+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(c.path+".new", c.path); err != nil {
		c.t.Fatal(err)
	}
}

// offBy is the environment of a server whose clock is wrong, and stays so.
func offBy(t testing.TB, offset string) []string { return append(fakeTime(t), "FAKETIME="+offset) }

// fakeTime is what libfaketime needs. Timers go by the machine's clock: only the time of day is
// another one. The C library's malloc goes before jemalloc's, which asks for the time while it is
// made ready, when the time cannot be faked yet.
func fakeTime(t testing.TB) []string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		t.Fatal("libfaketime is missing (make test installs it)")
	}
	return []string{"LD_PRELOAD=" + found[0] + " libc.so.6", "DONT_FAKE_MONOTONIC=1"}
}

// ahead is by how much a server's clock is ahead of the machine's.
func (r *redisServer) ahead() time.Duration {
	seconds, _ := strconv.ParseInt(strings.Fields(r.cli("TIME"))[0], 10, 64)
	return time.Until(time.Unix(seconds, 0)).Round(time.Minute)
}

// longHistory keeps what is published while clocks are half an hour apart.
func longHistory(c *engine.Config) { c.HistoryAge, c.Redis.TTL = 2*time.Hour, 3*time.Hour }

// A server's clock is set while events are published: back, forward, and forward and back again.
func TestTheClockOfAServerIsSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, then string }{
		"back":             {"+0", "-30m", "-30m"},
		"forward":          {"-30m", "+0", "+0"},
		"forward and back": {"+0", "+30m", "+0"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "forward and back" {
				unraced(t)
			}
			t.Parallel()
			clock := newClock(t, c.from)
			r := startRedisAt(t, clock.env())
			url := "redis://" + r.address()
			s := newStage(t, []*redisServer{r},
				&edge(t, url, func(c *engine.Config) { longHistory(c); chunked(c) }).server,
				&edge(t, url, longHistory).server)
			l := newLoad(s, func(name string) string { return name })
			s.ordered = true
			l.enter(fault)
			was := r.ahead()
			clock.set(c.to)
			if r.ahead() == was {
				t.Fatalf("the clock was not set: it is ahead by %v", was)
			}
			l.rest(300 * time.Millisecond)
			l.say(1, l.quiet, l.still)
			clock.set(c.then)
			r.cli("CLIENT", "KILL", "TYPE", "pubsub")
			r.signal(syscall.SIGSTOP)
			l.enter(outage)
			l.rest(1300 * time.Millisecond)
			r.signal(syscall.SIGCONT)
			l.mend()
			l.finish()
		})
	}
}

// The masters of a cluster have clocks that are an hour apart.
func TestTheClocksOfMastersDiffer(t *testing.T) {
	unraced(t) // TestTheClockOfAServerIsSet
	t.Parallel()
	offsets := []string{"+30m", "-30m", "+0"}
	all := startClusterAt(t, 0, func(k int) []string { return offBy(t, offsets[k]) })
	url := clusterURL(all)
	s := newStage(t, all, &edge(t, url, func(c *engine.Config) { longHistory(c); chunked(c) }).
		server, &edge(t, url, longHistory).server)
	// a topic whose place is not known yet may turn out to be at any of them
	s.ordered, s.early = true, time.Hour
	l := newLoad(s, func(name string) string { return name })
	l.rest(oldest)
	l.enter(fault)
	l.say(1, l.quiet, l.still, l.empty)
	for _, r := range all {
		// they must not take each other for dead
		r.cli("CONFIG", "SET", "cluster-node-timeout", "15000")
		r.cli("CLIENT", "KILL", "TYPE", "pubsub")
	}
	for _, r := range all {
		r.signal(syscall.SIGSTOP)
	}
	l.enter(outage)
	l.rest(1300 * time.Millisecond)
	for _, r := range all {
		r.signal(syscall.SIGCONT)
	}
	l.mend()
	l.finish()
}

// A replica is promoted whose clock is half an hour behind, or ahead. It has everything, or not.
func TestAReplicaWithAnotherClockIsPromoted(t *testing.T) {
	unraced(t) // TestAFailoverForgetsEvents
	t.Parallel()
	for name, c := range map[string]struct {
		deploy  func(*testing.T, []string) *failing
		offset  string
		forgets bool
		often   bool // also without CHAOS
	}{
		"standalone, behind":              {standaloneAt, "-30m", false, false},
		"standalone, behind, and forgets": {standaloneAt, "-30m", true, true},
		"standalone, ahead":               {standaloneAt, "+30m", false, false},
		"sentinel, ahead, and forgets":    {sentinelAt, "+30m", true, true},
		"sentinel, behind":                {sentinelAt, "-30m", false, false},
		"cluster, behind":                 {clusterAt, "-30m", false, true},
		"cluster, behind, and forgets":    {clusterAt, "-30m", true, false},
		"cluster, ahead, and forgets":     {clusterAt, "+30m", true, false},
	} {
		if !c.often && !chaos {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if name != "sentinel, ahead, and forgets" {
				// TestAFailoverForgetsEvents and TestTakeovers have the others
				unraced(t)
			}
			t.Parallel()
			f := c.deploy(t, offBy(t, c.offset))
			s := newStage(t, f.servers,
				&edge(t, f.url, func(c *engine.Config) { longHistory(c); chunked(c) }).server,
				&edge(t, f.url, longHistory).server)
			s.early = 30 * time.Minute
			for _, e := range s.edges {
				eventually(t, "the replica's clock is known", func() bool {
					return e.metrics(t)["ssedge_redis_clock_spread_seconds"] > 1000
				})
			}
			l := newLoad(s, f.topic)
			l.rest(500 * time.Millisecond)
			l.enter(fault)
			if c.forgets {
				f.forsake()
				l.lose()
			} else { // topics without events have none yet
				l.say(1, l.quiet, l.still)
				f.victim.cli("CLIENT", "PAUSE", "60000", "WRITE")
				eventually(t, "the replica has everything", func() bool {
					return offset(f.victim) == offset(f.heir)
				})
			}
			l.enter(outage)
			f.die()
			l.rest(1200 * time.Millisecond)
			f.promote()
			l.mend()
			if c.forgets {
				l.told()
			}
			l.finish()
		})
	}
}
