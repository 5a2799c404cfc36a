package feed

import (
	"slices"

	"ssedge/proto/eventid"
)

// The servers may have another history than the log: a replica without the newest events was
// promoted, an older copy was restored, a stream was deleted, a clock was set back. So whether an
// event follows the log's newest one is told by its predecessor, never by its id alone.

// apart are the last events of the stream, newest first, as far as they were read and the log has
// none of them.
type apart struct {
	events []Element
	size   int
}

// before is the id before which the stream is to be read on; zero: from its end.
func (a *apart) before() eventid.ID {
	if len(a.events) == 0 {
		return eventid.ID{}
	}
	return a.events[len(a.events)-1].ID
}

// compare has the stream's last events compared with the log, from the newest on.
func (q *inquiry) compare() {
	q.comparing, q.verifying, q.forward, q.proved, q.apart = true, false, false, false, apart{}
}

// takeLast takes the last events of the stream, newest first, and then those before them. Where
// they part from the log, the servers have forgotten what the log has behind, and what they have
// instead follows. If that is more than a log could have, or if the stream has nothing of the log
// any more, the events follow that cannot have been here before, behind a gap.
func (m Machine) takeLast(q *inquiry, events []Element, asked int) {
	lost, last, _ := m.Log.Span()
	common := slices.IndexFunc(events, func(e Element) bool {
		return e.ID == lost || m.Log.Has(e.ID)
	})
	all := len(events) < asked
	if common >= 0 {
		q.apart.events = append(q.apart.events, events[:common]...)
	} else {
		q.apart.events = append(q.apart.events, events...)
		for i := range events {
			q.apart.size += events[i].size()
		}
	}
	theirs := q.apart.events
	oldest := len(theirs) - 1
	unknown := false // what lies between the log and the oldest of them
	switch {
	case common >= 0:
		if at := events[common].ID; len(theirs) > 0 && at != last {
			m.fork(at)
		}
	case oldest < 0:
	case theirs[oldest].Prev == last:
	case theirs[oldest].Prev == lost || m.Log.Has(theirs[oldest].Prev):
		m.fork(theirs[oldest].Prev)
	case all && m.beganAnew(q, theirs, last):
		m.addHeldBefore(q, theirs[oldest].ID)
		m.Host.Count(Fork)
		m.Log.BeginAnew(rightBefore(&theirs[oldest].Message), !m.mayHaveExpired(q, last))
	case !all && int64(q.apart.size) < m.Config.HistoryBytes: // go on reading
		return
	default:
		unknown = true
		m.Host.Count(Fork)
		if n := slices.IndexFunc(theirs, m.mayHaveHad(q)); n >= 0 {
			// Which of these came already is not known.
			m.skip(eventid.ID{}, theirs[n].ID)
			theirs, unknown = theirs[:n], false
		}
	}
	m.tellUnreadApart(q.apart.events)
	q.comparing, q.apart = false, apart{}
	m.addApart(theirs, unknown)
}

// addApart adds what the stream has instead of what the log has behind the place where they part.
// unknown says that it is not known what lies between that and the oldest of the events.
func (m Machine) addApart(events []Element, unknown bool) {
	for k := len(events) - 1; k >= 0; k-- {
		e := &events[k]
		_, last, _ := m.Log.Span()
		switch oldest := k == len(events)-1; {
		case e.Bad:
			m.skip(last, e.ID)
		case e.Prev == last, oldest && !unknown && begins(&e.Message):
			m.add(&e.Message)
		case oldest:
			m.addBehindGap(&e.Message, eventid.ID{})
		default:
			m.addBehindGap(&e.Message, last)
		}
	}
}

// beganAnew reports whether these events, newest first and all that the stream has, are of one that
// began anew behind last, and nothing was missed: the earlier stream has expired, or the first
// event came through a channel that was subscribed all the time.
func (m Machine) beganAnew(q *inquiry, events []Element, last eventid.ID) bool {
	first := &events[len(events)-1]
	return !first.Bad && begins(&first.Message) && !slices.ContainsFunc(events, m.mayHaveHad(q)) &&
		(m.mayHaveExpired(q, last) || q.intact && !q.held.spilt && m.heldLeadTo(q, first.ID))
}

// mayHaveHad tells which events of the stream may have been in the log before. Those that came
// through the channel since the doubt began were not.
func (m Machine) mayHaveHad(q *inquiry) func(Element) bool {
	return func(e Element) bool { return m.Log.MayHaveHad(e.ID) && !q.held.has(e.ID) }
}
