package log

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ssedge/proto/eventid"
)

// modelled is a log that is rewritten in all ways, beside a list of what happened: for each client
// that has seen all of it up to some time, each later event must come or lie in the gap that it is
// told.
type modelled struct {
	t         *testing.T
	l         *Log
	retention Retention
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
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		m := &modelled{t: t, l: placedAfter(eventid.Before(eventid.At(100))),
			retention: Retention{Events: 1 + rng.IntN(8)}, rng: rng, used: map[eventid.ID]bool{},
			next: 101, history: fmt.Sprint("seed ", seed, ":")}
		if rng.IntN(2) == 0 {
			m.l, m.used[id(100)] = placedAfter(id(100)), true
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
	at := m.l.NewestID()
	if m.l.events > 0 {
		at = m.l.HeadID()
	}
	m.clients = append(m.clients, modelClient{m.l.head, eventid.PositionOf(at), len(m.things)})
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
	l, rng := m.l, m.rng
	add := func(id eventid.ID, lost bool, what string) {
		m.things = append(m.things, thing{id, l.head, lost})
		m.history += fmt.Sprint(" ", what, " ", id.MS)
	}
	switch k := rng.IntN(12); {
	case k < 6:
		m.next += uint64(rng.IntN(3))
		e := m.fresh()
		add(e, false, "add")
		l.Append(eventBody(e.MS), e)
	case k == 6 && l.events > 0:
		g, first := l.segments[0], l.first
		to := g.index[first+rng.IntN(len(g.index)-first)].id
		if to.IsBound() || to.Seq != 0 {
			return false
		}
		m.history += fmt.Sprint(" fork ", to.MS)
		l.Fork(to)
		m.next, m.rewritten = to.MS+1, true
		return false
	case k == 7:
		e := id(60 + uint64(rng.IntN(150)))
		if m.used[e] {
			return false
		}
		m.used[e], m.rewritten = true, true
		add(e, true, "lose")
		l.Lose("a", e, false)
	case k == 8:
		from, e := l.NewestID(), m.fresh()
		if !from.Less(e) {
			return false
		}
		add(e, true, "skip to")
		l.Skip("a", from, e)
	case k == 9 && rng.IntN(2) == 0:
		m.next, m.rewritten = 60+uint64(rng.IntN(150)), true
		e := m.fresh()
		add(e, true, "skip all to")
		l.Skip("a", eventid.ID{}, e)
	case k == 10 && rng.IntN(3) == 0:
		m.history += " empty"
		l.Clear()
		return false
	case k == 11:
		m.history += " raw"
		l.AppendRaw([]byte("data: raw\n"))
	default:
		return false
	}
	m.next++
	l.Trim(&m.retention, m.next, m.next)
	return true
}

// holds reports whether the gap that is told at a place holds an event, as appendGap writes it.
func (p *Place) holds(id eventid.ID) bool {
	from, to := eventid.Before(p.From), eventid.Before(p.To)
	switch {
	case p.Cause == GapNone:
		return false
	case p.Known && !to.IsZero() && !from.Less(to):
		return from == to || !to.Less(id)
	case p.Known && !from.Less(id):
		return false
	}
	return to.IsZero() || !to.Less(id)
}

// resumes has a client come back with its id.
func (m *modelled) resumes(c modelClient) {
	for _, latest := range []bool{false, true} {
		seen := m.l.Resumable(&m.retention, m.next)
		p := seen.Resume(c.at, m.next)
		if latest {
			var s Snapshot
			s.Take(m.l)
			s.SkipResumed(&p)
		}
		lacks := false
		for n, x := range m.things {
			has, comes := n < c.seen, x.start >= p.Cursor
			lacks = lacks || !has && !comes
			if !has && !comes && !p.holds(x.id) {
				m.fail(c, p, "%v does not come", x.id)
			}
			if has && comes && !x.lost && p.Cause == GapNone {
				m.fail(c, p, "%v comes twice", x.id)
			}
		}
		if !m.rewritten && p.Cause != GapNone && !lacks && !latest {
			m.fail(c, p, "nothing is missing")
		}
	}
}

// falls has a stream that took nothing since then be overrun, or conflated.
func (m *modelled) falls(c modelClient) {
	for _, latest := range []bool{false, true} {
		var s Snapshot
		s.Take(m.l)
		p := Place{Cursor: c.head}
		switch {
		case c.head < s.Tail:
			if p = s.Overrun(c.head, c.at); latest {
				s.SkipToNewest(&p)
			}
		case latest && c.head < s.Head:
			p, _ = s.Conflate(c.head, c.at)
		}
		for n, x := range m.things {
			if n >= c.seen && x.start < p.Cursor && !p.holds(x.id) {
				m.fail(c, p, "%v does not come to a stream that was slow", x.id)
			}
		}
	}
}

func (m *modelled) fail(c modelClient, p Place, format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\na client at %v, which has seen %d things: %s; it is told %v from %v (%t) to %v",
		m.history, c.at, c.seen, fmt.Sprintf(format, args...), p.Cause, p.From, p.Known, p.To)
}
