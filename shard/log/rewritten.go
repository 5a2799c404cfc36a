package log

import "ssedge/proto/eventid"

// An upstream may rewrite a topic's history: a server without the newest events takes over, an
// older copy is restored, a clock goes back. The log keeps what it has, and every stream that lacks
// those events gets them. The ids that follow may be lower than those before. rewritten records
// what a log must know of that. While the events are not in the order of their ids, ids are
// searched one by one, and a gap's range is wide enough for what is missing on either side. Most
// logs have no rewritten.
type rewritten struct {
	// position behind which ids may be below earlier ones; the newest, if there are several
	falls uint64
	fell  uint64     // the first such position
	runs  []uint64   // those behind the tail: from one to the next, ids stand in their order
	low   eventid.ID // the lowest id behind such a position …
	high  eventid.ID // … and the highest before one: an id between them may be of either side
	// position behind which the upstream's stream began anew, and nothing is missing; the newest,
	// if there are several …
	anew   uint64
	erased bool // … and whether an earlier one had not gone by its age
	// position: before it, events were let go that do not lie before the log's place
	displaced uint64
	losses    []loss
	unsure    unsure
	gone      eventid.ID // the highest id of an event that is not retained
	// id of a gap that is not retained, behind which the upstream's stream began anew; zero: there
	// was none
	began eventid.ID
}

// rewrite is called when the log may be rewritten from here on.
func (l *Log) rewrite() *rewritten {
	if l.rewritten == nil {
		l.rewritten = &rewritten{gone: l.Gone()}
	}
	return l.rewritten
}

// Gone is the highest id of the events that are not retained or lie before the log's place; zero if
// there are none.
func (l *Log) Gone() eventid.ID {
	switch {
	case l.rewritten != nil:
		return l.rewritten.gone
	case l.lost.IsBound():
		return eventid.ID{}
	}
	return l.lost
}

// MayNeverHaveHad reports whether an event that is not in the log may never have been in it, unless
// its id is of a clock that went back.
func (l *Log) MayNeverHaveHad(id eventid.ID) bool {
	switch r := l.rewritten; {
	case r == nil:
		return l.Gone().Less(id)
	case r.falls < l.tail && !l.lost.IsBound():
		// since then ids have risen, and the last that was let go is of that time
		return l.lost.Less(id)
	}
	return true
}

// noteAppended notes that an event with that id is about to be put at the head.
func (l *Log) noteAppended(id eventid.ID) {
	before := l.lost
	if l.events > 0 {
		before = l.HeadID()
	}
	if id.Less(before) {
		l.fall(before, id)
	}
}

// Fork notes that what follows at the head follows the event with that id: the upstream has
// forgotten those after it. They stay in the log, and every stream that lacks them gets them.
func (l *Log) Fork(id eventid.ID) {
	l.fall(l.HeadID(), eventid.ID{MS: id.MS, Seq: id.Seq + 1})
	if r := l.rewritten; id.IsZero() {
		if r.unsure.to.IsZero() {
			r.unsure.at = l.head
		}
		r.unsure.to = r.high
	}
	for i := range l.rewritten.losses { // what follows may be older than what was lost before
		l.rewritten.losses[i].open = true
	}
	l.last = id
}

// BeginAnew notes that the upstream's stream began anew at the head, behind id, which is a time.
func (l *Log) BeginAnew(id eventid.ID, erased bool) {
	l.Fork(id)
	l.rewritten.anew = l.head
	l.rewritten.erased = l.rewritten.erased || erased
}

// fall notes that at the head, behind ids of up to before, there follow ids that may be as low as
// low.
func (l *Log) fall(before, low eventid.ID) {
	r := l.rewrite()
	if r.falls == 0 || low.Less(r.low) {
		r.low = low
	}
	if r.high.IsZero() {
		r.fell = l.head
	}
	r.falls, r.high = l.head, eventid.Max(r.high, before)
	for len(r.runs) > 0 && r.runs[0] <= l.tail {
		r.runs = r.runs[1:]
	}
	if n := len(r.runs); n == 0 || r.runs[n-1] != l.head {
		r.runs = append(r.runs, l.head)
	}
}

// noteDropped notes that an event is about to be dropped.
func (l *Log) noteDropped(id eventid.ID) {
	if id.IsBound() && id != l.lost {
		l.rewrite().began = id
	} else if l.rewritten != nil && !id.IsBound() {
		l.rewritten.gone = eventid.Max(l.rewritten.gone, id)
	}
}

