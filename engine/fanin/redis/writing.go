package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A server can answer, and send messages, and yet take no events: it is a replica by now
// (READONLY), reads its data (LOADING), has too few replicas, no memory or no disk, lacks a
// command, or denies this user one. An edge whose server is like this is not up: readiness, metric
// and log say so, until an event is taken. Probes find it out: they publish.

// writing is what is known of whether a master takes events.
type writing struct {
	trouble
	topic trouble      // of the topic that probes publish to, and of no other
	taken atomic.Int64 // when it took a publisher's event last (nanotime)

	state  sync.Mutex
	denied int64         // since when this user may not use the probes' topic (nanotime); 0: it may
	left   time.Time     // when the connections to it were given up last
	pause  time.Duration // until that is done again
	leave  bool          // they are to be given up
}

// The time between attempts to find another server behind the address of one that is a replica:
// each one has the streams of all topics looked at.
const (
	leavePause    = 10 * time.Second
	leavePauseMax = 2 * time.Minute
)

// noteProof notes what became of a probe's event. Connections are watched elsewhere.
func (n *node) noteProof(err error) {
	s, w := n.source, &n.writing
	kind := ""
	if err != nil {
		kind = errorKind(err)
	}
	switch kind {
	case "":
		w.state.Lock()
		w.denied, w.pause, w.leave = 0, 0, false
		w.state.Unlock()
		w.topic.ends(s.config.Logger, "probes' events are taken again", "server", n.name())
		n.takes()
		return
	case "moved", "ask", "tryagain", "connection":
		return
	}
	s.counts.failed(opProbe, err)
	if kind == "wrongtype" || n.takesOthers(err) {
		w.topic.fails(s.config.Logger, s.hinted, slog.LevelWarn,
			"a probe's event is not taken; other topics' are, as far as is known", err, "server",
			n.name())
		n.takes()
		return
	}
	n.refuses(err)
}

// takesOthers reports whether a probe's event was refused although publishers' events are taken:
// the user may be one of some topics only.
func (n *node) takesOthers(err error) bool {
	if errorKind(err) != "noperm" || ofACommand(err) {
		// no command may be used with some topics only
		return false
	}
	w, now := &n.writing, nanotime()
	w.state.Lock()
	defer w.state.Unlock()
	if w.denied == 0 {
		w.denied = now
	}
	taken := w.taken.Load()
	return taken > w.denied && now-taken < int64(takenKept)
}

// takenKept is how long the event of a publisher shows that events are taken.
const takenKept = time.Minute

func (n *node) takes() {
	n.writing.ends(n.source.config.Logger, "the server takes events again", "server", n.name())
}

// refuses notes that the server takes no events.
func (n *node) refuses(err error) {
	w, s := &n.writing, n.source
	line := "the server takes no events"
	if w.last() != nil {
		line = "the server still takes no events"
	}
	w.fails(s.config.Logger, s.hinted, slog.LevelError, line, err, "server", n.name())
	if kind := errorKind(err); kind != "readonly" && kind != "masterdown" ||
		s.target.kind != Standalone {
		return // the sentinels, or the other servers of a cluster, say which one is the master
	}
	w.state.Lock()
	defer w.state.Unlock()
	if now := time.Now(); now.Sub(w.left) >= w.pause {
		w.left, w.leave = now, true
		w.pause = min(max(2*w.pause, leavePause), leavePauseMax)
	}
}

// ofTheServer reports whether a server refuses all events like this, and not one topic's.
func ofTheServer(err error) bool {
	switch errorKind(err) {
	case "readonly", "loading", "noreplicas", "oom", "misconf", "masterdown", "busy", "noauth",
		"wrongpass", "unknown_command":
		return true
	}
	return false
}

// Up reports whether all servers can be reached, and take events: nil, or which not.
func (s *Source) Up() error {
	switch t := s.slots.Load(); {
	case !s.connected.Load():
		return because(s.target.redacted+" was never reached", s.troubles.connect.last())
	case s.only != nil:
		return s.only.missing()
	case t == nil:
		return because("the masters of the cluster are not known", s.troubles.slots.last())
	case s.troubles.uncovered.last() != nil:
		return s.troubles.uncovered.last()
	default:
		for _, n := range t.nodes {
			if err := n.missing(); err != nil {
				return err
			}
		}
	}
	return nil
}

// because is an error with its cause, if that is known.
func because(what string, err error) error {
	if err == nil {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// missing says why this master is of no use: nil, it is connected and takes events, as far as is
// known.
func (n *node) missing() error {
	if !n.up.Load() {
		return because(n.name()+" cannot be reached", n.lost.last())
	}
	if err := n.writing.last(); err != nil {
		return fmt.Errorf("%s takes no events: %w", n.name(), err)
	}
	return nil
}

// errReplica ends a connection, so that the address of the server is dialled again.
var errReplica = errors.New("the server is a replica (READONLY), and its address may lead to another one by now")

// leaveReplica reports whether the connection for subscriptions is to be given up. That for
// commands is given up here, the others by abandon.
func (n *node) leaveReplica(ctx context.Context) bool {
	n.writing.state.Lock()
	leave := n.writing.leave
	n.writing.leave = false
	n.writing.state.Unlock()
	if leave {
		quit(ctx, n.source.client)
	}
	return leave
}
