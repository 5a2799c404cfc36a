package feed

import "slices"

// straight reports whether there is one history, for all that servers answer.
func (w *world) straight() bool { return !w.rewriting && !w.deleting && !w.behind }

// judgeRest judges a feed that has nothing left to do.
func (w *world) judgeRest() {
	if !w.connected || w.viewer == nil {
		return
	}
	if !w.Settled() {
		w.fail("the feed has nothing to do, and is %v: %+v", w.state, w.inquiry)
	}
	if w.exactly { // everything came or was read: nothing is left for a later event to show
		w.tally.exact++
	}
	w.viewer.judgeEvents(func(p *published) bool {
		return !p.forgotten && !p.bad && (w.exactly || p.arrived && !w.behind)
	})
}

// judge judges what a viewer was sent and told in the end.
func (v *viewer) judge() {
	w := v.w
	// That a stream was deleted is told, as long as it cannot have expired and the log ends with an
	// event, not with a time. How far the stream went is not known.
	noticed := w.deleting && !w.rewriting && !w.jumped && w.counts[Reset] == 0
	v.judgeEvents(func(p *published) bool {
		later := func(g told) bool { return g.at >= p.at }
		before := func(p *published) bool { return v.came[p.seq] } // otherwise the log had a time
		return !p.forgotten || p.awaited || noticed && !slices.ContainsFunc(v.gaps, later) &&
			slices.ContainsFunc(w.published[:p.seq], before)
	})
	if v.number > 0 {
		return
	}
	v.judgeRaws()
	if w.straight() {
		v.judgeBounds()
	}
	switch {
	case w.odd || w.behind || w.deleting:
	case w.straight():
		v.judgeGaps(func(*published) bool { return true })
		if n := w.counts[Phantom]; n > 0 && !w.losing {
			w.fail("%d messages are counted as phantoms, and each has its event", n)
		}
	case w.keeping && !w.parted:
		v.judgeGaps(func(p *published) bool { return p.at > v.from || p.acked })
	}
}

// judgeEvents fails if an event that is to be known did not come and was not told. What the server
// has forgotten before the feed had it cannot be told, unless it was published through the feed's
// edge; then it is told in the end.
func (v *viewer) judgeEvents(known func(*published) bool) {
	for _, p := range v.w.published {
		own := p.at > v.from
		if v.number > 0 {
			own = v.after.Precedes(p.id)
		}
		if own && known(p) && !v.came[p.seq] && !v.isTold(p) {
			v.w.fail("event %d, %v, did not come to viewer %d, which was not told: %+v",
				p.seq, p.id, v.number, *p)
		}
	}
}

// isTold reports whether a gap holds an event. One that begins with an id of a history that was
// deleted may lie above what it is told of, if a clock was set back.
func (v *viewer) isTold(p *published) bool {
	return slices.ContainsFunc(v.gaps, func(g told) bool {
		above := g.at >= p.at && g.from != nil && p.id.Less(*g.from)
		return v.w.deleting && v.w.rewriting && above || g.holds(p)
	})
}

// judgeRaws fails if a raw message came to the feed, and neither it nor a gap to the viewer.
func (v *viewer) judgeRaws() {
	for _, r := range v.raws {
		later := func(g told) bool { return g.at >= r.at && g.to == nil }
		if !r.came && !slices.ContainsFunc(v.gaps, later) {
			v.w.fail("%q did not come, and was not told", r.text)
		}
	}
}

// judgeBounds fails if a gap begins nowhere though it is known where: that the stream still had
// what was the log's newest event shows that it is the same. A gap over an event that the log
// awaited begins nowhere.
func (v *viewer) judgeBounds() {
	for _, g := range v.gaps {
		lost := func(p *published) bool { return p.acked && !v.came[p.seq] && g.holds(p) }
		if g.from == nil && g.to != nil && g.there && !slices.ContainsFunc(v.w.published, lost) {
			v.w.fail("the gap %v begins nowhere, and the event before it is in the stream", g)
		}
	}
}

// judgeGaps fails if a gap has no event that is missing, or, in a straight world, one that came
// behind its beginning. missing says whether an event that did not come counts.
func (v *viewer) judgeGaps(missing func(*published) bool) {
	for _, g := range v.gaps {
		v.w.tally.judged++
		some := false
		for _, p := range v.w.published {
			switch {
			case !g.holds(p):
			case !v.came[p.seq]:
				some = some || missing(p)
			case g.from != nil && v.w.straight():
				v.w.fail("the gap %v holds event %d, %v, which came", g, p.seq, p.id)
			}
		}
		if !some {
			v.w.fail("the gap %v was told though nothing is missing", g)
		}
	}
}

// finish judges a client in the end.
func (c *viewer) finish() {
	if !c.placed {
		c.w.fail("client %d was not answered", c.number)
	}
	if c.asked > 0 {
		c.w.tally.older++
	}
	if c.w.straight() {
		c.judge()
	}
}
