package shard

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// simClient is a client that keeps account of what it was sent and told.
type simClient struct {
	client
	sim       *sim
	connected bool
	leaving   bool // it has hung up
	stalled   int  // turns for which it reads nothing
	window    int  // bytes that its socket holds unread

	// By topic, in the order of the request.
	at      []int  // how many of the topic's events it has, or was told it misses
	bogus   []bool // it came with a position that was never given out: it must be told so
	told    []bool // it was told of a gap on this connection
	low     []int  // events published when it connected …
	high    []int  // … and when the shard had seen it; nil until then
	fresh   bool   // it came without an id
	opened  bool   // it has read an id on this connection
	block   []byte // what it has read since the last blank line
	history []string
}

// positions reads the client's id; nil if it is none of such a stream.
func (c *simClient) positions(id string) []eventid.Position {
	if len(c.topics) == 1 {
		if p, ok := eventid.ParsePosition([]byte(id)); ok {
			return []eventid.Position{p}
		}
		return nil
	}
	check := uint32(0)
	for _, name := range c.topics {
		check = eventid.Check(check, name)
	}
	p, _ := eventid.ParseVector([]byte(id), check, make([]eventid.Position, len(c.topics)))
	return p
}

// upTo is how many events of topic k do not lie after p.
func (c *simClient) upTo(k int, p eventid.Position) int {
	ids := c.sim.ids[c.topics[k]]
	return sort.Search(len(ids), func(i int) bool { return p.Precedes(ids[i]) })
}

// come connects with an id, which is one it was given or, if bogus is set, none.
func (c *simClient) come(id string, bogus []bool) {
	n := len(c.topics)
	c.connected, c.leaving, c.opened, c.block = true, false, false, nil
	c.fresh = id == ""
	c.at, c.told, c.bogus, c.low, c.high = make([]int, n), make([]bool, n), bogus, make([]int, n),
		nil
	positions := c.positions(id)
	for k, name := range c.topics {
		c.low[k] = len(c.sim.ids[name])
		if positions != nil {
			c.at[k] = c.upTo(k, positions[k])
		}
	}
	room := c.window
	if c.sim.rng.IntN(4) == 0 {
		room = c.sim.rng.IntN(200)
	}
	c.sim.greets = c.sim.rng.IntN(2) == 0
	if c.wait = 0; !c.sim.ending {
		c.wait = []time.Duration{-1, 0, 2 * time.Second}[c.sim.rng.IntN(3)]
	}
	c.connect(id, room, c.sim.rng.IntN(len(c.sim.shards)))
}

// comeBack connects with the last id it has read.
func (c *simClient) comeBack() {
	bogus := c.bogus
	if c.opened || bogus == nil {
		bogus = make([]bool, len(c.topics))
	}
	c.come(c.decoder.LastEventID(), bogus)
}

// read takes in n bytes, line by line, and checks each block.
func (c *simClient) read(n int) {
	for n > 0 {
		size := n
		if i := bytes.IndexByte(c.sock.Got[:n], '\n'); i >= 0 {
			size = i + 1
		}
		c.take(size)
		c.block, c.raw = append(c.block, c.raw...), c.raw[:0]
		n -= size
		for _, m := range c.messages {
			if m.Event == "gap" {
				c.gap(m)
			} else {
				c.event(m)
			}
		}
		c.messages = c.messages[:0]
		if bytes.HasSuffix(c.block, []byte("\n\n")) {
			c.endBlock()
		}
	}
}

func (c *simClient) fail(format string, args ...any) {
	c.sim.t.Helper()
	c.sim.t.Fatalf("client %d of %q at %v (opened %v): %s", c.owner, c.topics, c.at, c.opened,
		fmt.Sprintf(format, args...))
}

