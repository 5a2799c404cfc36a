package engine_test

import (
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin/redis"
)

// refusing is a way in which a server refuses all events.
type refusing struct {
	cause   string // of the metric
	says    string // in the log and in /admin/status
	do      func(r *redisServer)
	undo    func(r *redisServer)
	cut     bool // the connections end, too
	forgets bool // the server has lost its data in the end
}

// commands are some to be sent by redis-cli.
func commands(all ...[]string) func(r *redisServer) {
	return func(r *redisServer) {
		for _, arguments := range all {
			r.cli(arguments...)
		}
	}
}

func words(line string) []string { return strings.Fields(line) }

// userIs changes the edge's user.
func userIs(rights string) func(r *redisServer) {
	return commands(words("ACL SETUSER edge " + rights))
}

// killEdges ends the connections of edges.
var killEdges = words("CLIENT KILL USER edge")

// refusals are all ways in which a server was made to refuse.
var refusals = map[string]refusing{
	"replica": {cause: "readonly", says: "READONLY",
		do: commands(words("REPLICAOF 127.0.0.1 1")), undo: commands(words("REPLICAOF NO ONE"))},
	"too few replicas": {cause: "noreplicas", says: "NOREPLICAS",
		do:   commands(words("CONFIG SET min-replicas-to-write 1")),
		undo: commands(words("CONFIG SET min-replicas-to-write 0"))},
	"no memory": {cause: "oom", says: "OOM",
		do: commands(words("CONFIG SET maxmemory-policy noeviction"),
			words("CONFIG SET maxmemory 1")), undo: commands(words("CONFIG SET maxmemory 0"))},
	"cannot be written": {cause: "misconf", says: "MISCONF",
		do: commands(words("CONFIG SET dir /proc"),
			[]string{"CONFIG", "SET", "save", "3600 1000000"}, words("BGSAVE")),
		undo: commands([]string{"CONFIG", "SET", "save", ""},
			words("CONFIG SET stop-writes-on-bgsave-error no"))},
	"loads": {cause: "loading", says: "LOADING", do: func(r *redisServer) {
		commands(words("DEBUG POPULATE 20000 fill 10"),
			words("CONFIG SET loading-process-events-interval-bytes 1024"),
			words("CONFIG SET key-load-delay 1000"))(r)
		reload := exec.Command("redis-cli", "-p", r.port, "DEBUG", "RELOAD") // which takes 20 s
		if err := reload.Start(); err != nil {
			r.t.Fatal(err)
		}
		go reload.Wait()
	}, undo: commands(words("CONFIG SET key-load-delay 0"))},
	"another password": {cause: "wrongpass", says: "WRONGPASS",
		do:   commands(words("ACL SETUSER edge resetpass >other"), killEdges),
		undo: userIs("resetpass >secret"), cut: true},
	"no user": {cause: "wrongpass", says: "WRONGPASS",
		do: commands(words("ACL DELUSER edge")), undo: userIs("on >secret ~* &* +@all"), cut: true},
	"no right to a command": {cause: "noperm", says: "can't run this command", do: userIs("-xadd"),
		undo: userIs("+xadd")},
	"no right to scripts": {cause: "noperm", says: "NOPERM", do: userIs("-evalsha -eval"),
		undo: userIs("+evalsha +eval")},
	"no right to keys": {cause: "noperm", says: "NOPERM", do: userIs("resetkeys ~ssedge:*"),
		undo: userIs("~*")},
	"no right to channels": {cause: "noperm", says: "can't publish to the channel",
		do: userIs("resetchannels &ssedge:*"), undo: userIs("allchannels")},
	"no right to anything": {cause: "noperm", says: "NOPERM",
		do: commands(words("ACL SETUSER edge nocommands"), killEdges), undo: userIs("+@all"),
		cut: true},
	"lacks a command": {cause: "unknown_command", says: "nknown", do: func(r *redisServer) {
		r.kill()
		r.arguments = append(r.arguments, "--rename-command", "XADD", "")
		r.start()
		userIs("on >secret ~* &* +@all")(r)
	}, undo: func(r *redisServer) {
		r.kill()
		r.arguments = r.arguments[:len(r.arguments)-3]
		r.start()
		userIs("on >secret ~* &* +@all")(r)
	}, cut: true, forgets: true},
	"nothing listens": {cause: "refused", says: "refused", do: (*redisServer).kill,
		undo: func(r *redisServer) {
			r.start()
			userIs("on >secret ~* &* +@all")(r)
		}, cut: true, forgets: true},
}

