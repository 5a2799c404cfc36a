package feed

import (
	"slices"

	"ssedge/proto/eventid"
)

// takeEnd takes the newest event of the stream, if it has one. now is a time before it was read.
func (m Machine) takeEnd(q *inquiry, events []Element, now uint64) {
	_, last, placed := m.Log.Span()
	if len(events) == 0 {
		switch {
		case !placed:
			m.Log.Place(eventid.At(now), eventid.ID{})
		case !m.mayHaveExpired(q, last):
			m.Host.Count(Reset)
			// It is not known how many events there were, but that some came after last.
			m.Log.Skip(last, eventid.Before(eventid.At(max(now, last.MS+1))))
		}
		return
	}
	e := &events[0]
	switch {
	case !placed:
		m.Log.Place(eventid.After(e.ID), eventid.ID{})
	case e.ID == last, m.Log.Has(e.ID):
		// If it is an older one, the servers have forgotten what followed it: the next event shows
		// that.
	case last.Less(e.ID) && !e.Bad && !begins(&e.Message) && m.follows(q, e, last):
		m.add(&e.Message) // whether a stream begins there is shown by reading it
	case last.IsBound():
		q.forward, q.proved = true, false
	case last.Less(e.ID) && (e.Bad || last.Less(e.Prev)):
		q.verifying, q.proved, q.forward = true, false, true
	default:
		q.compare()
	}
}

// takeSame takes the newest event of the stream that is not after the log's newest one. If it is
// another one that the log has, the history was rewritten behind it. If there is none, the servers
// have let go of what the log has.
func (m Machine) takeSame(q *inquiry, events []Element) {
	q.verifying = false
	_, last, _ := m.Log.Span()
	switch {
	case len(events) == 0:
	case events[0].ID == last:
		q.proved = true
	case m.Log.Has(events[0].ID):
		m.fork(events[0].ID)
	default:
		q.compare()
	}
}

// takeForward takes events after the log's newest one or, if there was no stream, all.
func (m Machine) takeForward(q *inquiry, events []Element, asked int) {
	q.forward = len(events) == asked
	if _, last, _ := m.Log.Span(); last.IsBound() && slices.ContainsFunc(events, m.mayHaveHad(q)) {
		q.compare() // the stream was gone, and the earlier one is back
		return
	}
	for i := range events {
		e := &events[i]
		_, last, _ := m.Log.Span()
		switch {
		case e.Bad && (last.Less(e.ID) || last.IsBound()):
			m.skip(q.gapFrom(last), e.ID)
			q.proved = true
		case last.IsBound() && begins(&e.Message) && m.mayHaveExpired(q, last):
			m.add(&e.Message)
			q.proved = true
		case last.IsBound():
			m.addBehindGap(&e.Message, last)
			q.proved = true
		case !last.Less(e.ID):
		case m.Log.Has(e.ID): // of another history than the log's newest event
			q.compare()
			return
		case m.follows(q, e, last):
			m.add(&e.Message)
		case e.Prev.Less(last) && !e.Prev.IsZero(), m.mayHaveHad(q)(*e): // of another history, too
			q.compare()
			return
		default:
			m.addBehindGap(&e.Message, q.gapFrom(last))
			q.proved = true
		}
	}
}

// follows reports whether nothing lies between the log's newest event and another one.
func (m Machine) follows(q *inquiry, e *Element, last eventid.ID) bool {
	if begins(&e.Message) {
		return last.IsZero() || m.mayHaveExpired(q, last)
	}
	return e.Prev == last && !last.IsZero()
}

// gapFrom is where a gap behind the log's newest event begins: zero, unless that is known to be of
// the stream's history. Otherwise what is missing may have lower ids.
func (q *inquiry) gapFrom(last eventid.ID) eventid.ID {
	if q.proved {
		return last
	}
	return eventid.ID{}
}

// mayHaveExpired reports whether a stream whose newest event is the log's can have gone by itself,
// and nothing can have been published and gone since the feed was live.
func (m Machine) mayHaveExpired(q *inquiry, last eventid.ID) bool {
	if m.Host.Seconds()-q.since >= int64(m.Config.TTLMS/1000) {
		return false
	}
	if last.IsBound() { // a time: there was no stream
		return true
	}
	upper := m.Host.Upper()
	return last.MS <= upper && upper-last.MS >= m.Config.TTLMS
}
