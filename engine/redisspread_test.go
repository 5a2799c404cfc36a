package engine_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The clock of a replica counts before it is promoted: a client that comes to a topic without events is given a position before
// whatever the replica would call the first one.
func TestTheClocksOfReplicasCount(t *testing.T) {
	t.Parallel()
	behind := offBy(t, "-30m")
	for name, start := range map[string]func(*testing.T) (url string, replica *redisServer){
		"standalone, with a password": func(t *testing.T) (string, *redisServer) {
			master := startRedis(t, "--requirepass", "secret", "--masterauth", "secret")
			replica := startRedisAt(t, behind, "--requirepass", "secret", "--masterauth", "secret", "--replicaof", "127.0.0.1 "+master.port)
			eventually(t, "there is a replica", func() bool {
				return strings.Contains(master.cli("-a", "secret", "INFO", "replication"), "state=online")
			})
			return "redis://:secret@" + master.address(), replica
		},
		"sentinel": func(t *testing.T) (string, *redisServer) {
			f := sentinelAt(t, behind)
			return f.url, f.heir
		},
		"cluster": func(t *testing.T) (string, *redisServer) {
			f := clusterAt(t, behind)
			return f.url, f.heir
		},
	} {
		if name == "cluster" && !chaos { // TestAReplicaWithAnotherClockIsPromoted has one
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, replica := start(t)
			n := edge(t, url, nil)
			spread := func() float64 { return n.metrics(t)["ssedge_redis_clock_spread_seconds"] }
			near := func() bool { s := spread(); return s > 1795 && s < 1805 }
			eventually(t, "the spread is half an hour", near)
			st := n.opened(t, topic("x"))
			id := st.decoder.LastEventID()
			ms, err := strconv.ParseInt(id, 10, 64)
			if err != nil || time.Since(time.UnixMilli(ms)) < 30*time.Minute {
				t.Errorf("the position of a topic without events is %s, expected a time half an hour ago", id)
			}
			replica.signal(syscall.SIGSTOP)
			time.Sleep(1500 * time.Millisecond) // it is asked meanwhile
			if !near() {
				t.Errorf("the spread is %v when the replica hangs", spread())
			}
			began := time.Now()
			n.engine.Close()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("closing took %v while the replica hung", took)
			}
		})
	}
}
