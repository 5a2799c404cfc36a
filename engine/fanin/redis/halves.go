package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// An edge publishes on one connection and subscribes on another, and a change of masters may reach
// only one of them: a sentinel names another master while the old one goes on as if nothing were, a
// balancer sends new connections elsewhere, one connection is killed. Then what is published does
// not come back on the subscription, although neither has failed.
//
// So the answer to a probe is looked at: PUBLISH says how many clients were sent the message. If
// none was, the subscription is at another server than publishing, and is given up at once. And
// whatever happens to publishing, a new connection or an error, is a sign for the subscription to
// send probes now.

// errElsewhere ends a subscription that publishing does not reach.
var errElsewhere = errors.New("what is published goes to another server")

// The pauses between probes after a sign double: when it comes, the new connection may not be in
// use yet.
const (
	signPause    = 50 * time.Millisecond
	signPauseMax = 800 * time.Millisecond

	introducePause  = 20 * time.Millisecond
	introducePauses = 2 * time.Second // all together
)

// sign has nodes send probes soon, and asks for the slots: something has happened to publishing.
// More signs within a second are the same.
func (s *Source) sign() {
	if !everySecond(&s.signed) {
		return
	}
	s.refreshSlots()
	if s.only != nil {
		signal(s.only.signs)
	}
	if t := s.slots.Load(); t != nil {
		for _, n := range t.nodes {
			signal(n.signs)
		}
	}
}

// dialForCommands makes a connection for publishing, which is a sign.
func (s *Source) dialForCommands(ctx context.Context, address string, d *net.Dialer,
	secure *tls.Config) (net.Conn, error) {
	conn, err := s.target.dial(ctx, address, d, secure)
	if err == nil && s.connected.Load() {
		s.sign()
	}
	return conn, err
}

// heard notes how many clients were sent a probe. It returns errElsewhere if this node's
// subscription was not among them.
func (n *node) heard(channel string, clients int64, session *sessionSigns) error {
	if clients > 0 {
		session.unheard.Store(0)
		return nil
	}
	if channel != *n.probe.Load() { // another one is subscribed by now
		return nil
	}
	s := n.source
	if s.sharded() && session.unheard.Add(1) < 2 { // perhaps its slot has moved, and only that
		s.refreshSlots()
		signal(n.signs)
		return nil
	}
	signal(session.elsewhere)
	return errElsewhere
}

// sessionSigns belongs to one connection for subscriptions: an answer that comes when there is
// another one does not concern that.
type sessionSigns struct {
	unheard   atomic.Int32
	elsewhere chan struct{}
}

// redial gives up the connection for commands if a new connection for subscriptions is not reached
// by it: the older one is the one that stands elsewhere. With Sentinel both go where the sentinels
// say.
func (n *node) redial(ctx context.Context, err error) {
	s := n.source
	if !errors.Is(err, errElsewhere) || s.target.kind != Standalone {
		return
	}
	if everySecond(&s.quit) {
		quit(ctx, s.client)
	}
}

// introduce has the client for subscriptions hear of this master of a cluster, which is known from
// the table of slots, and returns it; nil if that takes too long. A command for one of the master's
// slots is answered with its address (MOVED), after which the client looks at the slots within a
// second. By itself it looks every some seconds.
func (n *node) introduce(ctx context.Context) rueidis.Client {
	s := n.source
	within, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	s.subs.Do(within, s.subs.B().Exists().Key(*n.probe.Load()).Build())
	for waited := time.Duration(0); ; waited += introducePause {
		if client := n.client(); client != nil || waited > introducePauses ||
			!sleep(ctx, introducePause) {
			return client
		}
	}
}

// abandon gives up the connection on which a server was asked for its time, when the subscription
// has left that server. With Sentinel it goes where the sentinels say.
func (n *node) abandon(ctx context.Context, err error) {
	if n.source.target.kind != Standalone || !errors.Is(err, errElsewhere) &&
		!errors.Is(err, errReplica) {
		return
	}
	quit(ctx, n.client())
}

// quit has a client make a new connection. The old one may be silent.
func quit(ctx context.Context, client rueidis.Client) {
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client.Do(within, client.B().Quit().Build())
}

// everySecond reports whether a second has passed since it last did.
func everySecond(last *atomic.Int64) bool {
	now, before := nanotime(), last.Load()
	return (before == 0 || now-before > int64(time.Second)) && last.CompareAndSwap(before, now)
}
