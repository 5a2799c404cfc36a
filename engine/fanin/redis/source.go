package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/rule"
	"ssedge/shard/topic"
)

// Config is what a source needs to know. All fields must be set, but for Prefix.
type Config struct {
	Settings
	fanin.Retention
	HistoryBytes int64       // read back for a client that resumes
	Rule         rule.Limits // what breaks it is told as a gap

	Edge    string // the name of this node among others
	Version string
	Streams func() int // how many this node has
	Logger  *slog.Logger

	// settings by flag that decide how clients fare, in which edges must agree, too
	Clients map[string]string
}

// Source is a fanin.Source and a topic.Upstream. It is safe from any goroutine.
type Source struct {
	config    Config
	target    *target
	names     names
	instance  string         // of this edge, unlike any other of the same name
	connected atomic.Bool    // then the clients are set
	client    rueidis.Client // for commands
	subs      rueidis.Client // for subscriptions, and to ask their servers for the time
	table     *topic.Table   // set once, before the first topic
	script    *rueidis.Lua
	proof     *rueidis.Lua // what probes publish with
	counts    counts
	troubles  troubles
	clock     clock
	times     times
	feeds     feed.Config

	nodes     map[string]*node // of a cluster, by address; watchSlots' own
	only      *node            // of all others
	slots     atomic.Pointer[slotTable]
	refresh   chan struct{}
	strays    list[*follower]    // whose master is not known
	moved     list[movedChannel] // shared channels
	leavers   list[*follower]    // whose topics were forgotten
	forgotten list[string]       // of them, those that were told of
	eventSize atomic.Int64       // mean bytes of the events that were read for a stream last
	asks      atomic.Uint64      // numbers them
	// words of this edge until it looks at the settings of others; presence's own
	looks    int
	differed map[string]string // names of edges by how their settings differ; presence's own
	told     atomic.Bool       // what this edge has is known to be written
	signed   atomic.Int64      // when publishing last gave a sign (nanotime)
	quit     atomic.Int64      // when the connection for commands was given up last
	stop     context.CancelFunc
	running  sync.WaitGroup
	leaving  sync.WaitGroup // presence, which takes its leave while there is a client
}

// list is what one goroutine takes from, and is woken for.
type list[T any] struct {
	mu   sync.Mutex
	all  []T
	wake chan struct{} // nil: no goroutine is woken
}

func (l *list[T]) add(item T) {
	l.mu.Lock()
	l.all = append(l.all, item)
	l.mu.Unlock()
	signal(l.wake)
}

func (l *list[T]) take() (all []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, l.all = l.all, nil
	return all
}

// Open connects to the servers. The error says in one line what is wrong with the URL, or
// which server could not be reached, and why.
func Open(c Config) (*Source, error) {
	t, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if err := t.setFiles(c.TLS); err != nil && (c.Required || !errors.Is(err, ErrExpired)) {
		return nil, err
	}
	if err := CheckFanIn(c.FanIn, c.Partitions); err != nil {
		return nil, err
	}
	s := &Source{config: c, target: t, names: newNames(&c), instance: c.Edge + ":" +
		strconv.FormatUint(rand.Uint64(), 36), counts: newCounts(), nodes: map[string]*node{},
		refresh: make(chan struct{}, 1)}
	s.times, s.feeds = &s.clock, c.feedConfig()
	s.strays.wake, s.moved.wake, s.leavers.wake = s.refresh, s.refresh, make(chan struct{}, 1)
	s.script, s.proof = rueidis.NewLuaScript(c.edgeScript(t.kind)),
		rueidis.NewLuaScript(c.probeScript(t.kind))
	if err := s.connect(); err != nil {
		if c.Required || errors.Is(err, errUnfit) {
			return nil, err
		}
		s.unreached(err)
	}
	return s, nil
}

