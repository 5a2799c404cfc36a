package log

import "ssedge/proto/eventid"

// In a rewritten history, an id that is found in the log does not always prove that its client has,
// or was told of, all that is before it. There are two cases: a lost event, and a history of which
// nothing was known. A client that comes back with such an id is told a gap.
//
// An event is lost if the upstream acknowledged it to its publisher, and forgot it before it came
// to the log. The gap over it stands where the log ended then. It has no id of its own, because the
// lost event may be of a history that went on elsewhere.

// loss is a gap over events that never came to the log.
type loss struct {
	from uint64 // the first place behind the gap
	// up to this place, what follows was read, and may be older than the lost events; 0: nothing
	// was …
	until  uint64
	open   bool       // … or it is still being read
	id     eventid.ID // the highest of the lost ids
	before eventid.ID // of the event before the gap; the gap has the same id
}

// unsure says that the upstream went on with a history of which nothing is known: a client with an
// id of it may lack what the log had before.
type unsure struct {
	at uint64     // position; the first, if there are several
	to eventid.ID // the highest id before
}

// Lose adds a gap of that topic over an event with that id, which the upstream has forgotten and
// which never came. The gap has no id of its own: each stream that reaches it is told. reading says
// that what follows, until CaughtUp, may be older than the event.
func (l *Log) Lose(topic string, id eventid.ID, reading bool) (grown int64) {
	l.lose(id, reading)
	gap := Place{To: eventid.PositionOf(id), Cause: GapMissed}
	return l.appendGap(AppendGap(nil, topic, &gap), l.HeadID(), l.NewestID())
}

// LostInGap notes that an event with that id, which the upstream has forgotten, is in the gap that
// was added last. What follows, until CaughtUp, may be older than the event.
func (l *Log) LostInGap(id eventid.ID) { l.loseBefore(l.head, id, true) }

// lose notes that a gap over an event with that id, which never came, is about to be put at the
// head. reading says that what follows, until CaughtUp, may be older.
func (l *Log) lose(id eventid.ID, reading bool) {
	newest, before := l.NewestID(), l.HeadID()
	low := eventid.ID{MS: newest.MS, Seq: newest.Seq + 1}
	if id.Less(low) {
		low = id
	}
	l.fall(eventid.Max(id, before), low)
	l.rewritten.gone = eventid.Max(l.rewritten.gone, id)
	l.loseBefore(l.head+1, id, reading)
}

// loseBefore notes that the event with that id never came. A client that comes back with the newest
// event's id may lack it, unless its place is before cursor.
func (l *Log) loseBefore(cursor uint64, id eventid.ID, reading bool) {
	r, before := l.rewrite(), l.HeadID()
	if r.falls > 0 { // streams that are sent older events are told of all up to there
		r.high = eventid.Max(r.high, id)
	}
	for len(r.losses) > 0 && !r.losses[0].concerns(l.tail, l.lost) && r.losses[0].from <= l.tail {
		// no stream can resume there
		r.losses = r.losses[1:]
	}
	if n := len(r.losses); n > 0 && r.losses[n-1].before == before &&
		(r.losses[n-1].from <= l.tail || r.losses[n-1].from == cursor) {
		x := &r.losses[n-1]
		x.id, x.open = eventid.Max(x.id, id), x.open || reading
	} else {
		r.losses = append(r.losses, loss{from: cursor, open: reading, id: id, before: before})
	}
}

// CaughtUp notes that all that the upstream has was added: what follows is new.
func (l *Log) CaughtUp() {
	if l.rewritten == nil {
		return
	}
	for i := range l.rewritten.losses {
		if x := &l.rewritten.losses[i]; x.open {
			x.until, x.open = l.head, false
		}
	}
}

// concerns reports whether a client that comes back with an id at a place may lack the lost events.
func (x *loss) concerns(cursor uint64, id eventid.ID) bool {
	return x.from <= cursor && (x.before == id || x.open || cursor <= x.until)
}

// withUntold tells of what a client at a place that is found may lack all the same: lost events,
// whose gaps have the id of what is before them, so it is not known whether the client was told;
// and events before a history of which nothing is known.
func (l *Log) withUntold(p Place) Place {
	if l.rewritten == nil || p.Cause != GapNone {
		return p
	}
	if u := l.rewritten.unsure; p.Cursor > u.at && l.idAt(p.Cursor).Less(u.to) {
		p.Cause, p.To = GapMissed, eventid.PositionOf(u.to)
	}
	for _, x := range l.rewritten.losses {
		if x.concerns(p.Cursor, l.idAt(p.Cursor)) {
			p.Cause, p.To = GapMissed, eventid.PositionOf(eventid.Max(eventid.Before(p.To), x.id))
		}
	}
	return p
}
