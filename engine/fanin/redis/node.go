package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"ssedge/proto/envelope"
)

// node is one master: a connection for subscriptions, and the queue of what is to be read.
type node struct {
	source  *Source
	address string // "" if there is only one
	client  func() rueidis.Client
	fetches fetches
	probe   atomic.Pointer[string] // a channel of its own
	stop    context.CancelFunc     // of a cluster's node
	// since when a message to itself has not come back (nanotime); 0: none is missing
	waits   atomic.Int64
	unsent  atomic.Pointer[error] // why the last one could not be sent; nil: it was
	up      atomic.Bool
	writing writing
	lost    trouble // of the connection
	proofs  proofs
	signs   chan struct{}
	session atomic.Pointer[sessionSigns]

	mu      sync.Mutex
	open    bool                // there is a session; the next one queues all followers anew
	joining []*follower         // to be subscribed
	leaving []string            // channels to be unsubscribed
	shared  map[string]struct{} // with shared names: what is subscribed
	// counts subscriptions of shared channels that have ended by themselves
	losses uint64
	wake   chan struct{}
}

func newNode(s *Source, address, probe string, client func() rueidis.Client) *node {
	n := &node{
		source: s, address: address, client: client, stop: func() {},
		fetches: newFetches(s), wake: make(chan struct{}, 1), signs: make(chan struct{}, 1),
	}
	n.session.Store(new(sessionSigns))
	n.probe.Store(&probe)
	return n
}

// signal wakes the goroutine that waits on a channel of capacity one.
func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// join has followers' channels subscribed here.
func (n *node) join(followers ...*follower) {
	n.mu.Lock()
	if n.open {
		n.joining = append(n.joining, followers...)
	}
	n.mu.Unlock()
	signal(n.wake)
}

// leave has a follower's channel unsubscribed. A channel that others share stays: it goes where its
// slot goes.
func (n *node) leave(f *follower) {
	if n.source.names.shared() {
		return
	}
	n.mu.Lock()
	if n.open {
		n.leaving = append(n.leaving, f.key())
	}
	n.mu.Unlock()
	signal(n.wake)
}

// shut drops what is queued.
func (n *node) shut() {
	n.mu.Lock()
	n.open, n.joining, n.leaving, n.shared = false, nil, nil, nil
	n.mu.Unlock()
}

// run keeps a connection until ctx ends.
func (n *node) run(ctx context.Context) {
	s := n.source
	s.running.Go(func() { n.fetch(ctx) })
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := n.live(ctx)
		n.up.Store(false)
		n.shut()
		n.loseAll()
		n.abandon(ctx, err)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > 10*time.Second {
			attempt = 0
		}
		s.counts.reconnects.Add(1)
		s.counts.failed(opSubscribe, err)
		n.lost.fails(s.config.Logger, s.hinted, slog.LevelWarn,
			"the connection for subscriptions is lost; the edge reconnects", err, "server",
			n.name())
		s.refreshSlots()
		pause := min(reconnectPause<<min(attempt, 6), reconnectPauseMax)
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return
		}
	}
}

const (
	reconnectPause    = 50 * time.Millisecond
	reconnectPauseMax = 2 * time.Second
)

func (n *node) name() string {
	if n.address == "" {
		return n.source.target.redacted
	}
	return n.address
}

// loseAll tells all followers of this node that they have no connection.
func (n *node) loseAll() {
	for _, f := range n.source.followers() {
		f.lostBy(n)
	}
}

var (
	errProbe   = errors.New("this edge's messages to itself do not come back")
	errNothing = errors.New("it owns no slots")
)