// prepended notes that the log, which has let nothing go, has all events after lost.
func (r *rewritten) prepended(lost eventid.ID) {
	r.gone = eventid.ID{}
	if !lost.IsBound() {
		r.gone = lost
	}
	for _, x := range r.losses {
		r.gone = eventid.Max(r.gone, x.id)
	}
}

// widen makes the range of a gap hold what is missing though the history was rewritten.
func (r *rewritten) widen(p *Place) {
	if r == nil || r.falls == 0 {
		return
	}
	if from := eventid.Before(p.From); !from.Less(r.low) && !r.high.Less(from) {
		p.Known = false
	}
	p.To = eventid.PositionOf(eventid.Max(eventid.Before(p.To), r.gone))
}

// widenSkipped does so for a gap that begins at cursor, over events that may still be in the log.
func (r *rewritten) widenSkipped(p *Place, cursor uint64) {
	if cursor > r.falls {
		return
	}
	r.widen(p)
	p.To = eventid.PositionOf(eventid.Max(eventid.Before(p.To), r.high))
}

// follows reports whether the log is all that came behind its place.
func (l *Log) follows() bool {
	return l.rewritten == nil || l.rewritten.displaced != l.tail || l.tail == 0
}

// beganAnew returns the last place where the upstream's stream began anew behind events that are
// all older than a time at which it was empty; false if there is none. Once ids have fallen, times
// mean nothing behind such a place. erased says that an earlier stream did not go by its age: a
// clock may have gone back since that time, so that those events, or some of them, came later.
func (l *Log) beganAnew(empty eventid.ID) (cursor uint64, erased, ok bool) {
	anew := uint64(0)
	before := eventid.Max(l.Gone(), l.lost) // the highest id of an event until here …
	if l.rewritten != nil {
		anew, erased = l.rewritten.anew, l.rewritten.erased
		if l.rewritten.fell <= l.tail {
			before = eventid.Max(before, l.rewritten.high) // … or of a time above those
		}
	}
	gap := false // the event before is a gap up to a time: what was before it was erased
	for at, e := range l.retained() {
		if (at == anew && at > l.tail || gap) && before.Less(empty) {
			cursor, erased, ok = at, erased || gap, true
		}
		gap = e.id.IsBound() && e.id != l.lost
		switch {
		case e.id.IsBound():
		case ok && e.id.Less(before):
			return cursor, erased, true
		default:
			before = eventid.Max(before, e.id)
		}
	}
	if gap && before.Less(empty) {
		return l.head, true, true
	}
	return cursor, erased, ok
}

// beginsBelow reports whether there is nothing before the log and its first event's id is not above
// id: the clock that gave the log its place has gone back.
func (l *Log) beginsBelow(id eventid.ID) bool {
	if !l.lost.IsBound() {
		return false
	}
	for _, e := range l.retained() {
		if e.id != l.lost {
			return !id.Less(e.id)
		}
	}
	return false
}

// firstAfter is where the first event begins that lies after p, in a log that is not sorted.
func (l *Log) firstAfter(p eventid.Position) (cursor uint64) {
	for at, e := range l.retained() {
		if p.Precedes(e.id) {
			return at
		}
	}
	return l.head
}

// beginning is the place behind the events without an id at the tail of the log, which have the
// position at which the log begins.
func (l *Log) beginning() uint64 {
	for at, e := range l.retained() {
		if e.id != l.lost {
			return at
		}
	}
	return l.head
}

// Rewriting is how far a log's history was rewritten when a stream last looked. The zero value is:
// not at all.
type Rewriting struct {
	falls uint64
	began eventid.ID
}

// RewrittenSince returns the gap that a stream at a position must be told if the history was
// rewritten since it looked, and notes that it has looked. false: there is none.
func (l *Log) RewrittenSince(looked *Rewriting, at eventid.Position) (gap Place, ok bool) {
	var r rewritten
	if l.rewritten != nil {
		r = *l.rewritten
	}
	to := eventid.ID{}
	if r.falls != looked.falls {
		to = r.high
	}
	if r.began != looked.began {
		to = eventid.Max(to, r.began)
	}
	*looked = Rewriting{r.falls, r.began}
	if to.IsZero() || !at.Time && !eventid.Before(at).Less(to) {
		// clocks may have gone back since a time
		return gap, false
	}
	known := !at.Time && (r.falls == 0 || eventid.Before(at).Less(r.low))
	return Place{From: at, Known: known, To: eventid.PositionOf(to), Cause: GapMissed}, true
}
