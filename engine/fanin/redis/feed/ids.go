package feed

import (
	"math"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// What an event's id, and that of its predecessor, say of what lies before it.

// begins reports whether an event is the first that its stream ever had. The server gives that one
// the number 0 in its millisecond. One with a higher number and without a predecessor has lost it.
func begins(e *envelope.Message) bool { return e.Prev.IsZero() && e.ID.Seq == 0 }

// rightBefore is an id between an event without a predecessor and what was there before it.
func rightBefore(e *envelope.Message) eventid.ID {
	if begins(e) {
		return eventid.Before(eventid.At(e.ID.MS)) // a time at which there was no stream
	}
	return below(e.ID)
}

// below is an id right below another one, and no time.
func below(id eventid.ID) eventid.ID {
	if id.Seq == 0 {
		return eventid.ID{MS: id.MS - 1, Seq: math.MaxUint64 - 1}
	}
	return eventid.ID{MS: id.MS, Seq: id.Seq - 1}
}

// holeBefore is the last id that may be missing before an event: the one that the event names, if
// that can be.
func holeBefore(e *Element) eventid.ID {
	if e.Bad || e.Prev.IsZero() || !e.Prev.Less(e.ID) {
		return below(e.ID)
	}
	return e.Prev
}

// before is the id before the oldest event of a stream behind from.
func (c *Config) before(e *Element, from eventid.Position) eventid.ID {
	if !e.Bad && begins(&e.Message) {
		return c.beginning(e.ID, from)
	}
	return holeBefore(e)
}

// beginning is the id before the first event of a stream, for a reader that has seen everything up
// to from. An earlier stream of the topic may have expired with events behind from, but only after
// it had been quiet for the TTL. So nothing is missing if from is a time less than the TTL before
// the first event.
func (c *Config) beginning(first eventid.ID, from eventid.Position) eventid.ID {
	before, empty := eventid.Before(eventid.At(first.MS)), eventid.Before(from)
	if empty.IsBound() && empty.Less(before) && before.MS-empty.MS < c.TTLMS {
		return empty
	}
	return before
}

// WasEmpty reports whether nothing was published between two ids, where there is nothing now: there
// was no stream at either time, and none can have come and gone.
func (c *Config) WasEmpty(from, to eventid.ID) bool {
	return from.IsBound() && to.IsBound() && from.Less(to) && to.MS-from.MS < c.TTLMS
}
