package shard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// sim is one run.
type sim struct {
	*rig
	rng       *rand.Rand
	names     []string                // a topic's policy is its first letter
	ids       map[string][]eventid.ID // all that were published, by topic
	clients   []*simClient
	delivered int
	gaps      map[string]int
	ending    bool // polls wait until there is something
}

// payload is event seq of a topic: it says what it is, in every byte.
func payload(topic string, seq, size int) string {
	s := fmt.Sprintf("%s|%d|%d|", topic, seq, size)
	return s + strings.Repeat(string(rune('a'+(seq+len(topic))%26)), max(size-len(s), 0))
}

func simPolicy(topic string) Policy {
	return map[byte]Policy{'g': PolicyGap, 'c': PolicyClose, 'l': PolicyLatest}[topic[0]]
}

func newSim(t *testing.T, seed uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 7))
	c := Config{
		Delivery: Delivery{
			Heartbeat: 3 * time.Second, WriteStall: 8 * time.Second,
			Lifetime: time.Duration(rng.IntN(2)) * 10 * time.Second,
			Retry:    time.Second, RetryJitter: time.Second, RestBytes: 1000 << rng.IntN(8),
			InboxMax: 1000,
		},
		Turns: Turns{TurnSends: 1 + rng.IntN(8), TurnTime: time.Hour},
	}
	tc := topic.Config{Retention: log.Retention{Events: 4 + rng.IntN(20), Bytes: 20_000,
		AgeMS: 4000}, HistoryMax: 20_000 << rng.IntN(8)}
	if seed%2 == 1 {
		tc.Retention.Window = log.Window{Events: 8 + rng.IntN(40), Bytes: 40_000, AgeMS: 1500}
	}
	s := &sim{rig: newRig(t, 2, c, tc), rng: rng, ids: map[string][]eventid.ID{},
		gaps: map[string]int{}}
	for n := range 6 + rng.IntN(24) {
		s.names = append(s.names, fmt.Sprint("gggcl"[n%5:n%5+1], n))
	}
	return s
}

func (s *sim) run() {
	s.config.Policy = func(topic string) Policy { // asked before and after a look at the log
		if s.net.During != nil && s.rng.IntN(4) == 0 {
			s.publishTo(topic)
		}
		return simPolicy(topic)
	}
	s.net.During = func() { // other goroutines do not wait for a shard's turn to end
		switch s.rng.IntN(40) {
		case 0, 1, 2:
			s.publishSome()
		case 3:
			s.table.Expire()
		case 4:
			s.table.EvictOldest()
		}
	}
	for range 20 + s.rng.IntN(30) {
		s.newClient()
	}
	for range 500 {
		s.event()
		for range 1 + s.rng.IntN(3) {
			s.turnOf(s.rng.IntN(len(s.shards)))
		}
	}
	s.net.During = nil
	s.finish()
}

// event is one thing that happens.
func (s *sim) event() {
	c := s.clients[s.rng.IntN(len(s.clients))]
	switch k := s.rng.IntN(100); {
	case k < 35:
		for range 1 + s.rng.IntN(4) {
			s.publishSome()
		}
	case k < 40:
		s.newClient()
	case k < 55:
		if !c.connected {
			s.comeBack(c)
		} else if k < 45 {
			s.breakOff(c)
		}
	case k < 57:
		s.settle()
		s.noneIsBehind()
	case k < 59:
		c.stalled = s.rng.IntN(150)
	case k < 61:
		s.table.Expire()
	case k < 75:
		d := time.Duration(s.rng.IntN(400)) * time.Millisecond
		s.now += int64(d)
		*s.wall += uint64(d.Milliseconds())
		if s.rng.IntN(5) == 0 {
			*s.wall -= uint64(s.rng.IntN(300))
		}
	default:
		for _, c := range s.clients {
			s.readSome(c)
		}
	}
}

func (s *sim) publishSome() {
	s.publishTo(s.names[s.rng.IntN(1+s.rng.IntN(len(s.names)))])
}

func (s *sim) publishTo(name string) {
	size := s.rng.IntN(120)
	if s.rng.IntN(15) == 0 {
		size = s.rng.IntN(20_000)
	}
	id := s.publish(name, payload(name, len(s.ids[name]), size))
	s.ids[name] = append(s.ids[name], id)
}

