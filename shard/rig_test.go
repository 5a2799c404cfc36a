package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// rig is shards on a scripted kernel and a clock that is set by hand.
type rig struct {
	t        testing.TB
	net      fake.Net
	table    *topic.Table
	wall     *uint64
	now      int64
	shards   []*Shard
	config   Config
	rests    atomic.Int64
	ended    map[uint32][]CloseReason // by owner
	joined   uint32
	dropped  []any // notes of connections that ended otherwise
	returned []any // notes of connections that came back
	greets   bool  // streams are greeted before they come to their shard
}

// patient is a configuration in which nothing happens by itself.
func patient() Config {
	return Config{
		Delivery: Delivery{
			WriteStall: time.Hour, Retry: 2 * time.Second, RetryJitter: time.Second,
			RestBytes: 1 << 30, InboxMax: 1 << 20,
		},
		Turns: Turns{TurnSends: 1 << 30, TurnTime: time.Hour},
	}
}

func newRig(t testing.TB, shards int, c Config, tc topic.Config) *rig {
	r := &rig{t: t, config: c, ended: map[uint32][]CloseReason{}}
	r.now = 1<<(32+tickShift) - int64(5*time.Second) // the ticks wrap soon
	r.table, r.wall = newTable(tc)
	r.config.OnDone = r.done
	r.config.OnClose = func(owner uint32, reason CloseReason) {
		r.ended[owner] = append(r.ended[owner], reason)
	}
	for i := range shards {
		s := newShard(i, &r.config, r.table, &fake.Kernel{Net: &r.net},
			restBudget{&r.rests, c.RestBytes}, r.now, 1)
		r.shards = append(r.shards, s)
	}
	r.table.Listen(listeners(r.shards))
	return r
}

func (r *rig) kernel(i int) *fake.Kernel { return r.shards[i].kernel.(*fake.Kernel) }

// turn lets every shard make one step; it reports whether all are idle.
func (r *rig) turn() bool {
	idle := true
	for _, s := range r.shards {
		s.poll(0)
		if s.step(r.now) == 0 {
			idle = false
		}
	}
	for i, s := range r.shards { // one may have work for another
		if len(r.kernel(i).Queue) > 0 || s.inbox.depth.Load() > 0 {
			idle = false
		}
	}
	if len(r.net.Faults) > 0 {
		r.t.Fatalf("misuse of the kernel: %s", strings.Join(r.net.Faults, "; "))
	}
	return idle
}

// settle lets the shards run until there is nothing more to do.
func (r *rig) settle() {
	r.t.Helper()
	for range 100_000 {
		if r.turn() {
			return
		}
	}
	r.t.Fatal("the shards do not come to rest")
}

// pass lets time go by, in steps of a tick.
func (r *rig) pass(d time.Duration) {
	for end := r.now + int64(d); r.now < end; {
		r.now = min(r.now+1<<tickShift, end)
		r.settle()
	}
	*r.wall += uint64(d.Milliseconds())
}

func (r *rig) publish(topic, data string) eventid.ID {
	r.t.Helper()
	id, err := r.table.Publish([]byte(topic), sse.AppendBody(nil, &sse.Event{Data: []byte(data)}))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// client is the other end of a stream: what a browser would make of it.
type client struct {
	r        *rig
	sock     *fake.Socket
	owner    uint32
	topics   []string
	wire     Wire
	unframe  unframer
	head     string // what is still to come of the response head
	raw      []byte // the stream after the head
	decoder  sse.Decoder
	messages []sse.Message
	states   []string // of the server's own events

	// With WireAnswer.
	json   bool
	wait   time.Duration // negative: none; 0: longer than a test
	closes bool          // its connection is not kept
	note   any
}

// join connects a client to topics, separated by commas; lastID is what it
// resumes with. room is what its socket takes at first.
func (r *rig) join(topics, lastID string, room int) *client {
	c := &client{r: r, topics: strings.Split(topics, ",")}
	c.connect(lastID, room, int(r.joined)%len(r.shards))
	return c
}

// oneGoroutine skips a test under the race detector, which has nothing to watch in it.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("not run with -race: all of it happens in one goroutine. go test ./shard runs it")
	}
}

// joinEarliest is a client that wants the earliest events there are.
func (r *rig) joinEarliest(topics string) *client {
	shard := r.shards[int(r.joined)%len(r.shards)]
	c := r.join(topics, "", fake.Unlimited)
	shard.inbox.joins[len(shard.inbox.joins)-1].Resume = log.ResumeEarliest
	return c
}

