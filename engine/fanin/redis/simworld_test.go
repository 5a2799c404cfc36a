package redis

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
)

// world is one run: a server, edges, viewers, and what happens to them.
type world struct {
	t        testing.TB
	seed     uint64
	rng      *rand.Rand
	now      int64 // nanoseconds, monotonic
	happened int   // counts what has happened

	names        []string
	server       *server
	edges        []*edge
	viewers      []*viewer
	published    map[string][]*published
	odd          map[string]bool // topics that had something that is no event
	shards       int
	shardConfig  shard.Config
	retention    log.Retention
	historyMax   int64
	historyBytes int64
	lingerMS     int64

	raws, delivered, exempt int
	causes                  map[string]int
	rewrites                int // of the history
	trace                   []string
}

const worldBegan = 1_700_000_000_000 // Unix milliseconds

func (w *world) wall() int64 { return worldBegan + w.now/int64(time.Millisecond) }

func (w *world) log(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%d: ", w.happened)+fmt.Sprintf(format, args...))
}

// payload is event seq of a topic: it says what it is, in every byte.
func payload(topic string, seq int) string {
	s := fmt.Sprintf("%s|%d|", topic, seq)
	return s + strings.Repeat(string(rune('a'+seq%26)), seq*37%100)
}

func newWorld(t testing.TB, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 11))
	w := &world{
		t: t, seed: seed, rng: rng, now: int64(time.Hour), published: map[string][]*published{},
		odd: map[string]bool{}, causes: map[string]int{},
		shards: 1 + rng.IntN(2), historyMax: 300 << rng.IntN(12), historyBytes: 400 << rng.IntN(8),
		lingerMS: 3_600_000,
		retention: log.Retention{Events: 3 + rng.IntN(30), Bytes: 1000 << rng.IntN(5),
			AgeMS: 3_600_000 >> (10 * rng.IntN(2))},
		shardConfig: shard.Config{
			Delivery: shard.Delivery{
				Heartbeat: 3 * time.Second, WriteStall: time.Hour, Retry: time.Second,
				RestBytes: 1 << 30, InboxMax: 1000,
			},
			Turns: shard.Turns{TurnSends: 1 + rng.IntN(8), TurnTime: time.Hour},
			Policy: func(topic string) shard.Policy {
				if topic == "t0" && seed%4 == 0 {
					return shard.PolicyLatest
				}
				return shard.PolicyGap
			},
		},
	}
	if rng.IntN(3) == 0 {
		w.lingerMS = 2000
	}
	for n := range 1 + rng.IntN(4) {
		w.names = append(w.names, fmt.Sprint("t", n))
	}
	w.server = &server{w: w, streams: map[string][]stored{}, last: map[string]eventid.ID{},
		kept: 2 + rng.IntN(40)}
	for n := range 1 + rng.IntN(3) {
		e := &edge{w: w, name: string(rune('A' + n))}
		e.start()
		if rng.IntN(4) > 0 {
			e.connect()
		}
		w.edges = append(w.edges, e)
	}
	for range 2 + rng.IntN(8) {
		w.newViewer()
	}
	return w
}

func (w *world) newViewer() {
	v := &viewer{
		w: w, number: len(w.viewers) + 1, earliest: w.rng.IntN(10) == 0,
		window: 1 << (6 + w.rng.IntN(10)), first: map[string]beginning{},
		came: map[string]eventid.Position{}, base: map[string]eventid.Position{},
		blind: map[string][]blind{}, got: map[string][]delivery{}, gaps: map[string][]told{},
		raws: map[string]int{}, at: map[string]int{},
	}
	for _, name := range w.names {
		if len(v.topics) == 0 || w.rng.IntN(3) == 0 {
			v.topics = append(v.topics, name)
		}
	}
	if w.rng.IntN(2) == 0 {
		v.topics = w.names[w.rng.IntN(len(w.names)):][:1]
	}
	w.viewers = append(w.viewers, v)
	v.come(w.anyEdge())
}

func (w *world) anyEdge() *edge { return w.edges[w.rng.IntN(len(w.edges))] }

func (w *world) anyTopic() string { return w.names[w.rng.IntN(len(w.names))] }

// send puts a message on its way to the edges that have subscribed.
func (w *world) send(topic, text string) {
	for _, e := range w.edges {
		if !e.connected || !e.channels["sse:"+topic] {
			continue
		}
		e.arriving = append(e.arriving, func() {
			e.node.receive(pubSubMessage("sse:"+topic, text))
		})
	}
}

func (w *world) run() {
	steps := 20 + w.rng.IntN(20<<w.rng.IntN(5))
	faults := w.rng.IntN(4) // how often the history is rewritten, or a clock set; 0: never
	for range steps {
		w.happened++
		if w.event(faults > 0) {
			faults--
		}
		for range 1 + w.rng.IntN(4) {
			e := w.anyEdge()
			e.work()
			e.turn()
		}
	}
	w.finish()
}

// event is one thing that happens.
func (w *world) event(mayRewrite bool) (rewrote bool) {
	s := w.server
	switch k := w.rng.IntN(100); {
	case k < 25:
		for range 1 + w.rng.IntN(3) {
			w.happened++
			topic := w.anyTopic()
			s.publish(topic)
			all := w.published[topic]
			w.log("%s %d is published: %v", topic, len(all)-1, all[len(all)-1].id)
		}
	case k < 28:
		topic := w.anyTopic()
		w.odd[topic] = true
		w.log("raw event %d of %s", w.raws+1, topic)
		s.publishRaw(topic)
	case k < 32:
		w.newViewer()
	case k < 50:
		v := w.viewers[w.rng.IntN(len(w.viewers))]
		if !v.connected {
			v.come(w.anyEdge())
		} else if k < 42 {
			w.readSome(v)
			v.leave()
		}
	case k < 68:
		for _, v := range w.viewers {
			w.readSome(v)
		}
	case k < 78:
		w.now += int64(w.rng.IntN(700)) * int64(time.Millisecond)
		for _, e := range w.edges {
			if e.connected && w.rng.IntN(4) == 0 {
				e.look()
			}
		}
	case k < 82:
		e := w.anyEdge()
		if e.connected {
			w.log("%v loses its connection", e)
			e.disconnect()
		} else {
			w.log("%v connects", e)
			e.connect()
		}
	case k < 84:
		for _, e := range w.edges {
			e.quiet()
		}
	case k < 85:
		for _, e := range w.edges {
			e.group.Expire()
		}
	case k < 86:
		e := w.anyEdge()
		w.log("%v starts again", e)
		w.leaveEdge(e)
		e.start()
	case k < 88:
		s.copies = append(s.copies, s.copy())
		w.log("copied: %d", len(s.copies)-1)
	case k < 97 && !mayRewrite:
	case k < 91:
		w.clockStep()
		return true
	case k < 95:
		w.failover()
		return true
	case k < 96:
		topic := w.anyTopic()
		w.log("%s is deleted", topic)
		s.epoch++
		w.rewrites++
		s.goBackOf(topic, history{})
		return true
	case k < 97:
		w.log("all is flushed")
		w.rewrites++
		s.goBack(history{})
		return true
	case k < 98:
		topic := w.anyTopic()
		s.trim(topic, 1+w.rng.IntN(3))
		w.log("%s is trimmed to %d", topic, len(s.streams[topic]))
	case k < 99:
		topic := w.anyTopic()
		w.odd[topic] = true
		e := stored{id: s.nextID(topic), bad: true}
		s.streams[topic] = append(s.streams[topic], e)
		w.log("%s gets an element that is no event: %v", topic, e.id)
	}
	return false
}

// clockStep moves the server's clock, or that of the one that would be promoted.
func (w *world) clockStep() {
	w.rewrites++
	by := int64(w.rng.IntN(3_600_000) - 1_800_000)
	if w.rng.IntN(2) == 0 {
		by = int64(w.rng.IntN(6000) - 3000)
	}
	if w.rng.IntN(2) == 0 {
		w.log("the server's clock is at %+d ms", by)
		w.server.clock = by
	} else {
		w.log("the replica's clock is at %+d ms", by)
		w.server.replica = by
	}
}

// failover ends the server; another goes on with what it was at some time, or with nothing.
func (w *world) failover() {
	s := w.server
	w.rewrites++
	switch n := len(s.copies); {
	case n > 0 && w.rng.IntN(3) > 0:
		k := w.rng.IntN(n)
		w.log("the server goes back to copy %d", k)
		s.goBack(s.copies[k])
		s.copies = s.copies[:k+1]
	default:
		w.log("the server starts again") // and has lost nothing
		s.epoch++
	}
	if w.rng.IntN(2) == 0 {
		s.clock = s.replica
	}
	for _, e := range w.edges {
		if e.connected {
			e.disconnect()
			if w.rng.IntN(3) > 0 {
				e.connect()
			}
		}
	}
}

func (w *world) leaveEdge(e *edge) {
	for _, v := range w.viewers {
		if v.edge == e && v.connected {
			w.readSome(v)
			v.leave()
		}
	}
}

// readSome lets a viewer read, and notice that its connection has ended.
func (w *world) readSome(v *viewer) {
	if !v.connected || v.life != v.edge.life {
		v.leave()
		return
	}
	n := len(v.sock.Got)
	if w.rng.IntN(3) == 0 {
		n = w.rng.IntN(n + 1)
	}
	v.read(n)
	if v.sock.Closed && len(v.sock.Got) == 0 {
		v.leave()
	} else if n > 0 && !v.sock.Closed {
		v.sock.Free(n)
	}
}

// finish lets all edges hear the server, and all viewers come back and read until nothing more
// comes.
func (w *world) finish() {
	for _, e := range w.edges {
		if !e.connected {
			e.connect()
		}
		e.look()
	}
	for _, name := range w.names { // what was forgotten is noticed with the next event
		w.happened++
		w.server.publish(name)
		all := w.published[name]
		w.log("%s %d is published: %v, at last", name, len(all)-1, all[len(all)-1].id)
	}
	for round := 0; ; round++ {
		quiet := true
		for _, v := range w.viewers {
			if !v.connected {
				v.come(w.anyEdge())
				quiet = false
			}
			v.window = fake.Unlimited
			v.sock.Free(fake.Unlimited)
		}
		for range 3 {
			for _, e := range w.edges {
				e.quiet()
			}
			w.now += int64(12 * time.Second)
		}
		for _, v := range w.viewers {
			quiet = quiet && len(bytes.ReplaceAll(v.sock.Got, sse.Heartbeat, nil)) == 0 &&
				!v.edge.waits()
			v.read(len(v.sock.Got))
			if v.sock.Closed {
				v.leave()
				quiet = false
			}
		}
		if quiet {
			break
		}
		if round > 100 {
			w.t.Fatal("streams go on ending, or being sent something, though their clients read everything")
		}
	}
	for _, v := range w.viewers {
		w.judge(v)
	}
}
