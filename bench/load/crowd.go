package load

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// filesSpare is what a process needs besides the streams' descriptors.
const filesSpare = 200

// member is a Client, in this process or another.
type member interface {
	Open(first, n int, rate float64) error
	StopOpening() error
	Drop(n int) (int, error)
	Reopen(rate float64) error
	ReadNormally() error
	Totals() (Totals, error)
	Causes() (map[string]uint64, error)
	Times(reset bool) (Times, error)
	Verify(published []Published) (Verdicts, error)
	Silent(least int) (int, error)
	Close() error
}

// Crowd is all streams of a run. Its methods may be called from any goroutine, one at a time;
// Totals from others, too.
type Crowd struct {
	members []member
	number  int // streams asked for so far
	poll    time.Duration
	topics  int
}

// Workers says how a Crowd starts worker processes: by this command, which must call ServeWorker.
type Workers struct {
	Command []string
	Count   int // 0: as few as the limit on open files allows
}

// NewCrowd makes a crowd for so many streams: in this process if its limit on open files allows,
// otherwise in as few worker processes as it takes.
func NewCrowd(c Config, streams int, w Workers) (*Crowd, error) {
	count := w.Count
	if count == 0 {
		per, err := streamsPerProcess()
		if err != nil {
			return nil, err
		}
		if count = (streams + per - 1) / per; count == 1 || streams == 0 {
			count = 0
		}
	}
	crowd := &Crowd{poll: time.Millisecond, topics: max(1, c.Topics)}
	if count == 0 {
		client, err := NewClient(c)
		if err != nil {
			return nil, err
		}
		crowd.members = []member{client}
		return crowd, nil
	}
	crowd.poll = 10 * time.Millisecond
	if c.InFlight == 0 {
		c.InFlight = InFlightDefault
	}
	c.InFlight = max(1, c.InFlight/count)
	for range count {
		r, err := startWorker(w.Command, c)
		if err != nil {
			crowd.Close()
			return nil, err
		}
		crowd.members = append(crowd.members, r)
	}
	return crowd, nil
}

func streamsPerProcess() (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	if files.Max < 2*filesSpare {
		return 0, fmt.Errorf("expected a limit of at least %d open files, found %d", 2*filesSpare,
			files.Max)
	}
	// the Go runtime has raised the soft limit to the hard one
	return int(min(files.Max, 1<<31)) - filesSpare, nil
}

// Processes is how many hold the streams.
func (c *Crowd) Processes() int { return len(c.members) }

// all calls f for each member and returns the first error.
func (c *Crowd) all(f func(member) error) error {
	for _, m := range c.members {
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

// StopOpening gives up the streams that are not open yet.
func (c *Crowd) StopOpening() error { return c.all(member.StopOpening) }

// Open opens n more streams, rate a second or, if 0, as fast as the server answers, and returns
// when each is open or has failed. If ctx ends before, those that are open stay open and the error
// is ctx's.
func (c *Crowd) Open(ctx context.Context, n int, rate float64) error {
	before, err := c.Totals()
	if err != nil {
		return err
	}
	for i, m := range c.members {
		share := n / len(c.members)
		if i < n%len(c.members) {
			share++
		}
		if err := m.Open(c.number, share, rate/float64(len(c.members))); err != nil {
			return err
		}
		c.number += share
	}
	err = c.Wait(ctx, func(t Totals) bool { return t.Settled-before.Settled >= uint64(n) })
	if err != nil {
		return errors.Join(err, c.StopOpening())
	}
	return nil
}

// Wait waits until the totals are as they should be.
func (c *Crowd) Wait(ctx context.Context, until func(Totals) bool) error {
	for {
		now, err := c.Totals()
		if err != nil {
			return err
		}
		if until(now) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.poll):
		}
	}
}

// WaitQuiet waits until no new event and no gap has come, and no stream has ended, for the given
// time. Heartbeats go on.
func (c *Crowd) WaitQuiet(ctx context.Context, quiet time.Duration) error {
	var seen uint64
	since := time.Now()
	return c.Wait(ctx, func(t Totals) bool {
		if now := t.Events - t.Duplicates + t.Gaps + t.Ended; now != seen {
			seen, since = now, time.Now()
		}
		return time.Since(since) >= quiet
	})
}

// Drop resets the connections of n live streams; it returns how many there were.
func (c *Crowd) Drop(n int) (int, error) {
	dropped := 0
	for _, evenly := range []bool{true, false} { // then from those that have more
		for i, m := range c.members {
			share := n - dropped
			if evenly {
				share /= len(c.members) - i
			}
			one, err := m.Drop(share)
			if err != nil {
				return dropped, err
			}
			dropped += one
		}
	}
	return dropped, nil
}

// Reopen begins to open all streams that are not open any more.
func (c *Crowd) Reopen(rate float64) error {
	return c.all(func(m member) error { return m.Reopen(rate / float64(len(c.members))) })
}

// ReadNormally ends the slowness of all slow streams.
func (c *Crowd) ReadNormally() error { return c.all(member.ReadNormally) }

func (c *Crowd) Totals() (Totals, error) {
	var sum Totals
	err := c.all(func(m member) error {
		t, err := m.Totals()
		sum.Add(t)
		return err
	})
	return sum, err
}

// Causes says why streams did not open, and how often.
func (c *Crowd) Causes() (map[string]uint64, error) {
	sum := make(map[string]uint64)
	err := c.all(func(m member) error {
		causes, err := m.Causes()
		for cause, n := range causes {
			sum[cause] += n
		}
		return err
	})
	return sum, err
}

// Times returns latencies of events and times to the first byte of streams, in microseconds, since
// the last reset.
func (c *Crowd) Times(reset bool) (latency, first *hdrhistogram.Histogram, err error) {
	latency, first = newHistogram(), newHistogram()
	err = c.all(func(m member) error {
		t, err := m.Times(reset)
		merge(latency, t.Latency)
		merge(first, t.First)
		return err
	})
	return latency, first, err
}

// Verify holds every stream against what its topic has had. See Client.Verify.
func (c *Crowd) Verify(published []Published) (Verdicts, error) {
	if len(published) != c.topics {
		return Verdicts{}, fmt.Errorf("load: expected the counts of %d topics, found %d", c.topics,
			len(published))
	}
	var sum Verdicts
	err := c.all(func(m member) error {
		v, err := m.Verify(published)
		sum.Normal.Add(v.Normal)
		sum.Slow.Add(v.Slow)
		sum.Behind += v.Behind
		return err
	})
	return sum, err
}

// Silent counts the live streams with too few heartbeats. See Client.Silent.
func (c *Crowd) Silent(least int) (silent int, err error) {
	err = c.all(func(m member) error {
		n, err := m.Silent(least)
		silent += n
		return err
	})
	return silent, err
}

// Close resets all connections and ends the workers.
func (c *Crowd) Close() error {
	err := c.all(member.Close)
	c.members = nil
	return err
}
