package shard

import (
	"time"

	"ssedge/shard/roomy"
)

// A socket that takes nothing for the write-stall deadline is given up. The kernel reports that a
// socket is writable only when much of its buffer is free: a client that reads steadily, but
// slowly, can take longer for that. So the kernel is asked what the client has not taken yet, twice
// in a deadline. Only time in which the process ran counts: after it was stopped, or got no
// processor, clients that have read everything are still to be served.

// stall is what is known of a blocked stream that was looked at.
type stall struct {
	unsent int    // when it was looked at last
	took   uint32 // tick since which it has taken nothing, as far as is known
}

// stoppedMin is how late a turn must be for the process to count as stopped: turns take
// milliseconds.
const stoppedMin = int64(time.Second)

// noticeStop notes that the process did not run, if a turn at now comes much later than it was due.
func (s *Shard) noticeStop(now int64) {
	if s.dueAt > 0 && now-s.dueAt > stoppedMin {
		s.ranFrom = uint32(now >> tickShift)
	}
}

// idleSince is the tick since which blocked slot i has taken nothing, as far as is known.
func (s *Shard) idleSince(i uint32, sl *slot) uint32 {
	since := sl.since
	if st, ok := s.stalls[i]; ok {
		since = later(since, st.took)
	}
	if s.ranFrom != 0 {
		since = later(since, s.ranFrom)
	}
	return since
}

// stallDue is the tick at which blocked slot i is looked at next.
func (s *Shard) stallDue(i uint32, sl *slot) uint32 {
	since := s.idleSince(i, sl)
	if half := since + s.stallTicks/2; int32(half-s.tick) > 0 {
		return half
	}
	return since + s.stallTicks
}

// stalled looks at a blocked slot, and reports whether it is to be given up.
func (s *Shard) stalled(i uint32, sl *slot) bool {
	since := s.idleSince(i, sl)
	unsent := s.kernel.Unsent(int(sl.fd))
	if st, ok := s.stalls[i]; ok && unsent >= 0 && unsent < st.unsent {
		since = s.tick
	}
	s.stalls[i] = stall{unsent, since}
	s.stallsPeak = max(s.stallsPeak, len(s.stalls))
	return s.reached(since + s.stallTicks)
}

// forgetStall forgets what was found when a blocked stream was looked at.
func (s *Shard) forgetStall(i uint32) {
	delete(s.stalls, i)
	s.stalls = roomy.Shrunk(s.stalls, &s.stallsPeak)
}
