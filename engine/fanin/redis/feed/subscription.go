package feed

import "ssedge/proto/eventid"

// Away says that the channel is not subscribed, or not any more. What was read may be of a server
// that has been replaced since.
func (m Machine) Away() {
	q := m.inquire()
	if m.state == Live {
		q.since = m.Host.Seconds()
	}
	m.epoch++
	q.intact, q.read = false, eventid.ID{}
	q.comparing, q.verifying, q.forward, q.proved, q.apart = false, false, false, false, apart{}
	m.enter(Away)
	m.drop(q)
}

// Subscribed says that the channel is subscribed: from here on everything comes through it.
func (m Machine) Subscribed() {
	cause := CauseReconnect
	if _, _, placed := m.Log.Span(); !placed {
		cause = CauseNew
		m.inquire().urgent = true
	}
	m.enter(Catching)
	m.doubt(cause)
}

// Unqueue says that what was queued is not going to be read, because the stream is read elsewhere
// from here on.
func (m Machine) Unqueue() {
	if m.inquiry != nil {
		m.inquiry.queued, m.inquiry.hurried = false, false
	}
}

// Migrating says that messages may be missing without any sign, because the stream is on its way to
// another server.
func (m Machine) Migrating() {
	if m.state == Live {
		m.doubt(CauseMigrating)
	}
}

// Wake is called some time after [Host.Later].
func (m Machine) Wake(why Alarm) {
	switch {
	case why == LookPublished:
		m.lookForPublished()
	case m.state != Away: // otherwise the end of the stream will be looked at anyway
		m.doubt(CauseGap)
	}
}

// Forget says that the topic was forgotten: the feed keeps nothing, and nothing else is called.
func (m Machine) Forget() { m.inquiry, m.published = nil, nil }
