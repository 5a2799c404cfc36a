package feed

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// History is what was read behind a position, oldest first, as a client is given it that is further
// behind than the log reaches: with holes where something is missing. When it has that many bytes,
// the rest is left to be read again. size is the bytes of the events that are no holes, count their
// number. The feed is not touched, so that its lock is not needed.
func (m Machine) History(from eventid.Position, events []Element, most int) (
	history []log.Older, size, count int,
) {
	last := eventid.Before(from)
	history = make([]log.Older, 0, len(events)+1)
	for i := range events {
		e := &events[i]
		if size >= most {
			break
		}
		if !e.Bad && !m.Config.followsIn(e, last, from) {
			hole := e.Prev
			if hole.IsZero() { // there is no id for what was before a stream that begins anew
				hole = rightBefore(&e.Message)
			}
			// A client's id may be of another history.
			history = append(history, log.Older{ID: eventid.Max(hole, last)})
		}
		last = e.ID
		event := m.older(e)
		if event.Body != nil {
			size += len(event.Body)
			count++
		}
		history = append(history, event)
	}
	return history, size, count
}

// followsIn reports whether nothing is missing between last, the first of which is before from, and
// e.
func (c *Config) followsIn(e *Element, last eventid.ID, from eventid.Position) bool {
	first := last == eventid.Before(from)
	switch {
	case e.Prev == last && !last.IsZero():
		return true
	case !first || !last.IsBound():
		return false
	case begins(&e.Message):
		return !last.Less(c.beginning(e.ID, from))
	case e.Prev.IsZero(), from.Time: // the topic had no event then, and has had one before this
		return false
	}
	return e.Prev.Less(last)
}
