package redis

import (
	"slices"
)

// judge compares what a viewer was sent and told with what was acknowledged. Each event after the
// viewer's beginning came once, or lies in a gap that was told after the event was published.
func (w *world) judge(v *viewer) {
	for _, topic := range v.topics {
		if !v.begun {
			v.fail("it was never given an id")
		}
		came := map[int]bool{}
		for _, d := range v.got[topic] {
			came[d.seq] = true
		}
		for _, p := range w.published[topic] {
			if p.at <= v.first[topic].to || came[p.seq] || v.wasTold(topic, p) {
				continue
			}
			if w.cannotBeTold(v, p) {
				w.exempt++
				continue
			}
			v.fail("event %d of %s (%v) did not come, and no gap was told", p.seq, topic, p.id)
		}
		if w.rewrites == 0 && !w.odd[topic] && len(v.blind[topic]) == 0 && w.fits(topic) {
			v.judgeGaps(topic)
		}
	}
}

func (v *viewer) wasTold(topic string, p *published) bool {
	for _, g := range v.gaps[topic] {
		if g.at >= p.at && g.holds(p) {
			return true
		}
	}
	return false
}

// judgeGaps fails if a gap was told though the viewer has all that was published in its range since
// it came first, and nothing in it was lost to the edge through which it was published. That is
// judged only where the history was never rewritten, nothing but events was in it, an edge may read
// all of it, and each edge that gave the viewer a place had heard the server: DESIGN.md has the
// false alarms that there are otherwise.
func (v *viewer) judgeGaps(topic string) {
	came := map[int]bool{}
	for _, d := range v.got[topic] {
		came[d.seq] = true
	}
	for _, g := range v.gaps[topic] {
		if !slices.ContainsFunc(v.w.published[topic], func(p *published) bool {
			return (!came[p.seq] || p.unheard && g.from == nil) && p.at <= g.at && g.holds(p)
		}) {
			v.fail("a gap in %s was told though nothing is missing: %+v", topic, g)
		}
	}
}

// fits reports whether an edge may read all of a topic's history to compare it with its log.
func (w *world) fits(topic string) bool {
	size := int64(0)
	for _, p := range w.published[topic] {
		size += 32 + int64(len(payload(topic, p.seq))) // as feeds count it
	}
	return size <= w.historyBytes
}

func (g *told) holds(p *published) bool {
	return (g.from == nil || g.from.Less(p.id)) && (g.to == nil || !g.to.Less(p.id))
}

// cannotBeTold reports whether no edge that the viewer came to could know of an event:
//
//   - the server has forgotten it, and it had not reached any edge that the viewer visited since,
//     or it was published through one that still awaited it when the viewer left, or had told the
//     gap behind what the viewer read;
//   - a clock went back while an edge that heard nothing gave the viewer a time in place of an id;
//   - a gap was told from an id of a deleted history; the clock went back then, and the event is no
//     longer at the server either.
func (w *world) cannotBeTold(v *viewer, p *published) bool {
	for _, b := range v.blind[p.topic] {
		if p.at > b.at && !b.id.Less(p.id) {
			return true
		}
	}
	for _, g := range v.gaps[p.topic] {
		if g.at >= p.at && w.rewrites > 0 && g.from != nil && !g.from.Less(p.id) {
			return true
		}
	}
	for n, at := range v.visits {
		later := slices.ContainsFunc(v.got[p.topic], func(d delivery) bool {
			return d.visit == n+1 && d.seq > p.seq
		})
		if at.to >= 0 && !later || at.life != at.edge.life {
			continue // it left before it had read that far
		}
		if seq, ok := at.seq[p.topic]; ok && seq > p.seq {
			continue // what it came with says that it was past that
		}
		if at.unread || slices.Contains(at.awaited, p.id) {
			continue // the edge had not read to the stream's end since it was published
		}
		if known, ok := at.edge.known[p.topic][p.seq]; ok && (at.to < 0 || known < at.to) {
			return false
		}
	}
	return p.forgotten
}
