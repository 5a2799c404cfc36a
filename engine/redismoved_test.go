package engine_test

import (
	"regexp"
	"testing"
	"time"

	"ssedge/engine"
)

// edgeClients are connections of edges that are not for clocks.
var edgeClients = regexp.MustCompile(`name=ssedge-\S+ `)

func (r *redisServer) edgeClients() (all []string) {
	for _, name := range edgeClients.FindAllString(r.cli("CLIENT", "LIST"), -1) {
		if !regexp.MustCompile(`-clock $`).MatchString(name) {
			all = append(all, name)
		}
	}
	return all
}

// The address of a server leads to another one, and the old server has become a replica: the edge
// gives up its connections, which nothing else would end, and so comes to the new one. Subscribers
// lose nothing.
func TestTheAddressLeadsToAnotherServer(t *testing.T) {
	t.Parallel()
	old, heir := startPair(t)
	front := startRelay(t, old.address())
	n := edge(t, "redis://"+front.address, func(c *engine.Config) {
		c.Redis.ProbeInterval = 100 * time.Millisecond
	})
	st := n.opened(t, topic("x"))
	n.publish(t, "x", "before")
	st.gets(t, "before")
	old.cli("WAIT", "1", "5000")
	heir.cli("REPLICAOF", "NO", "ONE")
	front.turn(heir.address())
	old.cli("REPLICAOF", "127.0.0.1", heir.port)
	await(t, "events to be taken", func() (bool, string) {
		_, err := n.post("x", "after")
		return err == nil, ""
	})
	st.gets(t, "after")
	await(t, "all connections to be at the new server", func() (bool, string) {
		return len(old.edgeClients()) == 0 && len(heir.edgeClients()) == 3,
			old.cli("CLIENT", "LIST") + "\n" + heir.cli("CLIENT", "LIST")
	})
	n.await(t, "ssedge_redis_up", 1)
	edge(t, "redis://"+heir.address(), nil).publish(t, "x", "of another edge")
	st.gets(t, "of another edge")
}
