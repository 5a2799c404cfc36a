package engine_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/freeport"
	"ssedge/engine"
)

// redisServer is a server of its own, on a free port, until the test ends.
type redisServer struct {
	t         testing.TB
	port, bus string
	dir       string
	arguments []string
	env       []string
	cmd       *exec.Cmd
}

// freePorts are ports on which nothing listens now.
func freePorts(t testing.TB, n int) (all []string) {
	t.Helper()
	addresses, err := freeport.Addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range addresses {
		all = append(all, fmt.Sprint(at.Port()))
	}
	return all
}

func startRedis(t testing.TB, arguments ...string) *redisServer {
	t.Helper()
	return startRedisAt(t, nil, arguments...)
}

// startRedisAt is startRedis with a clock of its own (fakeClock), or with another environment.
func startRedisAt(t testing.TB, env []string, arguments ...string) *redisServer {
	t.Helper()
	ports := freePorts(t, 2)
	r := &redisServer{t: t, port: ports[0], bus: ports[1], dir: t.TempDir(), arguments: arguments,
		env: env}
	r.start()
	t.Cleanup(r.kill)
	return r
}

// start starts it with what it has saved, if anything, and waits until it answers.
func (r *redisServer) start() {
	r.t.Helper()
	arguments := append([]string{
		"--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, "--logfile",
		filepath.Join(r.dir, "log"),
		"--save", "", "--appendonly", "no", "--enable-debug-command", "local",
		// otherwise a replica may get nothing for a second after it is called online
		"--repl-diskless-sync", "no",
	}, r.arguments...)
	r.cmd = exec.Command("redis-server", arguments...)
	r.cmd.Env = append(os.Environ(), r.env...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("%v (make test installs redis-server)", err)
	}
	eventually(r.t, "redis-server answers", func() bool {
		out := r.cli("PING")
		return strings.Contains(out, "PONG") || strings.Contains(out, "NOAUTH")
	})
}

func (r *redisServer) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

func (r *redisServer) signal(s syscall.Signal) { r.cmd.Process.Signal(s) }

func (r *redisServer) address() string { return "127.0.0.1:" + r.port }

