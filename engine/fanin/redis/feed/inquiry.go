package feed

import "ssedge/proto/eventid"

// An inquiry leads from a doubt, or from a stream's question, over one reading after the other to
// where nothing is left to be found out:
//
//	doubt, Ask → queue → Next → the host reads → Take → queue, for the next reading
//	                                                  → settle: the feed is live

// doubt makes the feed look at the end of its stream; once more, if it is looking.
func (m Machine) doubt(why Cause) {
	q := m.inquire()
	m.doubts++
	m.Host.Doubted(why)
	if m.state == Live {
		q.since, q.intact, q.read = m.Host.Seconds(), true, eventid.ID{}
		m.enter(Catching)
	}
	m.queue(q)
}

// Ask is the question of a stream that wants to go on from where the log does not reach. The answer
// is Log.Answer with its number or a later one.
func (m Machine) Ask(from eventid.Position, number uint64) {
	q := m.inquire()
	q.older.asked = number
	if !q.older.wanted || q.older.isBefore(from) {
		q.older.from = from
	}
	q.older.wanted, q.urgent = m.Log.Extends(), true
	if _, last, _ := m.Log.Span(); last.Less(eventid.Before(from)) {
		m.doubt(CauseAsk) // what is being read may not reach that far
	}
	m.queue(q)
}

// queue has the stream read. A feed that is away is queued when it is subscribed.
func (m Machine) queue(q *inquiry) {
	if m.state == Away || q.queued && (q.hurried || !q.urgent) {
		return
	}
	q.queued, q.hurried = true, q.urgent
	m.Host.Queue(q.urgent)
}

// Next says what to read of the stream; false: nothing. It is called when the feed was queued.
func (m Machine) Next() (Request, bool) {
	q := m.inquiry
	if q == nil || !q.queued {
		return Request{}, false
	}
	q.queued, q.hurried = false, false
	if m.state == Away {
		return Request{}, false
	}
	lost, last, placed := m.Log.Span()
	what := m.next(q, lost, placed)
	switch what {
	case readNothing:
		m.settle(q)
		return Request{}, false
	case ReadEnd:
		q.held.early = uint8(len(q.held.texts))
	case ReadLast:
		if q.apart.before().IsZero() {
			m.markApart()
		}
	}
	return m.request(q, what, lost, last), true
}

// next is what is to be read next.
func (m Machine) next(q *inquiry, lost eventid.ID, placed bool) Reading {
	switch {
	case q.looked != m.doubts, !placed:
		return ReadEnd
	case q.comparing:
		return ReadLast
	case q.verifying:
		return ReadSame
	case q.forward:
		return ReadForward
	case q.older.reachesBelow(lost):
		return ReadOlder
	}
	return readNothing
}

// Failed says that what Next has asked for could not be read.
func (m Machine) Failed() {
	if m.inquiry != nil {
		m.queue(m.inquiry)
	}
}

// Take takes in what was read. Readings of one feed may be under way at the same time, and the
// subscription may have been lost since.
func (m Machine) Take(r Request, events []Element) {
	q := m.inquiry
	if q == nil || m.state == Away || m.epoch != r.epoch {
		return
	}
	_, last, _ := m.Log.Span()
	current := last == r.last // otherwise another reading has taken in these
	switch r.What {
	case ReadEnd:
		q.noteRead(events)
		q.looked = r.doubts
		m.takeEnd(q, events, r.time)
	case ReadLast:
		if r.before == q.apart.before() { // otherwise another reading has taken in these
			if r.before.IsZero() {
				q.noteRead(events)
			}
			m.takeLast(q, events, r.Count)
		}
	case ReadSame:
		if current {
			m.takeSame(q, events)
		}
	case ReadForward:
		if current {
			q.noteRead(events)
			m.takeForward(q, events, r.Count)
		}
	case ReadOlder:
		m.takeOlder(q, events, r)
	}
	m.settle(q)
}

// noteRead notes the newest event of what was read at the stream's head.
func (q *inquiry) noteRead(events []Element) {
	if n := len(events); n > 0 {
		q.read = eventid.Max(events[0].ID, events[n-1].ID)
	}
}

// settle ends the inquiry if nothing is left to be read: the feed is live and goes on with the
// messages that were held, and streams that have asked are answered.
func (m Machine) settle(q *inquiry) {
	lost, _, placed := m.Log.Span()
	if m.next(q, lost, placed) != readNothing {
		m.queue(q)
		return
	}
	m.tellUnread(q)
	m.Log.CaughtUp()
	q.older.wanted = false
	if q.untold {
		q.untold = false
		m.tellUntold()
	}
	if m.state == Catching && !m.release(q) {
		return
	}
	if q.older.asked > 0 {
		m.Log.Answer(q.older.asked, q.older.floor)
	}
	m.inquiry = nil
}
