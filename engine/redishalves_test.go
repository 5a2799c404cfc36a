package engine_test

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// unprobed is an edge that would notice nothing for minutes if it waited for probes that are
// missing.
func unprobed(log *said) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Redis.ProbeInterval, c.Logger = time.Minute, slog.New(slog.NewTextHandler(log, nil))
	}
}

// halves are the connections of edges at a server, for commands or for subscriptions: the numbers
// by which CLIENT KILL knows them.
func halves(r *redisServer, subscriptions bool) (all []string) {
	for line := range strings.Lines(r.cli("CLIENT", "LIST")) {
		id := regexp.MustCompile(`^id=(\d+) .*name=ssedge-\S+`).FindStringSubmatch(line)
		if id != nil && !strings.Contains(line, "-clock ") &&
			strings.Contains(line, "-sub ") == subscriptions {
			all = append(all, id[1])
		}
	}
	return all
}

func killHalves(t *testing.T, r *redisServer, subscriptions bool) {
	t.Helper()
	all := halves(r, subscriptions)
	if len(all) == 0 {
		t.Fatalf("no connection of an edge is at %s", r.address())
	}
	for _, id := range all {
		r.cli("CLIENT", "KILL", "ID", id)
	}
}

// A change of servers that one half of an edge hears of, publishing or subscribing, moves the other
// half, too, while the old server lives and holds its connections: without waiting for probes that
// are missing.
func TestOneHalfMovesTheOther(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]struct {
		url  func(t *testing.T, old *redisServer) (url string, turn func(heir *redisServer))
		kill func(t *testing.T, old *redisServer)
	}{
		"a sentinel names another master": {
			url: func(t *testing.T, old *redisServer) (string, func(*redisServer)) {
				sentinel := startSentinel(t, old)
				return "redis+sentinel://" + sentinel.address() + "/mymaster",
					func(heir *redisServer) {
						eventually(t, "the sentinel begins", func() bool {
							return sentinel.cli("SENTINEL", "FAILOVER", "mymaster") == "OK"
						})
						eventually(t, "the other one is master", func() bool {
							return strings.HasPrefix(heir.cli("ROLE"), "master")
						})
					}
			},
			kill: func(*testing.T, *redisServer) {},
		},
		"the connection for publishing is killed": {
			url:  behindBalancer,
			kill: func(t *testing.T, old *redisServer) { killHalves(t, old, false) },
		},
		"the connection for subscriptions is killed": {
			url:  behindBalancer,
			kill: func(t *testing.T, old *redisServer) { killHalves(t, old, true) },
		},
		"publishing is refused": {
			url: func(t *testing.T, old *redisServer) (string, func(*redisServer)) {
				url, turn := behindBalancer(t, old)
				return strings.Replace(url, "127.0.0.1", "localhost", 1), func(heir *redisServer) {
					// a name, which is looked up again
					turn(heir)
					old.cli("REPLICAOF", "127.0.0.1", heir.port)
				}
			},
			kill: func(*testing.T, *redisServer) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, heir := startPair(t)
			url, turn := move.url(t, old)
			log := &said{}
			n := edge(t, url, unprobed(log))
			st := n.opened(t, topic("x"))
			n.publish(t, "x", "before")
			st.gets(t, "before")
			turn(heir)
			move.kill(t, old)
			eventually(t, "an event is taken by the new server", func() bool {
				n.post("x", "after")
				time.Sleep(20 * time.Millisecond)
				return heir.cli("XLEN", "sse:x") != "1"
			})
			await(t, "the subscription at the new server", func() (bool, string) {
				return len(heir.subscribed()) == 1,
					fmt.Sprintf("%v there, %v at the old one: %s", heir.subscribed(),
						old.subscribed(), log)
			})
			eventually(t, "nothing is left at the old one", func() bool {
				return len(halves(old, true))+len(halves(old, false)) == 0
			})
			last := fmt.Sprint("last ", n.publish(t, "x", "after"))
			n.publish(t, "x", last)
			for m, err := st.next(); m.Data != last; m, err = st.next() {
				if err != nil || m.Data != "after" && m.Event != "gap" {
					t.Fatalf("found %+v, %v", m, err)
				}
			}
			if m := n.metrics(t); m["ssedge_redis_probe_failures_total"] != 0 {
				t.Errorf("probes were missing: %s", log)
			}
		})
	}
}

// behindBalancer is a server behind an address that later leads to another one; the replica is
// promoted, and the old server is a master all the same.
func behindBalancer(t *testing.T, old *redisServer) (url string, turn func(*redisServer)) {
	relay := startRelay(t, old.address())
	return "redis://" + relay.address, func(heir *redisServer) {
		heir.cli("REPLICAOF", "NO", "ONE")
		relay.turn(heir.address())
	}
}