// Whatever the way in which a server refuses, publishers are told that nothing was stored;
// readiness, metrics, log and status say it, with the cause, until it takes events again; streams
// stay.
func TestServersThatTakeNoEvents(t *testing.T) {
	t.Parallel()
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			if name != "replica" && name != "another password" {
				unraced(t)
			}
			t.Parallel()
			r := startRedis(t, "--enable-protected-configs", "local")
			userIs("on >secret ~* &* +@all")(r)
			log := &said{}
			n := edge(t, "redis://edge:secret@"+r.address(), func(c *engine.Config) {
				c.Redis.ProbeInterval, c.ReadyNeedsRedis, c.Logger = 100*time.Millisecond, true,
					slog.New(slog.NewTextHandler(log, nil))
			})
			c.isTold(t, r, &n.server, log)
		})
	}
}

// isTold has the server refuse, and stop it.
func (c refusing) isTold(t *testing.T, r *redisServer, n *server, log *said) {
	t.Helper()
	failures := `ssedge_redis_failures_total{cause="` + c.cause + `"}`
	if at, ok := n.metrics(t)[failures]; !ok || at != 0 {
		t.Errorf("%s is %v, %v before there was one", failures, at, ok)
	}
	st := n.opened(t, topic("x"))
	n.publish(t, "x", "before")
	st.gets(t, "before")
	c.do(r)
	await(t, "publishing to be refused", func() (bool, string) {
		got, err := http.Post("http://"+n.addr+"/publish?topic=other", "text/plain",
			strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, _ := io.ReadAll(got.Body)
		if strings.Contains(string(body), c.says) || strings.Contains(string(body), r.port) {
			t.Errorf("a publisher is told: %s", body)
		}
		return got.StatusCode == 503 &&
				(c.cut && c.cause != "refused" || strings.Contains(string(body), "was not stored")),
			got.Status + string(body)
	})
	n.await(t, "ssedge_redis_up", 0)
	n.await(t, "ssedge_ready", 0)
	if status, body := n.get(t, n.admin, "/readyz"); status != 503 ||
		strings.Contains(body, r.port) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	await(t, "/admin/status to say why", func() (bool, string) {
		_, body := n.get(t, n.admin, "/admin/status")
		return strings.Contains(body, c.says), body
	})
	if at := n.metrics(t)[failures]; at == 0 {
		t.Errorf("%s is 0", failures)
	}
	time.Sleep(500 * time.Millisecond) // some more probes
	refused, ended := log.lines("takes no events", "cause="+c.cause, c.says),
		log.lines("connection for subscriptions is lost", "cause="+c.cause, c.says)
	if refused+ended == 0 || refused > 1 || ended > 1 {
		t.Errorf("found %d and %d lines with the cause:\n%s", refused, ended, log)
	}
	c.undo(r)
	n.await(t, "ssedge_redis_up", 1)
	await(t, "/readyz to answer 200", func() (bool, string) {
		status, body := n.get(t, n.admin, "/readyz")
		return status == 200, body
	})
	name := "x"
	if c.forgets {
		name = "new"
		st = n.opened(t, topic(name))
	}
	n.publish(t, name, "after")
	st.gets(t, "after")
	if log.lines("takes events again")+log.lines("connection for subscriptions is back") == 0 {
		t.Errorf("the log does not say that it is over: %s", log)
	}
}

// One master of a cluster refuses: every edge finds it out, whatever its fan-in.
func TestOneMasterTakesNoEvents(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 0)
	edges := map[redis.FanIn]*node{}
	for _, way := range []redis.FanIn{redis.ByTopic, redis.ByPartition} {
		edges[way] = edge(t, clusterURL(all), func(c *engine.Config) {
			c.Redis.FanIn, c.Redis.Prefix, c.Redis.ProbeInterval = way, string(way)+":",
				100*time.Millisecond
		})
		edges[way].await(t, "ssedge_redis_up", 1)
	}
	for _, r := range all {
		r.cli("CONFIG", "SET", "min-replicas-to-write", "1")
		for _, n := range edges {
			n.await(t, "ssedge_redis_up", 0)
			if _, body := n.get(t, n.admin, "/admin/status"); !strings.Contains(body,
				"NOREPLICAS") {
				t.Errorf("/admin/status: %s", body)
			}
		}
		r.cli("CONFIG", "SET", "min-replicas-to-write", "0")
		for _, n := range edges {
			n.await(t, "ssedge_redis_up", 1)
		}
	}
}
