package feed

import "ssedge/proto/eventid"

// Request is a part of the stream that is to be read, and what the feed was like when it was asked
// for.
type Request struct {
	First, Last string // the first and the last id, as XRANGE has them
	Backward    bool   // from the last one on (XREVRANGE)
	Count       int    // of events, at most
	Bytes       int    // that they will take, about

	What Reading

	epoch, doubts uint32
	time          uint64     // that every server's clock had passed
	lost, last    eventid.ID // of the log
	before        eventid.ID // with ReadLast: the oldest event that was read so far; zero: none
	from          eventid.Position
}

// Reading is what a request is for.
type Reading uint8

const (
	readNothing Reading = iota
	ReadEnd             // the newest event
	ReadLast            // the last events, until one of them is the log's, too
	ReadSame            // the newest event that is not after the log's newest one
	ReadForward         // the events after the log's newest one
	ReadOlder           // events before the log's oldest one; the last of them is only looked at
)

// What one request reads, by the size of the events that the log has.
const (
	requestEventsMax = 128
	requestEventsMin = 4
	requestBytes     = 1 << 20
	eventBytesMin    = 100
)

// request is the request for a reading.
func (m Machine) request(q *inquiry, what Reading, lost, last eventid.ID) Request {
	size := max(m.Log.EventBytes(), eventBytesMin)
	// Streams must keep up with what is appended at once.
	most := min(requestBytes, int(m.Config.HistoryBytes/4))
	count := max(min(most/size, requestEventsMax), requestEventsMin)
	r := Request{
		First: "-", Last: "+", Backward: true, Count: count, Bytes: count * size, What: what,
		epoch: m.epoch, doubts: m.doubts, time: m.Host.Lower(), lost: lost, last: last,
		before: q.apart.before(), from: q.older.from,
	}
	switch what {
	case ReadEnd:
		r.Count = 1
	case ReadLast:
		if !r.before.IsZero() {
			r.Last = "(" + r.before.String()
		}
	case ReadSame:
		r.Last, r.Count = last.String(), 1
	case ReadForward:
		r.Backward = false
		if !last.IsBound() { // otherwise clocks say nothing: all that there is is new
			r.First = "(" + last.String()
		}
	case ReadOlder:
		r.Last = lost.String()
		if !r.from.Time {
			r.First = eventid.Before(r.from).String()
		}
	}
	return r
}
