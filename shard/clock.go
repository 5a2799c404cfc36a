package shard

import "time"

var started = time.Now()

// nanotime is the monotonic clock that everything here is timed by.
func nanotime() int64 { return int64(time.Since(started)) }

// ticks is at least one and at most what can be told from the past.
func ticks(d time.Duration) uint32 { return uint32(min(max(int64(d)>>tickShift, 1), 1<<30)) }

func (s *Shard) setNow(now int64) {
	s.now = now
	s.tick = uint32(now >> tickShift)
}

func (s *Shard) reached(tick uint32) bool { return int32(s.tick-tick) >= 0 }

// later is the later of two ticks.
func later(a, b uint32) uint32 {
	if int32(a-b) < 0 {
		return b
	}
	return a
}