// endBlock checks, after a block with an id, that the id says what the client has.
func (c *simClient) endBlock() {
	block := append([]byte{'\n'}, c.block...)
	if !bytes.Contains(block, []byte("\ndata:")) {
		c.fail("wire %d: a block without data: %q", c.wire, block)
	}
	hasID := bytes.Contains(block, []byte("\nid: "))
	c.block = c.block[:0]
	if n := len(c.states); n == 0 || n > 1 && c.states[n-1] != stateDrain || n > 2 {
		c.fail("after a block the states are %q", c.states)
	}
	if !hasID {
		return
	}
	id := c.decoder.LastEventID()
	positions := c.positions(id)
	if positions == nil {
		c.fail("the id %q is none of this stream", id)
	}
	for k, p := range positions {
		n := c.upTo(k, p)
		if !c.opened && (c.fresh || c.at[k] < 0) { // it begins where the server says
			c.at[k] = n
			if n < c.low[k] || n > c.high[k] {
				c.fail("topic %s begins after %d events, when it had %d to %d", c.topics[k], n,
					c.low[k], c.high[k])
			}
		}
		if !c.opened && c.bogus[k] && !c.told[k] {
			c.fail("came with a bogus position and was not told")
		}
		if n != c.at[k] {
			c.fail("the id %q says %d of topic %s", id, n, c.topics[k])
		}
	}
	c.opened = true
	if len(c.history) < 20 || c.sim.rng.IntN(10) == 0 {
		c.history = append(c.history, id)
	}
}

// answered checks the answer to a poll: the field has the id that its events have.
func (c *simClient) answered() {
	u, ok := c.unframe.(*unanswer)
	if !ok || c.sim.ended[c.owner][0] != ClosedAnswered && c.sim.ended[c.owner][0] != ClosedDrain {
		return
	}
	if !u.whole() || u.field.Get("Last-Event-ID") != c.decoder.LastEventID() || !c.opened ||
		u.closes == c.sock.Released {
		c.fail("was answered %v, whole: %v, and its id is %q", u.field, u.whole(),
			c.decoder.LastEventID())
	}
}

func (c *simClient) topic(name string) int {
	for k := range c.topics {
		if c.topics[k] == name {
			return k
		}
	}
	c.fail("was sent something of topic %q", name)
	return 0
}

// event checks an event to be the next one of its topic, to the byte.
func (c *simClient) event(m sse.Message) {
	var seq, size int
	name, rest, _ := strings.Cut(m.Data, "|")
	if _, err := fmt.Sscanf(rest, "%d|%d|", &seq, &size); err != nil ||
		m.Data != payload(name, seq, size) {
		c.fail("foreign bytes: %.100q", m.Data)
	}
	k := c.topic(name)
	if !c.opened && (c.fresh || c.bogus[k]) {
		c.fail("event %d of %s before the first id", seq, name)
	}
	if seq != c.at[k] {
		c.fail("event %d of %s", seq, name)
	}
	c.at[k]++
	c.sim.delivered++
}

// gap checks a gap to begin where the client is, and takes it for what it says.
func (c *simClient) gap(m sse.Message) {
	g := parseGap(c.sim.t, m)
	k := c.topic(g.Topic)
	c.sim.gaps[g.Cause]++
	c.told[k] = true
	switch g.Cause {
	case "malformed", "unknown", "future":
		if !c.bogus[k] || c.opened {
			c.fail("gap %s, out of the blue", m.Data)
		}
		c.at[k] = -1              // the first id will say
		if g.Cause == "unknown" { // what lies behind it is delivered
			to, _ := eventid.ParsePosition([]byte(*g.To))
			c.at[k] = c.upTo(k, to)
		}
		return
	}
	if g.From == nil || g.To == nil && g.Cause != "expired" {
		c.fail("gap %s without bounds", m.Data)
	}
	from, _ := eventid.ParsePosition([]byte(*g.From))
	if n := c.upTo(k, from); n != c.at[k] {
		c.fail("gap %s from event %d", m.Data, n)
	}
	if g.To == nil {
		return
	}
	to, ok := eventid.Parse([]byte(*g.To))
	n := c.upTo(k, eventid.After(to))
	if !ok || n < c.at[k] || n == c.at[k] && c.opened {
		c.fail("gap %s to event %d", m.Data, n)
	}
	c.at[k] = n
}

// complete checks that nothing is missing.
func (c *simClient) complete() {
	if c.wire == WireAnswer && c.fresh && !c.opened {
		return // it waits for its first event, and was not told where it begins
	}
	for k, name := range c.topics {
		if c.at[k] != len(c.sim.ids[name]) {
			c.fail("%d events of %s were published", len(c.sim.ids[name]), name)
		}
	}
}
