package feed

import (
	"unsafe"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// Receive takes a message from the channel.
func (m Machine) Receive(text string) {
	switch m.state {
	case Live:
		m.take(text, cameLive)
	case Catching:
		m.hold(m.inquire(), text)
	}
}

// timing says when a message came.
type timing uint8

const (
	cameLive  timing = iota
	cameLate         // it was held, so what was read meanwhile may have its event …
	cameEarly        // … or must, as the stream's end was asked for later: unless the log has
	// let it go since, or an old master has answered
)

// take adds a message's event to the log, if it is the next one.
func (m Machine) take(text string, came timing) {
	e, err := envelope.Parse(bytesOf(text))
	if err != nil {
		m.Host.Malformed(err)
		if e.ID.IsZero() || m.isForged(e.ID) {
			m.tellUntold()
		}
		m.doubt(CauseGap) // the stream may have the event in order
		return
	}
	if e.Raw() {
		m.addRaw(&e)
		return
	}
	_, last, _ := m.Log.Span()
	switch {
	case e.ID == last, m.Log.Has(e.ID):
		m.Host.Count(Duplicate)
	case e.Prev == last:
		m.add(&e)
	case begins(&e) && last.IsBound() && last.Less(e.ID): // the topic's first event
		m.add(&e)
	case came != cameLive && m.wasRead(&e, came):
		m.Host.Count(Duplicate)
		if m.isStuck(e.ID) && m.isForged(e.ID) {
			m.tellUntold()
		}
		if e.Prev.IsZero() { // an old master may have answered
			m.Host.Later(LookAgain)
		}
	case m.isStuck(e.ID): // the stream was read since it came, and does not have the event
		m.Host.Count(Phantom)
		if m.isForged(e.ID) {
			m.tellUntold()
		}
		m.Host.Later(LookAgain)
	default:
		q := m.inquire()
		if !last.Less(e.Prev) { // of another history than the log's newest event
			q.compare()
		}
		q.stuck = e.ID
		m.hold(q, text)
		m.doubt(CauseGap)
	}
}

// wasRead reports whether a message that was held is of an event that was read meanwhile, and let
// go since by the log.
func (m Machine) wasRead(e *envelope.Message, came timing) bool {
	q := m.inquire()
	return !q.read.Less(e.ID) && (q.stuck == e.ID || !e.Prev.IsZero() || came == cameEarly)
}

// isStuck reports whether the event with that id is the one whose predecessor was missing last.
func (m Machine) isStuck(id eventid.ID) bool { return m.inquiry != nil && m.inquiry.stuck == id }

// isForged reports whether an id is of a time so far from now that no server can have given it to
// an event that comes through a channel.
func (m Machine) isForged(id eventid.ID) bool {
	lower, upper, ttl := m.Host.Lower(), m.Host.Upper(), m.Config.TTLMS
	return id.MS < lower && lower-id.MS > ttl || id.MS > upper && id.MS-upper > ttl
}

// bytesOf is the text itself, which must only be read.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }
