package feed

import (
	"math/rand/v2"
	"slices"
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

func newWorld(t testing.TB, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 7))
	retention := log.Retention{}
	theme := rng.IntN(4) // 0: a history is rewritten that is known whole; 1: there are odd things
	if theme > 0 && rng.IntN(2) == 0 {
		retention = log.Retention{Events: 3 + rng.IntN(30), Window: log.SendWindow}
	}
	w := &world{
		rig: newRig(t, retention), t: t, seed: seed, rng: rng, wall: rigBegan,
		rewriting: theme == 0, odd: theme == 1, keeping: theme == 0, losing: rng.IntN(2) == 0,
		flood: 1,
	}
	if theme > 1 {
		w.rewriting, w.deleting, w.odd = rng.IntN(3) == 0, rng.IntN(3) == 0, rng.IntN(4) == 0
		w.lagging = !w.deleting && rng.IntN(3) == 0 // to be behind looks like a deleted stream
	}
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
	case k < 47 && w.odd:
		w.addBad()
	case k < 49 && w.odd:
		w.remove()
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
	case k < 86:
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
	case k < 95 && w.deleting:
		w.log("the stream is deleted")
		w.goBack(copied{})
		w.server.copies, w.exactly = nil, false
		for range w.rng.IntN(4) {
			w.publish()
		}
	case k < 96 && w.deleting:
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
