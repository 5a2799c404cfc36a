package deadline

import (
	"testing"
	"time"
)

// While the process runs the clock goes with the time; what is lost between two beats that come
// late is not counted, and the clock never goes back.
func TestTheClockStandsWhileTheProcessDoes(t *testing.T) {
	c := newClock()
	const ms = time.Millisecond
	for _, step := range []struct {
		now  time.Duration
		beat bool
		want time.Duration
	}{
		{0, true, 0},
		{250 * ms, true, 250 * ms},
		{400 * ms, false, 400 * ms},
		{750 * ms, true, 750 * ms},           // late, but not too late
		{35_000 * ms, false, 1250 * ms},      // it was stopped: looked at before the next beat,
		{35_001 * ms, true, 1250 * ms},       // at it,
		{35_101 * ms, false, 1350 * ms},      // and later
		{35_251 * ms, true, 1500 * ms},       // in time
		{36_251 * ms, true, 2000 * ms},       // a second time
		{36_251 * ms, false, 2000 * ms},      // at the same moment
		{100_000_000 * ms, false, 2500 * ms}, // it never goes on by itself
	} {
		if step.beat {
			c.beat(step.now)
		}
		if got := c.at.Load().ran(step.now); got != step.want {
			t.Errorf("at %v the process ran %v, expected %v", step.now, got, step.want)
		}
	}
}

func TestTheClockGoes(t *testing.T) {
	t.Parallel()
	c := NewClock()
	defer c.Close()
	for last := c.Ran(); last < 3*(beat+beatLate); {
		time.Sleep(beat / 10)
		now := c.Ran()
		if now < last {
			t.Fatalf("the clock went back from %v to %v", last, now)
		}
		last = now
	}
}
