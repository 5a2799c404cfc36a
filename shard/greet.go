package shard

import (
	"math/rand/v2"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// greeting is what was done for a stream before it came to its shard.
type greeting struct {
	done   bool
	cursor uint64
	at     eventid.Position
	sent   int
	unsent []byte // of the opening, if the socket did not take all of it
}

// greet sends the response head and the opening of a stream right where it was
// accepted, if there is nothing else to send: one topic, and nothing to catch up
// with or to tell. The client has its answer without waiting for a shard in the
// middle of a broadcast, and the shard need not hurry. (Measured: see
// bench/results/README.md.) scratch is used, and returned to be used again. It is called on the
// goroutine that has accepted the connection: of the shard it uses what never changes.
//
// Events that are appended to the log from here on lie behind the cursor that goes with the join.
// The shard looks for them once it is known to be interested.
func (s *Shard) greet(j *Join, scratch []byte) []byte {
	if j.More != nil || j.Resume == log.ResumeMalformed || framings[j.Wire].whole {
		return scratch
	}
	if s.table.HasUpstream() && j.doubts(j.Topic, j.Position, 0) {
		return scratch
	}
	p := j.locate(j.Topic, j.Position)
	if p.Cause != log.GapNone || p.Cursor != p.Head {
		return scratch
	}
	var id [eventid.MaxPositionBytes]byte
	scratch = append(scratch[:0], j.Head...)
	scratch = s.config.appendOpening(scratch, j.begins(), rand.Int64N)
	scratch = sse.AppendID(scratch, p.At.Append(id[:0]))
	scratch = framings[j.Wire].framed(scratch, len(j.Head))
	n, _ := s.kernel.Send(j.Fd, scratch) // an error is ignored: the shard gets the hang-up event
	j.greeting = greeting{done: true, cursor: p.Cursor, at: p.At, sent: n}
	if n < len(scratch) {
		j.greeting.unsent = clone(scratch[n:])
	}
	return scratch
}