func (r *redisServer) cli(arguments ...string) string {
	out, _ := exec.Command("redis-cli", append([]string{"-p", r.port}, arguments...)...).
		CombinedOutput()
	return strings.TrimSpace(string(out))
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); lookAgain(began) {
		if time.Since(began) > patience {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// startPair starts a master and a replica of it.
func startPair(t testing.TB) (master, replica *redisServer) {
	t.Helper()
	return startPairAt(t, nil)
}

// startPairAt is startPair, the replica with an environment of its own.
func startPairAt(t testing.TB, env []string) (master, replica *redisServer) {
	t.Helper()
	master, replica = startRedis(t), startRedisAt(t, env)
	replica.cli("REPLICAOF", "127.0.0.1", master.port)
	eventually(t, "there is a replica", func() bool {
		return strings.Contains(master.cli("INFO", "replication"), "state=online")
	})
	return master, replica
}

// startCluster starts three masters, each with so many replicas.
func startCluster(t testing.TB, replicas int) []*redisServer {
	t.Helper()
	return startClusterAt(t, replicas, func(int) []string { return nil })
}

// startClusterAt is startCluster with an environment for each server; the first three are the
// masters.
func startClusterAt(t testing.TB, replicas int, env func(k int) []string) []*redisServer {
	t.Helper()
	var all []*redisServer
	create := []string{"--cluster", "create"}
	for k := range 3 * (1 + replicas) {
		r := &redisServer{t: t, dir: t.TempDir(), env: env(k)}
		ports := freePorts(t, 2)
		r.port, r.bus = ports[0], ports[1]
		r.arguments = []string{
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "1000", "--cluster-port", r.bus,
			"--cluster-announce-ip", "127.0.0.1", "--cluster-replica-validity-factor", "0",
		}
		r.start()
		t.Cleanup(r.kill)
		all = append(all, r)
		create = append(create, r.address())
	}
	create = append(create, "--cluster-replicas", fmt.Sprint(replicas), "--cluster-yes")
	for attempt := 1; ; attempt++ {
		// redis-cli waits for ever when servers forget each other before they have met, as on a
		// busy machine
		ctx, cancel := context.WithTimeout(t.Context(), patience/2)
		out, err := exec.CommandContext(ctx, "redis-cli", create...).CombinedOutput()
		cancel()
		if err == nil {
			break
		}
		if attempt == 3 {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("the cluster is made again: %v: %s", err, out)
		for _, r := range all {
			r.cli("CLUSTER", "RESET", "HARD")
		}
	}
	for _, r := range all {
		eventually(t, "the cluster is whole", func() bool {
			return strings.Contains(r.cli("CLUSTER", "INFO"), "cluster_state:ok") &&
				strings.Count(r.cli("CLUSTER", "NODES"), "connected") == len(all)
		})
	}
	return all
}

func clusterURL(all []*redisServer) string {
	var addresses []string
	for _, r := range all {
		addresses = append(addresses, r.address())
	}
	return "redis+cluster://" + strings.Join(addresses, ",")
}

var edges atomicCounter

// edge is a node on these servers.
func edge(t testing.TB, url string, change func(*engine.Config)) *node {
	t.Helper()
	return startNode(t, func(c *engine.Config) {
		c.Redis.URL, c.Edge = url, fmt.Sprint("edge", edges.next())
		c.Redis.Timeout, c.Redis.ProbeInterval = time.Second, 500*time.Millisecond
		if change != nil {
			change(c)
		}
	})
}

func edgeAt(t testing.TB, url string) *server { return &edge(t, url, nil).server }

// edgeProcess is one in a process of its own.
func edgeProcess(t testing.TB, url string, flags ...string) *process {
	t.Helper()
	return startProcess(t, append(flags, "--redis="+url, "--redis-timeout=1s",
		"--redis-probe=500ms", "--retry=1s", "--retry-jitter=0s")...)
}

// relay passes bytes on between clients and an address, until it swallows them.
type relay struct {
	address  string // of the relay
	mu       sync.Mutex
	to       string
	swallows bool
	mute     bool // swallows answers only
	open     []net.Conn
}

func startRelay(t testing.TB, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: ln.Addr().String(), to: to}
	t.Cleanup(func() {
		ln.Close()
		r.cut()
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			to := r.to
			r.mu.Unlock()
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			r.mu.Lock()
			r.open = append(r.open, c, up)
			r.mu.Unlock()
			go r.pass(c, up, false)
			go r.pass(up, c, true)
		}
	}()
	return r
}

// pass copies until an end closes. What comes while the relay swallows is gone: that connection
// will never say anything again, and is not closed.
func (r *relay) pass(from, to net.Conn, answers bool) {
	buf := make([]byte, 64<<10)
	dead := false
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		dead = dead || r.swallows || answers && r.mute
		r.mu.Unlock()
		if dead {
			if err != nil {
				return
			}
			continue
		}
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			from.Close()
			to.Close()
			return
		}
	}
}

func (r *relay) swallow(on bool) {
	r.mu.Lock()
	r.swallows = on
	r.mu.Unlock()
}

// turn has new connections go elsewhere; those that are open stay where they are.
func (r *relay) turn(to string) {
	r.mu.Lock()
	r.to = to
	r.mu.Unlock()
}

// silence swallows answers: what is asked for is done, but the edge does not hear of it.
func (r *relay) silence(on bool) {
	r.mu.Lock()
	r.mute = on
	r.mu.Unlock()
}

// cut closes what is open.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		c.Close()
	}
	r.open = nil
}

// startSentinel watches a master under the name mymaster.
func startSentinel(t testing.TB, master *redisServer) *redisServer {
	t.Helper()
	r := newSentinel(t, master, "mymaster",
		"sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000")
	eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(r.cli("SENTINEL", "REPLICAS", "mymaster"), "flags")
	})
	return r
}

// newSentinel is a sentinel that knows a master by this name, with more lines in its configuration.
func newSentinel(t testing.TB, master *redisServer, name, lines string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, port: freePorts(t, 1)[0], dir: t.TempDir()}
	conf := filepath.Join(r.dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %s 1\n%s\n",
		r.port, r.dir, name, master.port, lines)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command("redis-server", conf, "--sentinel")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	return r
}