// connect makes the clients.
func (s *Source) connect() error {
	o := s.target.commandOptions(&s.config)
	o.DialCtxFn = s.dialForCommands
	client, err := rueidis.NewClient(o)
	if err != nil {
		return fmt.Errorf("%s: %w%s", s.target.redacted, withoutArguments(err), s.target.hint(err))
	}
	if err := s.fit(client); err != nil {
		client.Close()
		return fmt.Errorf("%s: %w", s.target.redacted, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	if err := s.agree(ctx, client); err != nil {
		client.Close()
		return fmt.Errorf("%s: %w", s.target.redacted, err)
	}
	subs, err := rueidis.NewClient(s.target.subscriptionOptions(&s.config))
	if err != nil {
		client.Close()
		return fmt.Errorf("%s: %w", s.target.redacted, err)
	}
	s.client, s.subs = client, subs
	s.connected.Store(true)
	return nil
}

// awaitConnection goes on trying until there is one, or ctx ends.
func (s *Source) awaitConnection(ctx context.Context) bool {
	for pause := reconnectPause; !s.connected.Load(); pause = min(2*pause, reconnectPauseMax) {
		if !sleep(ctx, pause) {
			return false
		}
		if err := s.connect(); err != nil {
			s.unreached(err)
		} else {
			s.troubles.connect.ends(s.config.Logger, "the servers are reached now")
		}
	}
	return ctx.Err() == nil
}

// unreached notes that there are no clients yet, and why.
func (s *Source) unreached(err error) {
	s.counts.failed(opSubscribe, err)
	level, line := slog.LevelWarn,
		"the servers cannot be reached: topics wait, and nothing can be published"
	if errors.Is(err, errUnfit) {
		level, line = slog.LevelError, "topics wait, and nothing can be published"
	}
	s.troubles.connect.fails(s.config.Logger, asItIs, level, line, err) // connect has hinted
}

func (t *target) commandOptions(c *Config) rueidis.ClientOption {
	o := t.options
	o.ClientName = "ssedge-" + c.Edge
	o.DisableCache, o.DisableRetry, o.AlwaysPipelining = true, true, true
	o.PipelineMultiplex = -1 // one connection: what is published one after the other stays in order
	o.Dialer.Timeout, o.Dialer.KeepAlive = time.Second, time.Second
	o.Sentinel.Dialer = o.Dialer
	o.ConnWriteTimeout = c.Timeout
	o.ClusterOption.ShardsRefreshInterval = slotsEvery
	o.ClusterOption.MaxMovedRedirections = 8
	o.Sentinel.TopologyRefreshInterval = slotsEvery
	o.ForceSingleClient = t.kind == Standalone
	o.DialCtxFn = t.dial
	return o
}

func (t *target) subscriptionOptions(c *Config) rueidis.ClientOption {
	o := t.commandOptions(c)
	o.ClientName += "-sub"
	o.AlwaysPipelining = false
	o.ReadBufferEachConn, o.WriteBufferEachConn, o.RingScaleEachConn = 256<<10, 32<<10, 8
	o.BlockingPoolSize = 16
	o.ConnWriteTimeout = 10 * time.Second // a backlog of messages comes before the answer to a ping
	return o
}

// Attach sets the topics, and starts. It is called once, before the first topic is made.
func (s *Source) Attach(table *topic.Table) {
	s.table = table
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	run := s.watchSlots
	if s.sharded() {
		s.refreshSlots()
	} else {
		s.only = newNode(s, "", "ssedge:probe:"+s.instance, func() rueidis.Client { return s.subs })
		run = s.only.run
	}
	s.leaving.Go(func() {
		if !s.awaitConnection(ctx) {
			return
		}
		s.running.Go(func() { run(ctx) })
		s.running.Go(func() { s.tidy(ctx) })
		s.running.Go(func() { s.watchReplicas(ctx) })
		if s.sharded() {
			s.running.Go(func() { s.watchMigrating(ctx) })
		}
		s.presence(ctx)
	})
	s.running.Go(func() { s.unsubscribeForgotten(ctx) })
}

// unsubscribeForgotten unsubscribes the channels of topics that were forgotten.
func (s *Source) unsubscribeForgotten(ctx context.Context) {
	for {
		s.unfollowLeavers()
		select {
		case <-s.leavers.wake:
		case <-ctx.Done():
			return
		}
	}
}

// unfollowLeavers unsubscribes the channels of topics that were forgotten until now.
func (s *Source) unfollowLeavers() {
	for _, f := range s.leavers.take() {
		if f.told.Load() > 0 {
			s.forgotten.add(f.topic.Name())
		}
		if n := f.forget(); n != nil {
			n.leave(f)
		}
	}
}

// Close ends everything. What is being published may or may not be.
func (s *Source) Close() {
	if s.stop != nil {
		s.stop()
	}
	s.leaving.Wait()
	if s.connected.Load() { // ends what waits for an answer
		s.client.Close()
		s.subs.Close()
	}
	s.running.Wait()
	if s.connected.Load() { // perhaps only since then
		s.client.Close()
		s.subs.Close()
	}
}

// Upstream is the source itself.
func (s *Source) Upstream() topic.Upstream { return s }

// Follow makes the follower of a topic.
func (s *Source) Follow(t *topic.Topic) topic.Feed {
	f := &follower{source: s, topic: t}
	s.counts.states[feed.Away].Add(1)
	s.settle(f)
	return f
}

// settle finds the node of a follower, and has its channel subscribed there.
func (s *Source) settle(f *follower) {
	n := s.only
	if n == nil {
		n = s.slots.Load().owner(slotOf(f.key()))
	}
	if n == nil {
		s.stray(f)
		return
	}
	f.moveTo(n)
}

// stray notes that the master of a follower's topic is not known.
func (s *Source) stray(f *follower) {
	if !f.isGone() && f.flags.Or(flagStray)&flagStray == 0 {
		s.strays.add(f)
	}
}

// sharded reports whether subscriptions belong to slots, and so to the masters that own them.
func (s *Source) sharded() bool { return s.target.kind == Cluster }

// masterOf is the master that has a key; nil: it is not known.
func (s *Source) masterOf(key string) *node {
	if s.only != nil {
		return s.only
	}
	return s.slots.Load().owner(slotOf(key))
}

// followerOf returns the follower of a topic; nil if there is none.
func (s *Source) followerOf(topic string) *follower {
	if s.table == nil { // it publishes only
		return nil
	}
	t := s.table.Find(topic)
	if t == nil {
		return nil
	}
	f, _ := t.Feed().(*follower)
	return f
}

// followers returns all there are.
func (s *Source) followers() []*follower {
	all := make([]*follower, 0, s.table.Topics())
	s.table.Each(func(t *topic.Topic) {
		if f, ok := t.Feed().(*follower); ok {
			all = append(all, f)
		}
	})
	return all
}

// refuse counts a message that cannot be read.
func (s *Source) refuse(from string, err error) {
	if s.counts.malformed.Add(1)%1000 == 1 {
		s.config.Logger.Warn("a message cannot be read", "of", rule.Quote([]byte(from)), "error",
			err)
	}
}
