package feed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ssedge/shard/log"
)

// world is one run: a server, the feed with its connections, and clients of its log.
type world struct {
	*rig
	tally    account
	t        testing.TB
	seed     uint64
	rng      *rand.Rand
	wall     uint64 // Unix milliseconds
	happened int
	trace    []string

	server    server
	published []*published
	rawsSent  int

	connected bool
	arriving  []arrival // through the channel, in their order
	late      []string  // messages of earlier connections, which may come yet
	readings  []*simReading
	acks      []func()
	timers    []simAlarm
	exactly   bool // no message of this connection was lost, and no server that is behind answered

	viewer  *viewer
	clients []*viewer

	// What this world has.
	rewriting bool // histories are rewritten, and clocks set
	deleting  bool // streams are deleted and expire
	losing    bool // messages are lost, come late and twice
	lagging   bool // servers answer that are behind …
	behind    bool // … or did
	odd       bool // there are messages and elements that are no events
	keeping   bool // the server and the log let nothing go, and all of it may be compared
	flood     int  // so many messages come at a time, at most
	jumped    bool // the stream may have expired
	parted    bool // the server has gone back to before the log's place
}

// arrival is a message; or that the channel is subscribed.
type arrival struct {
	text       string
	subscribed bool
}

// simReading is a reading on its way.
type simReading struct {
	request  Request
	events   []Element
	executed bool
	behind   bool // it was answered by a server that is behind
	at       int  // how much had happened then
}

type simAlarm struct {
	at  int64
	why Alarm
}

func newWorld(t testing.TB, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 7))
	retention, keeping := log.Retention{}, rng.IntN(3) == 0
	if !keeping && rng.IntN(2) == 0 {
		retention = log.Retention{Events: 3 + rng.IntN(30), Window: log.SendWindow}
	}
	w := &world{
		rig: newRig(t, retention), t: t, seed: seed, rng: rng, wall: rigBegan,
		rewriting: rng.IntN(3) == 0, deleting: rng.IntN(3) == 0, losing: rng.IntN(2) == 0,
		lagging: rng.IntN(4) == 0, odd: rng.IntN(3) == 0, keeping: keeping, flood: 1,
	}
	w.lagging = w.lagging && !w.deleting // a server that is behind seems to have deleted streams
	w.behind = w.lagging
	w.server.kept = 2 + rng.IntN(20<<rng.IntN(4))
	w.config.HistoryBytes = 400 << rng.IntN(8)
	if w.keeping {
		w.server.kept, w.config.HistoryBytes = 1<<20, 1<<20
	}
	if rng.IntN(4) == 0 {
		w.flood = 40
	}
	if rng.IntN(3) == 0 { // the topic has had events before it is followed
		for range 1 + rng.IntN(20) {
			w.publish()
		}
	}
	w.machine().Away()
	return w
}

func (w *world) run() {
	for range 20 + w.rng.IntN(20<<w.rng.IntN(4)) {
		w.happened++
		w.happen()
		for range w.rng.IntN(4) {
			w.work()
		}
		if w.rng.IntN(20) == 0 {
			w.rest()
			w.judgeRest()
		}
	}
	w.finish()
}

