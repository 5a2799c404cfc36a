package redis

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A server can answer, and send messages, and yet take no events: it is a replica by now (READONLY), reads its data (LOADING), has
// too few replicas, no memory or no disk. An edge whose server is like this is not up: readiness, metric and log say so,
// until a write is taken.

// writing is what is known of whether a master takes writes.
type writing struct {
	mu      sync.Mutex
	refusal error     // nil: it took the last one
	since   time.Time // since when it takes none
	logged  time.Time
	left    time.Time // when the connections to it were given up last
	leave   bool      // they are to be given up
}

// refusalPause is the time between log lines while a server refuses.
const refusalPause = time.Minute

// leavePause is the time between attempts to find another server behind the name of one that is a replica.
const leavePause = 10 * time.Second

// noteWriting notes what became of a write. Only a server's own words count: connections are watched elsewhere. That this user
// may not write the key of a probe says nothing of its topics.
func (n *node) noteWriting(err error) {
	kind := ""
	if err != nil {
		if _, refused := rueidis.IsRedisErr(err); !refused {
			return
		}
		if kind = errorKind(err); kind == "noperm" || kind == "moved" || kind == "ask" || kind == "tryagain" {
			return
		}
		n.source.counts.failed(opProbe, err)
	}
	w, log := &n.writing, n.source.config.Logger
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && w.refusal != nil:
		log.Info("the server takes events again", "server", n.name(), "after", now.Sub(w.since).Round(time.Millisecond))
	case err != nil && w.refusal == nil:
		w.since, w.logged = now, now
		log.Error("the server takes no events", "server", n.name(), "error", err)
	case err != nil && now.Sub(w.logged) >= refusalPause:
		w.logged = now
		log.Error("the server still takes no events", "server", n.name(), "error", err, "for", now.Sub(w.since).Round(time.Second))
	}
	w.refusal = err
	if kind == "readonly" && n.source.target.named() && now.Sub(w.left) >= leavePause {
		w.left, w.leave = now, true
	}
}

// ofTheServer reports whether a server refuses all events like this, and not one topic's or one user's.
func ofTheServer(err error) bool {
	switch errorKind(err) {
	case "readonly", "loading", "noreplicas", "oom", "misconf", "masterdown":
		return true
	}
	return false
}

// refuses is why a master takes no writes; nil: it takes them, as far as is known.
func (n *node) refuses() error {
	n.writing.mu.Lock()
	defer n.writing.mu.Unlock()
	if n.writing.refusal == nil {
		return nil
	}
	return fmt.Errorf("%s takes no events: %w", n.name(), n.writing.refusal)
}

// errReplica ends a connection, so that the name of the server is looked up again.
var errReplica = errors.New("the server is a replica: its name may be another's by now")

// mustLeave reports, once, that the connections to a server are to be given up.
func (n *node) mustLeave() bool {
	n.writing.mu.Lock()
	defer n.writing.mu.Unlock()
	leave := n.writing.leave
	n.writing.leave = false
	return leave
}

// named reports whether there is one server, and its address is a name, behind which another one may stand later.
func (t *target) named() bool {
	if t.kind != Standalone || len(t.options.InitAddress) == 0 {
		return false
	}
	_, err := netip.ParseAddrPort(t.options.InitAddress[0])
	return err != nil
}
