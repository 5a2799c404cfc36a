package fanin

import (
	"errors"

	"ssedge/proto/eventid"
)

// Event is one event to be published. The slices are only read during the call.
type Event struct {
	Topic []byte
	Body  []byte // in wire form without its id (sse.AppendBody)
	Key   string // makes the publish idempotent within its topic; "" does not
}

// Receipt says what became of an event that was taken.
type Receipt struct {
	ID        eventid.ID
	Duplicate bool // an event with this key was taken before, and ID is its id
}

// ErrNotStored is wrapped in errors of a Publish that has certainly stored nothing.
var ErrNotStored = errors.New("the event was not stored")

// CauseOf tells failures of a Publish apart for the log: errors with the same cause are one trouble. An error says it by a method
// Cause() string; it is "" if none does.
func CauseOf(err error) string {
	var c interface{ Cause() string }
	if errors.As(err, &c) {
		return c.Cause()
	}
	return ""
}

// Source takes events in. It is safe from any goroutine. An event whose Publish
// returned without an error is in its topic's log and on its way to the
// subscribers; after an error the publisher may come back with it later.
type Source interface {
	Publish(*Event) (Receipt, error)
}
