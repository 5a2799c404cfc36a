package load

import "github.com/HdrHistogram/hdrhistogram-go"

// Totals is what streams have received, all together, since they were made; Live is how many there
// are now.
type Totals struct {
	Bytes  uint64
	Events uint64 // of this run, each time they came
	Others uint64 // events without a mark: a server's greetings and pings
	// comment lines: heartbeats, and one or so at the start of a stream
	Comments              uint64
	Gaps                  uint64 // events named gap
	Stale                 uint64 // events of an earlier run: not counted further
	Duplicates, Late      uint64 // by sequence number
	Unsorted              uint64 // by id
	Misdelivered, Damaged uint64 // of another topic; lines that belong to no event
	// response heads; attempts without one; streams the server ended afterwards
	Opened, Failed, Ended uint64
	Settled               uint64 // streams that are or were open, or failed once
	Live                  uint64
}

// Add adds up.
func (t *Totals) Add(u Totals) {
	t.Bytes += u.Bytes
	t.Events += u.Events
	t.Others += u.Others
	t.Comments += u.Comments
	t.Gaps += u.Gaps
	t.Stale += u.Stale
	t.Duplicates += u.Duplicates
	t.Late += u.Late
	t.Unsorted += u.Unsorted
	t.Misdelivered += u.Misdelivered
	t.Damaged += u.Damaged
	t.Opened += u.Opened
	t.Failed += u.Failed
	t.Ended += u.Ended
	t.Settled += u.Settled
	t.Live += u.Live
}

// Times are distributions in microseconds, as of one moment.
type Times struct {
	// of events on streams that are not slow, from when they were due
	Latency *hdrhistogram.Snapshot
	First   *hdrhistogram.Snapshot // of streams, from connect to the first byte
}

// merge adds a snapshot to a histogram.
func merge(into *hdrhistogram.Histogram, s *hdrhistogram.Snapshot) {
	if s != nil {
		into.Merge(hdrhistogram.Import(s))
	}
}
