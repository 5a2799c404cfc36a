package redis

import "time"

// times is what feeds know of time, and how they wait.
type times interface {
	lower() uint64 // what every server's clock has passed, Unix milliseconds
	upper() uint64 // what none has reached
	now() int64    // a monotonic time in seconds
	after(d time.Duration, f func())
}

func (c *clock) now() int64 { return int64(time.Since(processStart) / time.Second) }

func (c *clock) after(d time.Duration, f func()) { time.AfterFunc(d, f) }
