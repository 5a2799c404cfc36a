package engine_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// The servers forget events that they had acknowledged, and go on with others. Clients must be
// told; none may have to find out by itself.

// failing is a set of servers. One of them, the victim, will be lost with everything that it has
// not replicated.
type failing struct {
	url          string
	servers      []*redisServer // in the end
	victim, heir *redisServer
	// what must be done, after the victim's death, for the heir to take its place
	promote func()
	at      func(topic string) int // which of several masters a topic belongs to …
	of      int                    // … and which the victim is
}

// topic is a name that begins so, and belongs to the victim.
func (f *failing) topic(name string) string {
	for k := 0; f.at != nil && f.at(name) != f.of; k++ {
		name = strings.TrimRight(name, "0123456789") + strconv.Itoa(k)
	}
	return name
}

// forsake cuts the heir off: what is published from now on goes with the victim.
func (f *failing) forsake() {
	f.heir.signal(syscall.SIGSTOP)
	f.victim.cli("CLIENT", "KILL", "TYPE", "replica")
}

// die ends the victim.
func (f *failing) die() {
	f.victim.kill()
	f.heir.signal(syscall.SIGCONT)
}

var deployments = map[string]func(*testing.T, []string) *failing{"standalone": standaloneAt,
	"sentinel": sentinelAt, "cluster": clusterAt}

// standaloneAt is a pair whose replica has an environment of its own. After a failover it is
// started where the edges look.
func standaloneAt(t *testing.T, env []string) *failing {
	old, heir := startPairAt(t, env)
	return &failing{url: "redis://" + old.address(), servers: []*redisServer{heir}, victim: old,
		heir: heir, promote: func() {
			heir.cli("REPLICAOF", "NO", "ONE")
			heir.moveTo(old.port)
		}}
}

func sentinelAt(t *testing.T, env []string) *failing {
	old, heir := startPairAt(t, env)
	sentinel := startSentinel(t, old)
	return &failing{url: "redis+sentinel://" + sentinel.address() + "/mymaster",
		servers: []*redisServer{heir}, victim: old, heir: heir, promote: func() {
			eventually(t, "the replica is the master", func() bool {
				return strings.HasPrefix(heir.cli("ROLE"), "master")
			})
		}}
}

func clusterAt(t *testing.T, env []string) *failing {
	return failingCluster(t, startClusterAt(t, 1, func(k int) []string {
		if k < 3 {
			return nil
		}
		return env
	}))
}

// failingCluster are the servers of a cluster, of whose masters the second will be lost.
func failingCluster(t *testing.T, all []*redisServer) *failing {
	f := &failing{url: clusterURL(all), servers: all, victim: all[1], of: 1}
	for _, r := range replicas(all) {
		if strings.Contains(r.cli("ROLE"), f.victim.port) {
			f.heir = r
		}
	}
	if f.heir == nil {
		t.Fatalf("no server replicates %s", f.victim.port)
	}
	f.at = func(topic string) int {
		slot, _ := strconv.Atoi(all[0].cli("CLUSTER", "KEYSLOT", "sse:"+topic))
		return slot / 5461 // as redis-cli --cluster create spreads them
	}
	f.promote = func() {
		eventually(t, "the replica is the master", func() bool {
			return strings.HasPrefix(f.heir.cli("ROLE"), "master")
		})
	}
	return f
}

// moveTo restarts the server at another port, with its data.
func (r *redisServer) moveTo(port string) {
	r.t.Helper()
	r.save()
	r.kill()
	r.port = port
	r.start()
}

// save writes the server's data to the file that it reads when it starts.
func (r *redisServer) save() {
	r.t.Helper()
	if out := r.cli("SAVE"); out != "OK" {
		r.t.Fatalf("SAVE: %s", out)
	}
}

func (r *redisServer) dump() string { return r.dir + "/dump.rdb" }

func chunked(c *engine.Config) { c.Chunked = true }

// load makes witnesses of every kind follow topics of every kind, and begins publishing.
type load struct {
	*stage
	busy, bulk, quiet, still, empty, late, unseen, new string
}

