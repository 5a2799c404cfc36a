package feed

import (
	"slices"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// older is what streams have asked for from before the log.
type older struct {
	asked  uint64           // the number of the last question; 0: there is none
	from   eventid.Position // the events behind it are wanted
	floor  eventid.ID       // the newest id that the servers are known to have no more
	bytes  int64            // of the events that were read
	wanted bool
}

// isBefore reports whether more must be read for that position than for o.from. For a time without
// events it is all that the stream has.
func (o *older) isBefore(from eventid.Position) bool {
	if from.Time != o.from.Time {
		return from.Time
	}
	return eventid.Before(from).Less(eventid.Before(o.from))
}

// reachesBelow reports whether events before the log's oldest one are to be read.
func (o *older) reachesBelow(lost eventid.ID) bool {
	switch {
	case !o.wanted:
		return false
	case o.from.Time && !lost.IsBound(): // for a log that begins at a time, clocks decide
		return true
	}
	return eventid.Before(o.from).Less(lost)
}

// holeBytes is what a gap takes in a log, about.
const holeBytes = 200

// takeOlder takes events before the log's oldest one and behind a position, newest first. If a
// stream has asked for still older ones meanwhile, they are read next. What an event names as its
// predecessor counts only if the stream has nothing else there.
func (m Machine) takeOlder(q *inquiry, events []Element, r Request) {
	lost, _, _ := m.Log.Span()
	if lost.Less(r.lost) { // another reading has taken in these
		return
	}
	from := eventid.Before(r.from)
	full := len(events) == r.Count // then the last one only shows what is before the others
	older := make([]log.Older, 0, len(events))
	before := lost // the id before the oldest of them
	size := int64(0)
	for i := range events {
		e := &events[i]
		seen := !r.from.Time && !from.Less(e.ID)
		if i == 0 && e.ID != lost || seen || full && i == len(events)-1 {
			break
		}
		event := m.older(e)
		size += int64(len(event.Body))
		if event.Body == nil {
			size += holeBytes
		}
		older = append(older, event)
		if i+1 == len(events) {
			before = m.Config.before(e, r.from)
			break
		}
		before = events[i+1].ID
		if hole, ok := holeBetween(before, e); ok {
			older = append(older, log.Older{ID: hole})
			size += holeBytes
		}
	}
	slices.Reverse(older)
	if len(events) == 0 && m.Config.WasEmpty(from, lost) {
		before = from
	}
	kept := m.Log.Prepend(older, before, lost)
	q.older.bytes += size
	switch {
	case !kept:
		q.older.wanted = false
	case (from.Less(before) || r.from.Time) && (!full || len(older) == 0): // that is all there is
		q.older.wanted = q.older.wanted && r.from != q.older.from // others may have asked meanwhile
		if !before.IsBound() {
			q.older.floor = before // a time may be only a client's claim
		}
	default:
		q.older.wanted = q.older.bytes < m.Config.HistoryBytes && m.Log.Extends()
	}
}

// holeBetween is the gap between two events that stand beside each other in the stream; false if
// nothing is missing between them, or no id fits between the two.
func holeBetween(before eventid.ID, e *Element) (hole eventid.ID, ok bool) {
	if e.Bad || e.Prev == before {
		return eventid.ID{}, false
	}
	hole = holeBefore(e)
	if hole.Less(before) {
		hole = below(e.ID)
	}
	return hole, before.Less(hole)
}

// older is an event as the log takes it; a hole if it cannot be sent.
func (m Machine) older(e *Element) log.Older {
	if e.Bad {
		return log.Older{ID: e.ID}
	}
	body := m.Config.body(&e.Message)
	if body == nil {
		m.Host.Count(Unfit)
		return log.Older{ID: e.ID}
	}
	defer bodies.Put(body)
	return log.Older{ID: e.ID, Body: append([]byte(nil), body.B...)}
}
