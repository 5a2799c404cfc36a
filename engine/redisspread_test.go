package engine_test

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The clock of a replica counts before it is promoted: a client that comes to a topic without
// events is given a position before whatever the replica would call the first one.
func TestTheClocksOfReplicasCount(t *testing.T) {
	t.Parallel()
	behind := offBy(t, "-30m")
	for name, start := range map[string]func(*testing.T) (url string, replica *redisServer){
		"ahead, with a user and TLS": func(t *testing.T) (string, *redisServer) {
			ports := freePorts(t, 2)
			flags := func(port string) []string {
				return append(secured(t, port), "--requirepass", "p@ss", "--masterauth", "p@ss",
					"--tls-replication", "yes")
			}
			master := startRedis(t, flags(ports[0])...)
			replica := startRedisAt(t, offBy(t, "+30m"),
				append(flags(ports[1]), "--tls-ca-cert-file", certOf(master), "--replicaof",
					"127.0.0.1 "+ports[0])...)
			eventually(t, "there is a replica", func() bool {
				return strings.Contains(master.cli("-a", "p@ss", "INFO", "replication"),
					"state=online")
			})
			for _, r := range []*redisServer{master, replica} {
				r.cli(append([]string{"-a", "p@ss"}, edgeUser...)...)
			}
			// Behind, it would take the master's certificate for one of the future.
			return "rediss://edge:secret@127.0.0.1:" + ports[0] + "?insecure=true", replica
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
			if err != nil || time.Since(time.UnixMilli(ms)) < 30*time.Minute &&
				!strings.HasPrefix(name, "ahead") {
				t.Errorf("the position of a topic without events is %s, expected a time half an hour ago",
					id)
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

// certOf is the certificate of a server that was started with secured.
func certOf(r *redisServer) string {
	return r.arguments[slices.Index(r.arguments, "--tls-cert-file")+1]
}