// turnOf is a step of one shard, after which it has seen the streams that had joined it.
func (s *sim) turnOf(i int) {
	s.shards[i].poll(0)
	s.shards[i].step(s.now)
	if len(s.net.Faults) > 0 {
		s.t.Fatal("misuse of the kernel: ", s.net.Faults)
	}
	for _, c := range s.clients {
		if c.high == nil && c.connected && (c.sock.Closed || c.sock.Kernel == s.kernel(i)) {
			for _, name := range c.topics {
				c.high = append(c.high, len(s.ids[name]))
			}
		}
		if c.sock.Closed && c.connected && !c.leaving {
			switch got := s.ended[c.owner]; {
			case len(got) != 1 || got[0] == ClosedClientGone || got[0] == ClosedError:
				c.fail("the connection ended with %v", got)
			case got[0] == ClosedSlowConsumer && !s.excuses(c):
				c.fail("was too slow for nothing")
			}
		}
	}
}

// excuses reports whether a stream may have been closed for falling behind: a
// topic of it has lost events.
func (s *sim) excuses(c *simClient) bool {
	for _, name := range c.topics {
		topic := acquire(s.t.(*testing.T), s.table, name)
		lost, _, _ := topic.Span()
		s.table.Release(topic)
		if len(s.ids[name]) > 0 && !lost.Less(s.ids[name][0]) {
			return true
		}
	}
	return false
}

func (s *sim) newClient() {
	c := &simClient{sim: s, window: 1 << (5 + s.rng.IntN(13)), fresh: true}
	c.client.r, c.wire = s.rig, Wire(s.rng.IntN(int(wires)))
	for _, k := range s.rng.Perm(len(s.names))[:1+s.rng.IntN(4)*s.rng.IntN(2)] {
		c.topics = append(c.topics, s.names[k])
	}
	s.clients = append(s.clients, c)
	c.closes = s.rng.IntN(2) == 0
	c.come("", make([]bool, len(c.topics)))
	c.sock.Room = c.window
}

// readSome lets a client read, and notice that its connection has ended.
func (s *sim) readSome(c *simClient) {
	if c.stalled--; !c.connected || c.stalled > 0 || c.high == nil {
		return
	}
	n := len(c.sock.Got)
	if s.rng.IntN(3) == 0 {
		n = s.rng.IntN(n + 1)
	}
	c.read(n)
	if c.sock.Closed && len(c.sock.Got) == 0 {
		c.answered()
		c.connected = false
	} else if n > 0 && !c.sock.Closed {
		c.sock.Free(n)
	}
}

// breakOff lets a client read some more and go, in one of two ways.
func (s *sim) breakOff(c *simClient) {
	if c.high == nil {
		return // the shard must see it first, or the test does not know when it began
	}
	c.read(s.rng.IntN(len(c.sock.Got) + 1))
	c.connected, c.leaving = false, true
	if s.rng.IntN(2) == 0 {
		c.sock.Reset()
	} else {
		c.sock.HangUp()
	}
}

// comeBack connects a client again, with the id it has read last or with another.
func (s *sim) comeBack(c *simClient) {
	if c.decoder.LastEventID() == "" || !c.opened || s.rng.IntN(4) != 0 {
		c.comeBack()
		return
	}
	bogus := make([]bool, len(c.topics))
	switch k := s.rng.IntN(len(c.topics)); s.rng.IntN(6) {
	case 0:
		for k := range bogus {
			bogus[k] = true
		}
		c.come([]string{"nonsense", "1.2.3-4", "00-0"}[s.rng.IntN(3)], bogus)
	case 1:
		c.come(c.history[s.rng.IntN(len(c.history))], bogus)
	case 2:
		bogus[k] = true
		c.come(c.with(k, eventid.At(1<<40)), bogus)
	default:
		bogus[k] = true
		p := c.positions(c.decoder.LastEventID())[k]
		p.ID.Seq, p.Time = p.ID.Seq+1<<40, false
		c.come(c.with(k, p), bogus)
	}
}

// with is the client's id with another position for topic k.
func (c *simClient) with(k int, p eventid.Position) string {
	all := c.positions(c.decoder.LastEventID())
	all[k] = p
	if len(all) == 1 {
		return p.String()
	}
	var text []string
	for _, p := range all {
		text = append(text, p.String())
	}
	return vector(strings.Join(c.topics, ","), text...)
}