// early is what streams are answered that end before they were sent their head: each reason's own
// words, but for those by which no stream ends then.
var early = func() (all EarlyEnds) {
	for _, r := range CloseReasons() {
		if r != ClosedClientGone && r != ClosedError {
			all[r] = []byte("HTTP/1.1 503 Service Unavailable\r\nX: " + r.String() + "\r\n\r\n")
		}
	}
	return all
}()

// connect hands a new connection to a shard. The decoder goes on where it was.
func (c *client) connect(lastID string, room, shard int) {
	r := c.r
	r.joined++
	c.owner = r.joined
	c.sock = r.net.Connect()
	c.sock.Room = room
	c.head = fmt.Sprintf("HTTP/1.1 200 for %d\r\n\r\n", c.owner)
	c.raw, c.unframe, c.states = nil, unframers[c.wire](), nil
	c.decoder.Reset(lastID)
	j := c.request(lastID)
	j.Fd, j.Head, j.Owner, j.Wire = c.sock.FD, []byte(c.head), c.owner, c.wire
	j.Early = &early
	c.asPoll(&j)
	if r.greets {
		r.shards[shard].greet(&j, nil)
	}
	if err := r.shards[shard].inbox.join(j); err != nil {
		r.t.Fatal(err)
	}
}

// request makes the join of a request, as the engine does.
func (c *client) request(lastID string) (j Join) {
	var topics []*topic.Topic
	check := uint32(0)
	for _, name := range c.topics {
		topic, err := c.r.table.Acquire([]byte(name))
		if err != nil {
			c.r.t.Fatal(err)
		}
		topics = append(topics, topic)
		check = eventid.Check(check, name)
	}
	ok := true
	if len(topics) == 1 {
		j.Topic = topics[0]
		j.Position, ok = eventid.ParsePosition([]byte(lastID))
	} else {
		j.More = topics
		j.Positions, ok = eventid.ParseVector([]byte(lastID), check,
			make([]eventid.Position, len(topics)))
	}
	switch {
	case ok:
		j.Resume = log.ResumeAt
	case lastID != "":
		j.Resume = log.ResumeMalformed
	}
	return j
}

// read takes in what has arrived.
func (c *client) read() {
	c.r.t.Helper()
	c.take(len(c.sock.Got))
}

// take takes in the first n bytes of what has arrived.
func (c *client) take(n int) {
	c.r.t.Helper()
	b := c.sock.Got[:n]
	c.sock.Got = c.sock.Got[n:]
	k := min(n, len(c.head))
	if string(b[:k]) != c.head[:k] {
		c.r.t.Fatalf("client %d got the head %q, want %q", c.owner, b[:k], c.head[:k])
	}
	c.head, b = c.head[k:], b[k:]
	b, err := c.unframe.feed(b)
	if err != nil {
		c.r.t.Fatalf("client %d: %v", c.owner, err)
	}
	c.raw = append(c.raw, b...)
	if c.json {
		return
	}
	if err := c.decoder.Feed(b, c.message); err != nil {
		c.r.t.Fatal(err)
	}
}

// message takes one event; those of the server's own are kept apart.
func (c *client) message(m sse.Message) {
	c.r.t.Helper()
	if m.Event != "ssedge" {
		c.messages = append(c.messages, m)
		return
	}
	var own struct {
		State     string `json:"state"`
		Heartbeat *int64 `json:"heartbeat"`
	}
	d := json.NewDecoder(strings.NewReader(m.Data))
	d.DisallowUnknownFields()
	switch err := d.Decode(&own); {
	case err != nil:
		c.r.t.Fatalf("client %d was sent %q: %v", c.owner, m.Data, err)
	case own.State == stateDrain:
	case own.Heartbeat == nil || *own.Heartbeat != c.r.config.Heartbeat.Milliseconds():
		c.r.t.Fatalf("client %d was sent %q", c.owner, m.Data)
	}
	c.states = append(c.states, own.State)
}

// state is that of the server's newest event of its own; "" if there was none on this connection.
func (c *client) state() string {
	c.read()
	if len(c.states) == 0 {
		return ""
	}
	return c.states[len(c.states)-1]
}