// happen is one thing that happens.
func (w *world) happen() {
	switch k := w.rng.IntN(100); {
	case k < 40:
		for range 1 + w.rng.IntN(3) {
			w.publish()
		}
	case k < 42:
		for range 40 + w.rng.IntN(60) {
			w.publish()
		}
	case k < 45 && w.odd:
		w.publishRaw()
	case k < 46 && w.odd:
		w.addBad()
	case k < 58:
		w.pass(uint64(w.rng.IntN(700)))
	case k < 70:
		if w.connected {
			w.disconnect()
		} else {
			w.connect()
		}
	case k < 80:
		w.newClient()
	case k < 82 && !w.keeping:
		w.trim(1 + w.rng.IntN(3))
	case k < 84:
		w.server.behind = slices.Clone(w.server.stream)
	case k < 85:
		w.log("the slot is on its way")
		w.machine().Migrating()
	case k < 87:
		w.server.copies = append(w.server.copies, w.copy())
	case k < 90 && w.rewriting:
		w.failover()
	case k < 91 && w.rewriting:
		w.server.clock = int64(w.rng.IntN(20_000) - 10_000)
		w.log("the server's clock is at %+d ms", w.server.clock)
		w.look()
	case k < 93 && w.deleting:
		w.log("the stream is deleted")
		w.goBack(copied{})
		w.server.copies, w.exactly = nil, false
	case k < 95 && w.deleting:
		switch { // messages are not on their way for so long, and a loss is noticed
		case w.exactly:
			w.rest()
		case w.connected:
			w.disconnect()
		}
		w.jumped = true
		w.pass(w.config.TTLMS + uint64(w.rng.IntN(1000)))
	}
}

// pass lets time pass.
func (w *world) pass(ms uint64) {
	w.wall += ms
	w.seconds = int64(w.wall-rigBegan)/1000 + 1000
	w.look()
	w.expire()
}

// look looks at the server's clock.
func (w *world) look() { w.nowMS = uint64(int64(w.wall) + w.server.clock) }

// failover has another server go on with what this one was at some time, or with all but the last
// few events.
func (w *world) failover() {
	s := &w.server
	if n := len(s.copies); n > 0 && w.rng.IntN(2) == 0 {
		k := w.rng.IntN(n)
		w.log("the server goes back to copy %d, with %d elements", k, len(s.copies[k].stream))
		w.goBack(s.copies[k])
		s.copies = s.copies[:k+1]
	} else {
		c := w.copy()
		n := min(w.rng.IntN(6), len(c.stream))
		for _, e := range c.stream[len(c.stream)-n:] {
			k := slices.IndexFunc(w.published, func(p *published) bool { return p.id == e.ID })
			if k >= 0 {
				c.published = min(c.published, k)
			}
		}
		if c.stream = c.stream[:len(c.stream)-n]; len(c.stream) > 0 {
			c.given = c.stream[len(c.stream)-1].ID
		}
		w.log("a replica that has not got %d elements takes over", n)
		w.goBack(c)
		s.copies = nil
	}
	if w.connected {
		w.disconnect()
	}
}

func (w *world) connect() {
	w.log("the edge connects")
	w.connected, w.exactly = true, true
	w.arriving = []arrival{{subscribed: true}}
	for _, text := range w.late {
		if w.rng.IntN(2) == 0 {
			w.arriving = append(w.arriving, arrival{text: text})
		}
	}
	w.late = nil
}

func (w *world) disconnect() {
	w.log("the connection is lost")
	w.connected, w.exactly = false, false
	for _, a := range w.arriving {
		if w.losing && !a.subscribed {
			w.late = append(w.late, a.text)
		}
	}
	w.arriving = nil
	w.machine().Away()
	w.see()
}

// send sends a message through the channel.
func (w *world) send(text string) {
	if !w.connected {
		return
	}
	if w.losing {
		switch w.rng.IntN(30) {
		case 0:
			w.log("%q is lost", text)
			w.exactly = false
			return
		case 1:
			w.arriving = append(w.arriving, arrival{text: text})
		case 2:
			w.late = append(w.late, text)
		}
	}
	w.arriving = append(w.arriving, arrival{text: text})
}

// work is one thing that the edge does.
func (w *world) work() {
	switch w.rng.IntN(6) {
	case 0, 1:
		for range 1 + w.rng.IntN(w.flood) {
			w.arrive()
		}
	case 2:
		w.ask()
	case 3:
		w.execute()
	case 4:
		w.answer()
	case 5:
		w.wake()
		if len(w.acks) > 0 {
			w.acks[0]()
			w.acks = w.acks[1:]
		}
	}
	w.see()
}

