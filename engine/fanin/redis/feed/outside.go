package feed

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// Log is the log of the feed's topic: where a feed puts what it has found out. *topic.Topic is one,
// and documents the methods.
type Log interface {
	Place(at eventid.Position, floor eventid.ID)
	Append(id eventid.ID, body []byte)
	AppendRaw(body []byte)
	Prepend(events []log.Older, lost, below eventid.ID) (kept bool)

	Skip(from, to eventid.ID)
	Lose(id eventid.ID, reading bool)
	LostInGap(id eventid.ID)
	Fork(id eventid.ID)
	BeginAnew(id eventid.ID, erased bool)

	CaughtUp()
	Answer(ask uint64, floor eventid.ID)

	Span() (lost, last eventid.ID, placed bool)
	Has(id eventid.ID) bool
	MayHaveHad(id eventid.ID) bool
	MayNeverHaveHad(id eventid.ID) bool
	Extends() bool
	EventBytes() int
}

// Host is the edge around a feed: its clocks, its readings of streams and its counters. A feed
// calls it from within its own methods; the host must not call back from there.
type Host interface {
	// Lower is a time, in Unix milliseconds, that the clock of every server has passed; Upper is
	// one that none of them has reached.
	Lower() uint64
	Upper() uint64
	// Seconds is a monotonic clock.
	Seconds() int64

	// Queue asks for a call of [Machine.Next] when the stream can be read; soon, if it is urgent. A
	// feed that has become urgent is queued twice. The second call has nothing to read.
	Queue(urgent bool)
	// Later asks for a call of [Machine.Wake], after some time.
	Later(Alarm)

	Changed(from, to State)
	Appended(id eventid.ID)
	Doubted(Cause)
	Count(Count)
	Malformed(err error) // a message that cannot be read
}

// Alarm is why a feed wants to be woken.
type Alarm uint8

const (
	LookAgain     Alarm = iota // perhaps an old master answered, or sent a message
	LookPublished              // an event that was published through this edge may be lost
)

// Cause is why a feed came into doubt.
type Cause uint8

const (
	CauseNew       Cause = iota // the topic is new on this node
	CauseReconnect              // its subscription had ended
	CauseGap                    // an event came whose predecessor had not
	CauseOverflow               // more came than was held
	CauseAsk                    // a client has seen more than this node
	CauseMigrating              // its slot is on its way to another master
	Causes
)

// String is the cause as metrics have it.
func (c Cause) String() string {
	return [Causes]string{
		CauseNew: "new", CauseReconnect: "reconnect", CauseGap: "gap", CauseOverflow: "overflow",
		CauseAsk: "ask", CauseMigrating: "migrating",
	}[c]
}

// Count is something that is counted.
type Count uint8

const (
	Duplicate Count = iota // a message whose event the log has had
	Fork                   // the servers have gone on with another history
	Phantom                // a message whose event its stream has not got
	Gap                    // events that cannot be had were told as a gap
	Reset                  // a stream was gone before its time
	Unfit                  // an event that may not be sent
	Counts
)

// String is the count as metrics have it.
func (c Count) String() string {
	return [Counts]string{
		Duplicate: "duplicates", Fork: "forks", Phantom: "phantoms", Gap: "gaps", Reset: "resets",
		Unfit: "unfit",
	}[c]
}
