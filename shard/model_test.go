package shard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ssedge/proto/eventid"
)

// modelled is a log that is rewritten in all ways, beside a list of what happened: for each client that has seen all of it up to
// some time, each later event must come or lie in the gap that it is told.
type modelled struct {
	t         *testing.T
	r         *rig
	feed      *fakeFeed
	rng       *rand.Rand
	things    []thing
	clients   []modelClient
	used      map[eventid.ID]bool // of two events with one id nothing can be told
	next      uint64
	rewritten bool
	history   string
}

// thing is an event, or one that is lost.
type thing struct {
	id    eventid.ID
	start uint64 // position of it, or of the gap over it
	lost  bool
}

type modelClient struct {
	head uint64           // of the log, when it left
	at   eventid.Position // with which it comes back
	seen int              // things
}

// TestRewrittenLogsAgainstAModel tries resumes, overruns and policy latest.
func TestRewrittenLogsAgainstAModel(t *testing.T) {
	oneGoroutine(t)
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		r, u := fed(t, patient(), TableConfig{Retention: Retention{Events: 1 + rng.IntN(8)}})
		if _, err := r.table.Acquire([]byte("a")); err != nil {
			t.Fatal(err)
		}
		m := &modelled{t: t, r: r, feed: u.feeds["a"], rng: rng, used: map[eventid.ID]bool{}, next: 101, history: fmt.Sprint("seed ", seed, ":")}
		if rng.IntN(2) == 0 {
			m.feed.Place(eventid.At(100), eventid.ID{})
		} else {
			m.feed.Place(eventid.After(id(100)), id(50))
			m.used[id(100)] = true
		}
		m.leave()
		for range 4 + rng.IntN(16) {
			if told := m.happen(); told {
				m.leave()
			}
			for _, c := range m.clients {
				m.resumes(c)
				m.falls(c)
			}
		}
	}
}

// leave has a client leave that has seen everything.
func (m *modelled) leave() {
	at := m.feed.log.newestID()
	if m.feed.log.events > 0 {
		at = m.feed.log.headID()
	}
	m.clients = append(m.clients, modelClient{m.feed.log.head, eventid.PositionOf(at), len(m.things)})
}

func (m *modelled) fresh() eventid.ID {
	for m.used[id(m.next)] {
		m.next++
	}
	m.used[id(m.next)] = true
	return id(m.next)
}

// happen is one thing that happens to the log. It reports whether streams are told of it.
func (m *modelled) happen() (told bool) {
	l, rng := &m.feed.log, m.rng
	add := func(id eventid.ID, lost bool, what string) {
		m.things = append(m.things, thing{id, l.head, lost})
		m.history += fmt.Sprint(" ", what, " ", id.MS)
	}
	switch k := rng.IntN(12); {
	case k < 6:
		m.next += uint64(rng.IntN(3))
		e := m.fresh()
		add(e, false, "add")
		m.feed.add(e.MS)
	case k == 6 && l.events > 0:
		g, first := l.segments[0], l.first
		to := g.index[first+rng.IntN(len(g.index)-first)].id
		if to.IsBound() || to.Seq != 0 {
			return false
		}
		m.history += fmt.Sprint(" fork ", to.MS)
		m.feed.Fork(to)
		m.next, m.rewritten = to.MS+1, true
		return false
	case k == 7:
		e := id(60 + uint64(rng.IntN(150)))
		if m.used[e] {
			return false
		}
		m.used[e], m.rewritten = true, true
		add(e, true, "lose")
		m.feed.Lose(e, false)
	case k == 8:
		from, e := l.newestID(), m.fresh()
		if !from.Less(e) {
			return false
		}
		add(e, true, "skip to")
		m.feed.Skip(from, e)
	case k == 9 && rng.IntN(2) == 0:
		m.next, m.rewritten = 60+uint64(rng.IntN(150)), true
		e := m.fresh()
		add(e, true, "skip all to")
		m.feed.Skip(eventid.ID{}, e)
	case k == 10 && rng.IntN(3) == 0:
		m.history += " empty"
		m.r.table.empty(m.feed.Topic)
		return false
	case k == 11:
		m.history += " raw"
		m.feed.AppendRaw([]byte("data: raw\n"))
	default:
		return false
	}
	m.next++
	return true
}

// holds reports whether the gap that is told at a place holds an event, as appendGap writes it.
func (p *place) holds(id eventid.ID) bool {
	from, to := eventid.Before(p.from), eventid.Before(p.to)
	switch {
	case p.cause == gapNone:
		return false
	case p.known && !to.IsZero() && !from.Less(to):
		return from == to || !to.Less(id)
	case p.known && !from.Less(id):
		return false
	}
	return to.IsZero() || !to.Less(id)
}

// resumes has a client come back with its id.
func (m *modelled) resumes(c modelClient) {
	for _, policy := range []Policy{PolicyGap, PolicyLatest} {
		s := m.r.shards[0]
		s.config.Policy = func(string) Policy { return policy }
		p := s.placeOf(&Join{Resume: ResumeAt}, m.feed.Topic, c.at)
		lacks := false
		for n, x := range m.things {
			has, comes := n < c.seen, x.start >= p.cursor
			lacks = lacks || !has && !comes
			if !has && !comes && !p.holds(x.id) {
				m.fail(c, p, "%v does not come", x.id)
			}
			if has && comes && !x.lost && p.cause == gapNone {
				m.fail(c, p, "%v comes twice", x.id)
			}
		}
		if !m.rewritten && p.cause != gapNone && !lacks && policy == PolicyGap {
			m.fail(c, p, "nothing is missing")
		}
	}
}

// falls has a stream that took nothing since then be overrun, or conflated.
func (m *modelled) falls(c modelClient) {
	for _, policy := range []Policy{PolicyGap, PolicyLatest} {
		s := m.r.shards[0]
		m.feed.snapshot(&s.snap)
		p := place{cursor: c.head, at: c.at, cause: GapConflated, from: c.at, known: true}
		switch {
		case c.head < s.snap.tail:
			p = s.overrunPlace(c.head, c.at, &state{topic: m.feed.Topic, policy: policy})
		case policy == PolicyLatest && c.head < s.snap.head:
			s.skipToNewest(&p)
		}
		for n, x := range m.things {
			if n >= c.seen && x.start < p.cursor && !p.holds(x.id) {
				m.fail(c, p, "%v does not come to a stream that was slow", x.id)
			}
		}
	}
}

func (m *modelled) fail(c modelClient, p place, format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\na client at %v, which has seen %d things: %s; it is told %v from %v (%t) to %v", m.history, c.at, c.seen, fmt.Sprintf(format, args...), p.cause, p.from, p.known, p.to)
}