// data is the data of all events so far; gaps stand in it by their cause.
func (c *client) data() []string {
	c.r.t.Helper()
	c.read()
	var all []string
	for _, m := range c.messages {
		if m.Event == "gap" {
			all = append(all, "gap:"+parseGap(c.r.t, m).Cause)
		} else {
			all = append(all, m.Data)
		}
	}
	return all
}

func (c *client) want(data ...string) {
	c.r.t.Helper()
	if got := c.data(); strings.Join(got, " ") != strings.Join(data, " ") {
		c.r.t.Fatalf("client %d got %.500q, want %.500q\n%.2000s", c.owner, got, data, c.raw)
	}
}

// endedWith checks that the stream ended once, for that reason.
func (c *client) endedWith(reason CloseReason) {
	c.r.t.Helper()
	if got := c.r.ended[c.owner]; len(got) != 1 || got[0] != reason || !c.sock.Closed {
		c.r.t.Fatalf("client %d ended with %v (closed: %v), want %v", c.owner, got, c.sock.Closed,
			reason)
	}
}

// toldGap is a gap event as a client reads it.
type toldGap struct {
	Topic    string
	From, To *string
	Cause    string
}

func parseGap(t testing.TB, m sse.Message) (g toldGap) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(m.Data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		t.Fatalf("gap %q: %v", m.Data, err)
	}
	return g
}

// empty checks that nothing is left of any stream.
func (r *rig) empty() {
	r.t.Helper()
	r.settle()
	r.turn()
	if r.net.Open != 0 || r.rests.Load() != 0 {
		r.t.Errorf("%d descriptors open, %d bytes of rests", r.net.Open, r.rests.Load())
	}
	for i, s := range r.shards {
		st := &s.stats
		gauges := []int64{int64(s.slots.used), int64(s.states.used), int64(len(s.outboxes)),
			int64(s.wheel.Armed()), int64(len(s.bundles) - len(s.freeBundles)),
			int64(s.queue.len()), st.Streams.Load(), st.Blocked.Load(), st.Waiting.Load(),
			int64(len(s.waits) + len(s.awaiting) + len(s.retries) + len(s.woken) + len(s.notes)),
			st.Subscriptions.Load(), st.Topics.Load(), st.RestBytes.Load(), st.Inbox.Load()}
		for _, n := range gauges {
			if n != 0 {
				r.t.Errorf("shard %d: slots, states, rests, timers, bundles, queue, streams, blocked, waiting, what they wait for, subscriptions, topics, rest bytes, inbox are %v",
					i, gauges)
				break
			}
		}
		closed := uint64(0)
		for reason := range st.Closed {
			closed += st.Closed[reason].Load()
		}
		if closed != st.Joined.Load() {
			r.t.Errorf("shard %d: %d streams joined, %d closed", i, st.Joined.Load(), closed)
		}
	}
	for owner := uint32(1); owner <= r.joined; owner++ {
		if len(r.ended[owner]) != 1 {
			r.t.Errorf("stream %d ended %d times: %v", owner, len(r.ended[owner]), r.ended[owner])
		}
	}
}

// sized is the body of an event of so many bytes of data.
func sized(n int) []byte {
	return sse.AppendBody(nil, &sse.Event{Data: bytes.Repeat([]byte("x"), n)})
}

// newTable is a table with a clock that is set by hand.
func newTable(c topic.Config) (*topic.Table, *uint64) {
	wall := uint64(1_000_000)
	c.WallMS = func() uint64 { return wall }
	if c.TopicsMax == 0 {
		c.TopicsMax = 1 << 20
	}
	if c.HistoryMax == 0 {
		c.HistoryMax = 1 << 40
	}
	return topic.New(c), &wall
}

func acquire(t *testing.T, table *topic.Table, name string) *topic.Topic {
	t.Helper()
	acquired, err := table.Acquire([]byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return acquired
}

// kept is how much there is in a topic's log.
func kept(of *topic.Topic) (n struct {
	events int
	bytes  int64
}) {
	var s log.Snapshot
	of.Snapshot(&s)
	n.bytes = int64(s.Head - s.Tail)
	if n.bytes > 0 {
		n.events = s.EventsBetween(s.Tail, s.Head)
	}
	return n
}

func publish(t *testing.T, table *topic.Table, name, data string) {
	t.Helper()
	if _, err := table.Publish([]byte(name),
		append(append([]byte("data: "), data...), '\n')); err != nil {
		t.Fatal(err)
	}
}