// live is the life of one connection.
func (n *node) live(ctx context.Context) error {
	s := n.source
	client := n.client()
	if client == nil {
		client = n.introduce(ctx)
	}
	if client == nil {
		return fmt.Errorf("no connection to %s", n.name())
	}
	c, release := client.Dedicate()
	defer release()
	defer c.Close() // first: what is given back open is used again
	ended := c.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: n.receive,
		OnSubscription: n.subscription})
	n.waits.Store(0)
	session := &sessionSigns{elsewhere: make(chan struct{}, 1)}
	n.session.Store(session)
	if _, err := n.moveProbe(ctx, c); err != nil {
		return err
	}
	if err := n.subscribeProbe(ctx, c); err != nil {
		return err
	}
	if err := n.sendProbe(ctx, client); err != nil { // and learn the time before it is needed
		n.redial(ctx, err)
		return err
	}
	n.rejoin()
	n.up.Store(true)
	n.lost.ends(s.config.Logger, "the connection for subscriptions is back", "server", n.name())
	probes := time.NewTicker(s.config.ProbeInterval)
	defer probes.Stop()
	again, pause := time.NewTimer(0), signPauseMax+1 // no probe, until there is a sign
	defer again.Stop()
	for {
		more, err := n.work(ctx, c)
		if err != nil {
			return err
		}
		idle := n.wake
		if more { // only look whether there is anything else
			idle = ready
		}
		select {
		case err := <-ended:
			if err == nil {
				err = rueidis.ErrClosing
			}
			return err
		case <-probes.C:
			if err := n.look(ctx, client, c); err != nil {
				return err
			}
		case <-n.signs:
			pause = signPause
			again.Reset(0)
		case <-again.C:
			if pause > signPauseMax {
				break
			}
			if err := n.look(ctx, client, c); err != nil {
				return err
			}
			again.Reset(pause)
			pause *= 2
		case <-session.elsewhere:
			s.counts.elsewhere.Add(1)
			return errElsewhere
		case <-ctx.Done():
			return ctx.Err()
		case <-idle:
		}
	}
}

// ready is closed: receiving from it never waits.
var ready = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// rejoin queues all followers of this node.
func (n *node) rejoin() {
	n.mu.Lock()
	n.open, n.joining, n.leaving, n.shared = true, nil, nil, map[string]struct{}{}
	n.mu.Unlock()
	var own []*follower
	for _, f := range n.source.followers() {
		if _, ok := f.joins(n); ok {
			own = append(own, f)
		}
	}
	n.join(own...)
}

// receive is called on the connection's reading goroutine.
func (n *node) receive(m rueidis.PubSubMessage) {
	s := n.source
	s.counts.messages.Add(1)
	s.counts.messageBytes.Add(uint64(len(m.Message)))
	if m.Channel == *n.probe.Load() {
		n.waits.Store(0)
		return
	}
	topic, ok := s.names.topicOf(m.Channel)
	if s.config.FanIn == ByPartition {
		e, err := envelope.Parse(bytesOf(m.Message))
		if err == nil && len(e.Topic) == 0 {
			err = errTopic
		}
		if err != nil {
			s.refuse(m.Channel, err)
			return
		}
		if topic, ok = unescape(string(e.Topic)); !ok {
			s.refuse(m.Channel, errEscapes)
			return
		}
	} else if !ok {
		s.refuse(m.Channel, errEscapes)
		return
	}
	f := s.followerOf(topic)
	switch {
	case f == nil: // most messages of a partition are of topics that are not followed here
	case s.config.FanIn == ByPartition && s.names.subscription(topic) != m.Channel:
		// other edges look for it elsewhere
		s.refuse(m.Channel, errPartition)
	default:
		f.receive(m.Message)
	}
}

var (
	errTopic     = errors.New("expected the topic in the message of a partition")
	errPartition = errors.New("expected a topic of this partition")
	errEscapes   = errors.New("expected %25, %7B and %7D for per cent and braces in a topic")
)

// subscription is called there, too. A subscription that ends without having been asked to has
// moved to another master with its slot.
func (n *node) subscription(p rueidis.PubSubSubscription) {
	if p.Kind != "sunsubscribe" {
		return
	}
	if p.Channel == *n.probe.Load() {
		n.source.refreshSlots()
		return
	}
	s := n.source
	if s.names.shared() {
		n.mu.Lock()
		delete(n.shared, p.Channel)
		n.losses++
		n.mu.Unlock()
		s.counts.moved.Add(1)
		s.moved.add(movedChannel{n, p.Channel})
		return
	}
	topic, _ := s.names.topicOf(p.Channel)
	if f := s.followerOf(topic); f != nil && f.lostBy(n) {
		s.counts.moved.Add(1)
		s.stray(f)
		s.refreshSlots()
	}
}

// bytesOf is the text itself, which must only be read.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }
