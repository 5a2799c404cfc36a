package redis

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/shard"
	"ssedge/shard/sys"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// edge is a node: its shards, and its feeds with the connections between them and the server.
type edge struct {
	w         *world
	name      string
	net       fake.Net
	group     *shard.Group
	source    *Source
	node      *node
	connected bool
	// of the server's clock, at least, as it was when that was looked at last
	offset   int64
	channels map[string]bool // subscribed at the server
	// to what was published through it, on their way on the connection for commands, in their order
	answers []func()
	// what is on its way on the connection for subscriptions, in its order
	arriving []func()
	readings []*simReading
	timers   []simTimer
	life     int // counts its processes
	// by topic and number: the events that viewers were sent here, and when
	known map[string]map[int]int
}

// simReading is a batch on the connection for commands: executed at some time, answered later.
type simReading struct {
	requests []request
	history  []*historyRead
	answers  [][]rueidis.XRangeEntry // nil: not executed yet
}

type simTimer struct {
	at int64
	f  func()
}

// The edge is its feeds' times: its clock is the world's.
func (e *edge) lower() uint64 { return uint64(max(e.w.wall()+e.offset-simSlack, 1)) }
func (e *edge) upper() uint64 { return uint64(max(e.w.wall()+e.offset+simSlack, 1)) }
func (e *edge) now() int64    { return e.w.now / int64(time.Second) }
func (e *edge) after(d time.Duration, f func()) {
	e.timers = append(e.timers, simTimer{e.w.now + int64(d), f})
}

// simSlack is for what clocks may drift apart unnoticed.
const simSlack = 1000

// start begins a process of the edge, with nothing.
func (e *edge) start() {
	w := e.w
	e.life++
	e.net = fake.Net{}
	e.known = map[string]map[int]int{}
	e.connected, e.channels, e.arriving, e.answers, e.readings, e.timers, e.offset = false, nil,
		nil, nil, nil, nil, 0
	s := &Source{
		config: Config{
			Settings: Settings{Shared: Shared{Prefix: "sse:", FanIn: ByTopic, TTL: time.Hour},
				CatchUpRate: 1000},
			HistoryBytes: w.historyBytes, Rule: rule.Limits{TopicBytes: 256, EventBytes: 1 << 20,
				KeyBytes: 256},
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		},
		target: &target{}, counts: newCounts(), nodes: map[string]*node{}, times: e,
	}
	s.names, s.feeds = newNames(&s.config), s.config.feedConfig()
	s.leavers.wake = make(chan struct{}, 1)
	s.only = newNode(s, "", "probe", func() rueidis.Client { return nil })
	e.source, e.node = s, s.only
	kernels := []sys.Kernel{&fake.Kernel{Net: &e.net}, &fake.Kernel{Net: &e.net}}
	e.group = shard.NewGroupOn(kernels[:w.shards], w.shardConfig, topic.Config{
		Retention: w.retention, HistoryMax: w.historyMax, TopicsMax: 100, Upstream: s,
		LingerMS: w.lingerMS,
		WallMS:   func() uint64 { return uint64(w.wall()) },
	}, w.now, w.seed)
	s.table = e.group.Table()
}

// connect makes a connection for subscriptions. The clock is looked at first.
func (e *edge) connect() {
	e.connected, e.channels = true, map[string]bool{}
	e.look()
	e.node.rejoin()
}

// look takes a sample of the clocks of whatever may give ids.
func (e *edge) look() {
	e.offset = min(e.w.server.clock, e.w.server.replica)
	e.source.table.SetClock(e.offset)
}

// disconnect ends it. What was on its way is lost, and readings fail or their answers do.
func (e *edge) disconnect() {
	e.connected, e.channels, e.arriving = false, nil, nil
	e.node.shut()
	for _, r := range e.readings {
		e.fail(r)
	}
	e.readings = nil
	for _, f := range e.followers() {
		f.lostBy(e.node)
	}
}

func (e *edge) fail(r *simReading) {
	for _, q := range r.requests {
		q.follower.again()
	}
	for _, w := range r.history {
		w.again(refusedPause)
	}
}

// followers are those of all topics, in an order that does not depend on that of maps.
func (e *edge) followers() []*follower {
	all := e.source.followers()
	slices.SortFunc(all, func(a, b *follower) int {
		return strings.Compare(a.topic.Name(), b.topic.Name())
	})
	return all
}

// work is one thing that the edge does.
func (e *edge) work() {
	rng := e.w.rng
	for _, f := range e.source.leavers.all {
		delete(e.known, f.topic.Name())
	}
	e.source.unfollowLeavers()
	for k := rng.IntN(4); k > 0 && len(e.answers) > 0; k-- {
		answered := e.answers[0]
		e.answers = e.answers[1:]
		answered()
	}
	if !e.connected {
		return
	}
	n := e.node
	n.mu.Lock()
	joining, leaving := n.joining, n.leaving
	n.joining, n.leaving = nil, nil
	n.mu.Unlock()
	slices.SortFunc(joining, func(a, b *follower) int {
		return strings.Compare(a.topic.Name(), b.topic.Name())
	})
	for _, channel := range leaving {
		if f := e.source.followerOf(strings.TrimPrefix(channel, "sse:")); f == nil || !f.at(n) {
			delete(e.channels, channel)
		}
	}
	for _, w := range n.wanted(joining) {
		e.channels[w.channel] = true // from here on the server sends
		e.arriving = append(e.arriving, func() { n.subscribed([]wanted{w}, 0) })
	}
	for k := rng.IntN(4); k > 0 && len(e.arriving) > 0; k-- {
		arrived := e.arriving[0]
		e.arriving = e.arriving[1:]
		arrived()
	}
	switch rng.IntN(3) {
	case 0:
		e.ask()
	case 1:
		for _, r := range e.readings { // one connection: in their order
			if r.answers == nil {
				e.execute(r)
				if rng.IntN(2) == 0 {
					break
				}
			}
		}
	default:
		for len(e.readings) > 0 && e.readings[0].answers != nil {
			r := e.readings[0]
			e.readings = e.readings[1:]
			if rng.IntN(20) == 0 {
				e.fail(r)
			} else {
				r.answer()
			}
		}
	}
}

// ask sends the server what feeds want to have read.
func (e *edge) ask() {
	batch, _ := e.node.fetches.take(1+e.w.rng.IntN(8), true)
	reads, _ := e.node.fetches.takeHistoryReads(time.Unix(0, e.w.now))
	r := &simReading{history: reads}
	for _, f := range batch {
		if q, ok := f.next(e.node); ok {
			if e.w.rng.IntN(3) == 0 { // long streams are read in parts
				q.Count = min(q.Count, 1+e.w.rng.IntN(4))
				if q.What == feed.ReadOlder { // one of them is only looked at
					q.Count++
				}
			}
			r.requests = append(r.requests, q)
		}
	}
	if len(r.requests)+len(r.history) > 0 {
		e.readings = append(e.readings, r)
	}
}

func (e *edge) execute(r *simReading) {
	for i := range r.requests {
		q := &r.requests[i]
		r.answers = append(r.answers, e.w.server.xrange(q.follower.key(), q.First, q.Last, q.Count,
			q.Backward))
	}
	for _, w := range r.history {
		first, last, n := w.bounds()
		r.answers = append(r.answers, e.w.server.xrange(w.follower.key(), first, last, n, false))
	}
	if r.answers == nil {
		r.answers = [][]rueidis.XRangeEntry{}
	}
}

func (r *simReading) answer() {
	for i, q := range r.requests {
		q.answer(r.answers[i])
	}
	for i, w := range r.history {
		w.answer(r.answers[len(r.requests)+i])
	}
}

// turn lets time's work be done, and the shards'.
func (e *edge) turn() {
	for i := 0; i < len(e.timers); i++ {
		if t := e.timers[i]; t.at <= e.w.now {
			e.timers = slices.Delete(e.timers, i, i+1)
			i--
			t.f()
		}
	}
	e.group.Turn(e.w.now)
	if len(e.net.Faults) > 0 {
		e.w.t.Fatal("misuse of the kernel: ", e.net.Faults)
	}
}

// quiet lets the edge work until there is nothing left to do.
func (e *edge) quiet() {
	for n := 0; ; n++ {
		e.work()
		e.turn()
		q := &e.node.fetches
		idle := len(e.answers) == 0 && len(e.arriving) == 0 && len(e.readings) == 0 &&
			len(q.urgent)+len(q.others)+len(q.history.same) == 0 && len(e.node.joining) == 0
		if (idle || !e.connected && len(e.answers) == 0) && e.group.Turn(e.w.now) {
			return
		}
		if n > 20_000 {
			e.w.t.Fatalf(
				"%s does not come to rest: %d arriving, %d readings, %d, %d and %d to be read",
				e.name, len(e.arriving), len(e.readings), len(q.urgent), len(q.others),
				len(q.history.same))
		}
	}
}

// waits reports whether streams wait for what is read.
func (e *edge) waits() bool {
	waiting := int64(0)
	for _, s := range e.group.Stats() {
		waiting += s.Waiting.Load()
	}
	return waiting > 0
}

// know notes that a viewer was sent an event here.
func (e *edge) know(life int, topic string, seq int) {
	if life != e.life {
		return
	}
	if e.known[topic] == nil {
		e.known[topic] = map[int]int{}
	}
	if _, ok := e.known[topic][seq]; !ok {
		e.known[topic][seq] = e.w.happened
	}
}

// hasRead reports whether the edge has read a topic.
func (e *edge) hasRead(topic string) bool {
	t := e.source.table.Find(topic)
	if t == nil {
		return false
	}
	_, _, placed := t.Span()
	return placed
}

// acknowledged is called when an event was published through the edge. If that had read the topic
// before, and still follows it, its streams get the event, or are told.
func (e *edge) acknowledged(sent sending, p *published, read bool) {
	sent.acknowledged(p.id)
	if read && e.hasRead(p.topic) {
		e.know(e.life, p.topic, p.seq)
		p.through = e
	}
}

// awaited are the ids of events of topics that were published through the edge, and that it still
// waits for.
func (e *edge) awaited(topics []string) (ids []eventid.ID) {
	for _, name := range topics {
		f := e.source.followerOf(name)
		if f != nil {
			ids = append(ids, f.feed.Awaited()...)
		}
	}
	return ids
}

// has reports whether an event came to the edge's log.
func (e *edge) has(p *published) bool {
	t := e.source.table.Find(p.topic)
	return t != nil && t.Has(p.id)
}

func (e *edge) String() string { return fmt.Sprintf("%s.%d", e.name, e.life) }
