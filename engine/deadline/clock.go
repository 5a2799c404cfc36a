package deadline

import (
	"sync/atomic"
	"time"
)

// beat is how often a clock looks whether the process runs, and beatLate how late that may be
// without time being lost.
const (
	beat     = 250 * time.Millisecond
	beatLate = 250 * time.Millisecond
)

// Clock is how long the process has run since the clock was made: it stands while the process does.
// It never goes back. It is safe from any goroutine.
type Clock struct {
	began time.Time
	done  chan struct{}
	at    atomic.Pointer[reading] // of the last beat; only beats write it
}

// reading is what a clock knows at a beat.
type reading struct {
	last time.Duration // when that was, since the clock began
	lost time.Duration // until then, because the process did not run
}

// NewClock starts a clock. It beats until it is closed.
func NewClock() *Clock {
	c := newClock()
	go c.run()
	return c
}

func newClock() *Clock {
	c := &Clock{began: time.Now(), done: make(chan struct{})}
	c.at.Store(&reading{})
	return c
}

func (c *Clock) run() {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.beat(time.Since(c.began))
		case <-c.done:
			return
		}
	}
}

// Close ends the beats.
func (c *Clock) Close() { close(c.done) }

// Ran returns how long the process has run.
func (c *Clock) Ran() time.Duration { return c.at.Load().ran(time.Since(c.began)) }

// ran is [Clock.Ran] at a time since the clock began.
func (r *reading) ran(now time.Duration) time.Duration {
	return min(now, r.last+beat+beatLate) - r.lost
}

// beat notes that the process runs at now, and what it lost since the last beat.
func (c *Clock) beat(now time.Duration) {
	r := c.at.Load()
	c.at.Store(&reading{now, r.lost + max(now-(r.last+beat+beatLate), 0)})
}