func (w *world) arrive() {
	if len(w.arriving) == 0 {
		return
	}
	a := w.arriving[0]
	w.arriving = w.arriving[1:]
	if a.subscribed {
		w.log("the channel is subscribed")
		w.machine().Subscribed()
		return
	}
	w.log("%q comes", a.text)
	if w.state != Away {
		w.viewer.expect(a.text)
		var seq int
		if _, data, _ := strings.Cut(a.text, "\n"); strings.HasPrefix(data, "event ") {
			fmt.Sscanf(data, "event %d", &seq)
			w.published[seq].arrived = true
		}
		w.machine().Receive(a.text)
	}
}

// ask asks for what the feed wants to have read.
func (w *world) ask() {
	if w.queued == 0 {
		return
	}
	w.queued--
	r, ok := w.machine().Next()
	if !ok {
		return
	}
	if w.rng.IntN(3) == 0 { // long streams are read in parts
		r.Count = min(r.Count, 1+w.rng.IntN(4))
		if r.What == ReadOlder { // one of them is only looked at
			r.Count++
		}
	}
	w.log("asks for %v from %s to %s", r.What, r.First, r.Last)
	w.readings = append(w.readings, &simReading{request: r})
}

// execute has a reading executed: they are, in their order.
func (w *world) execute() {
	for _, r := range w.readings {
		if r.executed {
			continue
		}
		from := w.server.stream
		if w.lagging && w.rng.IntN(4) == 0 {
			from, r.behind = w.server.behind, true
			w.tally.lags++
		}
		r.events, r.executed, r.at = from.rangeOf(&r.request), true, w.happened
		return
	}
}

func (w *world) answer() {
	if len(w.readings) == 0 || !w.readings[0].executed {
		return
	}
	r := w.readings[0]
	w.readings = w.readings[1:]
	if w.rng.IntN(20) == 0 {
		w.log("a reading fails")
		w.machine().Failed()
		return
	}
	w.log("%d elements are read, behind: %t", len(r.events), r.behind)
	w.exactly = w.exactly && !r.behind
	_, _, placed := w.topic.Span()
	w.machine().Take(r.request, r.events)
	if _, _, now := w.topic.Span(); now && !placed {
		from := r.at
		if r.behind {
			from = w.happened
		}
		w.viewer = newViewer(w, from)
	}
}

// wake wakes the feed if it is time.
func (w *world) wake() {
	for _, why := range w.alarms {
		w.timers = append(w.timers, simAlarm{w.seconds + 10, why})
	}
	w.alarms = nil
	if len(w.timers) > 0 && w.timers[0].at <= w.seconds {
		why := w.timers[0].why
		w.timers = w.timers[1:]
		w.log("wakes")
		w.machine().Wake(why)
	}
}

// rest lets the edge work until nothing is left to do.
func (w *world) rest() {
	for n := 0; ; n++ {
		if n > 50_000 {
			w.fail("the feed does not come to rest: it is %v, %+v", w.state, w.inquiry)
		}
		w.work()
		due := len(w.alarms) > 0 || len(w.timers) > 0 && w.timers[0].at <= w.seconds
		if len(w.arriving)+len(w.readings)+len(w.acks)+w.queued == 0 && !due {
			return
		}
	}
}

// finish lets the feed find out everything, and its clients be told.
func (w *world) finish() {
	w.lagging, w.losing = false, false
	if !w.connected || !w.exactly && w.rng.IntN(2) == 0 {
		if w.connected {
			w.disconnect()
		}
		w.connect()
	}
	w.rest()
	w.judgeRest()
	w.happened++
	w.publish() // what was lost on the way is noticed with the next event
	for range 3 {
		w.rest()
		w.pass(12_000)
	}
	w.rest()
	if !w.Settled() || w.queued > 0 {
		w.fail("in the end the feed is %v, %+v", w.state, w.inquiry)
	}
	w.viewer.judge()
	for _, c := range w.clients {
		c.finish()
	}
	w.tally.counts, w.tally.causes = w.counts, w.causes
}
