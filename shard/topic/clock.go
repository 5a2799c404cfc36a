package topic

import (
	"math"
	"time"
)

// SetClock says by how much the upstream's clock, which gives events their ids, is ahead of the
// wall clock here, in milliseconds.
func (t *Table) SetClock(aheadMS int64) { t.aheadMS.Store(aheadMS) }

// ids is the time of the clock that gives events their ids, when it is nowMS here.
func (t *Table) ids(nowMS uint64) uint64 {
	ahead := t.aheadMS.Load()
	if ahead < 0 && uint64(-ahead) > nowMS {
		return 0
	}
	return nowMS + uint64(ahead)
}

// nowMS is the wall clock, held back from going back.
func (t *Table) nowMS() uint64 {
	now := t.wallMS()
	for {
		last := t.lastMS.Load()
		if now <= last {
			return last
		}
		if t.lastMS.CompareAndSwap(last, now) {
			return now
		}
	}
}

// ClockHeld returns for how long the clock that gives ids and ages stands still: the wall clock was
// ahead, and was set back. Until it is there again history does not age.
func (t *Table) ClockHeld() time.Duration {
	last, now := t.lastMS.Load(), t.wallMS()
	if now >= last {
		return 0
	}
	return time.Duration(min(last-now, uint64(math.MaxInt64/time.Millisecond))) * time.Millisecond
}
