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
		w.viewer.judgeEvents(false)
	}
}

// judge judges what a viewer was sent and told in the end.
func (v *viewer) judge() {
	v.judgeEvents(true)
	if v.number == 0 {
		v.judgeRaws()
		if v.w.straight() && !v.w.odd {
			v.judgeGaps()
		}
	}
}

// judgeEvents fails if an event did not come and was not told. What the server has forgotten before
// the feed had it cannot be told, unless it was published through the feed's edge; then it is told in
// the end.
func (v *viewer) judgeEvents(end bool) {
	for _, p := range v.w.published {
		own := p.at > v.from
		if v.number > 0 {
			own = v.after.Precedes(p.id)
		}
		if !own || v.came[p.seq] || p.forgotten && (!p.awaited || !end) || v.isTold(p) {
			continue
		}
		v.w.fail("event %d, %v, did not come to viewer %d, which was not told: %+v", p.seq, p.id, v.number, *p)
	}
}

func (v *viewer) isTold(p *published) bool {
	return slices.ContainsFunc(v.gaps, func(g told) bool { return g.holds(p) })
}

// judgeRaws fails if a raw message came to the feed, and neither it nor a gap to the viewer.
func (v *viewer) judgeRaws() {
	for _, r := range v.raws {
		if !r.came && !slices.ContainsFunc(v.gaps, func(g told) bool { return g.at >= r.at && g.to == nil }) {
			v.w.fail("%q did not come, and was not told", r.text)
		}
	}
}

// judgeGaps fails if a gap has no event that did not come, or has one that did. A gap that begins
// nowhere has some that came: it is told if an event was lost that the log awaited, or if nothing
// shows that the stream is the same.
func (v *viewer) judgeGaps() {
	for _, g := range v.gaps {
		v.w.tally.judged++
		missing := false
		for _, p := range v.w.published {
			switch {
			case !g.holds(p):
			case !v.came[p.seq]:
				missing = missing || g.from != nil || !g.there || p.acked
			case g.from != nil:
				v.w.fail("the gap %v holds event %d, %v, which came", g, p.seq, p.id)
			}
		}
		if !missing {
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
