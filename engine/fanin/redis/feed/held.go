package feed

import (
	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// What is held of a topic at most, in messages and bytes. More of it is read again.
const (
	heldMax      = 64
	heldBytesMax = 256 << 10
)

// held are the messages that came while what may lie before them is read.
type held struct {
	texts []string
	bytes int
	early uint8 // so many of them came before the end of the stream was asked for
	spilt bool  // there was no room: what came then must be read
}

// hold keeps a message until what may lie before it was read.
func (m Machine) hold(q *inquiry, text string) {
	if q.held.spilt || len(q.held.texts) == heldMax || q.held.bytes+len(text) > heldBytesMax {
		m.drop(q)
		q.dropped(text)
		q.held.spilt = true
		return
	}
	q.held.texts = append(q.held.texts, text)
	q.held.bytes += len(text)
}

// drop gives up what is held.
func (m Machine) drop(q *inquiry) {
	for _, text := range q.held.texts {
		q.dropped(text)
	}
	q.held = held{}
}

// dropped notes that a message was given up. The stream has its event, unless that has no place
// there.
func (q *inquiry) dropped(text string) {
	if e, err := envelope.Parse(bytesOf(text)); err != nil || e.Raw() {
		q.untold = true
	}
}

// has reports whether the message of an event is held.
func (h *held) has(id eventid.ID) bool {
	for _, text := range h.texts {
		if m, err := envelope.Parse(bytesOf(text)); err == nil && m.ID == id {
			return true
		}
	}
	return false
}

// heldLeadTo reports whether an event is held, and the log has everything that came before it, or
// can have it from what is held.
func (m Machine) heldLeadTo(q *inquiry, id eventid.ID) bool {
	_, last, _ := m.Log.Span()
	for _, text := range q.held.texts {
		switch e, err := envelope.Parse(bytesOf(text)); {
		case err != nil || e.Raw() || e.ID == last || m.Log.Has(e.ID):
		case e.ID == id:
			return true
		case e.Prev != last:
			return false
		default:
			last = e.ID
		}
	}
	return false
}

// addHeldBefore adds the events that are held and came before another one: their stream is gone.
func (m Machine) addHeldBefore(q *inquiry, id eventid.ID) {
	for _, text := range q.held.texts {
		_, last, _ := m.Log.Span()
		if e, err := envelope.Parse(bytesOf(text)); err == nil && e.ID == id {
			return
		} else if err == nil && e.Prev == last && !e.Raw() {
			m.add(&e)
		}
	}
}

// release goes on with what was held: the feed is live, unless one of the messages brings it into
// doubt again. It reports whether it is live.
func (m Machine) release(q *inquiry) bool {
	h := q.held
	q.held = held{}
	m.enter(Live)
	if h.spilt {
		m.doubt(CauseOverflow)
		return false
	}
	for i, text := range h.texts {
		if i < int(h.early) {
			m.take(text, cameEarly)
		} else {
			m.take(text, cameLate)
		}
		if m.state != Live {
			for _, text := range h.texts[i+1:] {
				m.hold(q, text)
			}
			return false
		}
	}
	return true
}