func newLoad(s *stage, name func(string) string) *load {
	// a client in the middle of forgotten events goes on with the new ones
	s.may = map[string]bool{"unknown": true, "future": true}
	l := &load{s, name("busy"), name("bulk"), name("quiet"), name("still"), name("empty"),
		name("late"), name("unseen"), name("new")}
	for _, topics := range [][]string{{l.busy}, {l.bulk}, {l.quiet}, {l.still}, {l.empty}, {l.late},
		{l.busy, l.empty, l.quiet}} {
		s.crowd(topics...)
	}
	for e := range s.edges {
		// a topic that no client follows before the outage, so its place is not known then
		s.follow("fresh at the outage", false, []string{l.unseen}, stay{edge: e, from: outage})
		s.follow("fresh at the outage, and elsewhere", false, []string{l.unseen},
			stay{edge: e, from: outage, until: mended},
			stay{edge: (e + 1) % len(s.edges), from: mended, after: 1200 * time.Millisecond})
	}
	for e := range s.edges {
		// a topic that has its place since the fault, and no event until all is well again
		s.follow("fresh at the fault", false, []string{l.new}, stay{edge: e, from: fault})
		s.follow("fresh at the fault, and away", false, []string{l.new},
			stay{edge: e, from: fault, after: 200 * time.Millisecond, until: outage},
			stay{edge: e, from: mended})
		s.follow("fresh at the fault, and elsewhere", false, []string{l.new},
			stay{edge: e, from: fault, after: 200 * time.Millisecond, until: outage},
			stay{edge: (e + 1) % len(s.edges), from: mended, after: 200 * time.Millisecond})
	}
	s.settled()
	s.say(0, l.unseen)
	for e := range s.edges {
		s.publish(l.busy, e, 30*time.Millisecond, 0)
		s.publish(l.bulk, e, 80*time.Millisecond, 8000)
	}
	s.say(0, l.quiet, l.still)
	s.rest(500 * time.Millisecond)
	return l
}

// lose publishes what will be forgotten.
func (l *load) lose() {
	l.rest(300 * time.Millisecond)
	l.say(1, l.quiet, l.still, l.empty)
	l.say(0, l.quiet, l.empty)
	l.rest(300 * time.Millisecond)
}

// mend waits until each edge can publish and has caught up, announces that all is well, and goes on
// for a while.
func (l *load) mend() {
	l.say(0, l.quiet, l.empty)
	l.say(1, l.quiet, l.new)
	l.caughtUp()
	l.enter(mended)
	l.rest(time.Second)
	l.say(1, l.still, l.late)
	l.say(0, l.still, l.late, l.quiet, l.empty, l.unseen, l.new)
	l.rest(500 * time.Millisecond)
}

// told checks that there was something to tell.
func (l *load) told() {
	l.t.Helper()
	if n := l.forgotten(l.busy, l.bulk, l.quiet, l.still, l.empty); n < 5 {
		l.t.Errorf("only %d events were forgotten: the test shows little", n)
	}
}

// rest lets things go on for some time, longer with CHAOS.
func (s *stage) rest(d time.Duration) {
	if chaos {
		d *= 3
	}
	time.Sleep(d)
}

// A master dies before its last events were replicated.
func TestAFailoverForgetsEvents(t *testing.T) {
	t.Parallel()
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			if name != "standalone" {
				unraced(t)
			}
			t.Parallel()
			f := deploy(t, nil)
			l := newLoad(newStage(t, f.servers, &edge(t, f.url, chunked).server, edgeAt(t, f.url)),
				f.topic)
			f.forsake()
			l.enter(fault)
			l.lose()
			l.enter(outage)
			f.die()
			l.rest(1200 * time.Millisecond) // a client that comes now gets a response head
			f.promote()
			l.mend()
			l.told()
			l.finish()
		})
	}
}

// A server is started from an older dump, or from none.
func TestAServerStartsFromAnOlderDump(t *testing.T) {
	unraced(t) // TestAFailoverForgetsEvents
	t.Parallel()
	for _, how := range []string{"older", "empty"} {
		t.Run(how, func(t *testing.T) {
			if how != "older" {
				unraced(t)
			}
			t.Parallel()
			r := startRedis(t)
			url := "redis://" + r.address()
			l := newLoad(newStage(t, []*redisServer{r}, &edge(t, url, chunked).server,
				edgeAt(t, url)), func(name string) string { return name })
			if how == "older" {
				r.save()
			}
			for round := range rounds(2, 3) {
				if round > 0 {
					l.rest(300 * time.Millisecond)
				} else {
					l.enter(fault)
				}
				l.lose()
				if round == 0 {
					l.enter(outage)
				}
				r.kill()
				l.rest(1200 * time.Millisecond)
				if _, err := os.Stat(r.dump()); (err == nil) != (how == "older") {
					t.Fatalf("the dump: %v", err)
				}
				r.start()
				l.say(0, l.busy)
			}
			l.mend()
			l.told()
			l.finish()
		})
	}
}
