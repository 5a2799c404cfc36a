package fanin

import (
	"context"
	"errors"
	"io"

	"ssedge/proto/eventid"
	"ssedge/shard/topic"
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

// CauseOf tells failures of a Publish apart for the log: errors with the same cause are one
// trouble. An error says it by a method Cause() string; it is "" if none does.
func CauseOf(err error) string {
	var c interface{ Cause() string }
	if errors.As(err, &c) {
		return c.Cause()
	}
	return ""
}

// Publisher takes events in. It is safe from any goroutine. An event whose Publish
// returned without an error is in its topic's log and on its way to the
// subscribers; after an error the publisher may come back with it later.
type Publisher interface {
	Publish(*Event) (Receipt, error)
}

// Source is where the events of topics come from. It is safe from any goroutine.
type Source interface {
	Publisher

	// Upstream is what topics follow; nil if events come from this node alone.
	Upstream() topic.Upstream
	// Attach gives it the topics. It is called once, before anything else but Upstream.
	Attach(*topic.Table)
	// Up returns nil, or what is missing that streams can do without for a while.
	Up() error
	// Edges returns all nodes that share topics with this one, itself among them.
	Edges(context.Context) ([]Edge, error)
	// TopicCounts returns the subscribers of topics over all edges: of those that are named or, if
	// none is, of the limit that have the most.
	TopicCounts(ctx context.Context, names []string, limit int) ([]TopicCount, error)

	// Gauges are metrics by name, and what reads each; Counters calls set with the name of each
	// counter and what it has come to; WriteHistograms writes the rest in Prometheus' text format.
	Gauges() map[string]func() float64
	Counters(set func(name string, value uint64))
	WriteHistograms(io.Writer)

	// Close ends it.
	Close()
}
