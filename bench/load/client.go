package load

import (
	"fmt"
	"maps"
	"math"

	"golang.org/x/sys/unix"
)

// Client holds streams in this process. Its methods set things going and return; they may be called
// from any goroutine, one at a time.
type Client struct {
	plan  *plan
	loops []*loop
}

func NewClient(c Config) (*Client, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	client := &Client{plan: p}
	for range p.Threads {
		l, err := newLoop(p)
		if err != nil {
			client.Close()
			return nil, err
		}
		client.loops = append(client.loops, l)
	}
	return client, nil
}

// Open begins to open the streams numbered first to first+n-1, rate a second; 0 as fast as the
// server answers.
func (c *Client) Open(first, n int, rate float64) error {
	if first+n > math.MaxInt32 {
		return fmt.Errorf("load: expected at most %d streams, found %d", math.MaxInt32, first+n)
	}
	per := len(c.loops)
	for i, l := range c.loops {
		l.do(func() {
			var slots []int32
			for number := first + i; number < first+n; number += per {
				slots = append(slots, int32(len(l.streams)))
				l.streams = append(l.streams,
					stream{number: int32(number), slow: c.plan.slow(int32(number))})
				l.lanes = append(l.lanes, make([]sequence, c.plan.Lanes-1)...)
			}
			l.opener.want(slots, rate/float64(per))
		})
	}
	return nil
}

// StopOpening cancels the streams that are not open yet.
func (c *Client) StopOpening() error {
	for _, l := range c.loops {
		l.do(l.stopOpening)
	}
	return nil
}

// Drop resets the connections of n live streams and returns how many it found.
func (c *Client) Drop(n int) (int, error) {
	dropped := 0
	for _, evenly := range []bool{true, false} { // then from those that have more
		for i, l := range c.loops {
			share := n - dropped
			if evenly {
				share /= len(c.loops) - i
			}
			l.do(func() { dropped += l.drop(share) })
		}
	}
	return dropped, nil
}

// Reopen begins to open all streams that were open before, with their last ids if they were kept.
func (c *Client) Reopen(rate float64) error {
	for _, l := range c.loops {
		l.do(func() {
			var slots []int32
			for slot := range l.streams {
				if s := &l.streams[slot]; s.phase == closed && s.history&wasOpen != 0 {
					slots = append(slots, int32(slot))
				}
			}
			l.opener.want(slots, rate/float64(len(c.loops)))
		})
	}
	return nil
}

// ReadNormally ends the slowness of all slow streams.
func (c *Client) ReadNormally() error {
	for _, l := range c.loops {
		l.do(l.readNormally)
	}
	return nil
}

// Totals is at most one turn of the loops old.
func (c *Client) Totals() (Totals, error) {
	var sum Totals
	for _, l := range c.loops {
		l.mu.Lock()
		sum.Add(l.shown)
		l.mu.Unlock()
	}
	return sum, nil
}

// Causes says why streams did not open, and how often.
func (c *Client) Causes() (map[string]uint64, error) {
	all := make(map[string]uint64)
	for _, l := range c.loops {
		var causes map[string]uint64
		l.do(func() { causes = maps.Clone(l.opener.causes) })
		for cause, n := range causes {
			all[cause] += n
		}
	}
	return all, nil
}

// Times are the distributions since the last reset.
func (c *Client) Times(reset bool) (Times, error) {
	latency, first := newHistogram(), newHistogram()
	for _, l := range c.loops {
		l.do(func() {
			latency.Merge(l.latency)
			first.Merge(l.first)
			if reset {
				l.latency.Reset()
				l.first.Reset()
			}
		})
	}
	return Times{latency.Export(), first.Export()}, nil
}

// Verdicts are those of the streams that read at once, and of the slow ones.
type Verdicts struct {
	Normal, Slow Verdict
	Behind       int // live streams that lack something
}

// Verify holds every stream against what its topic has had: published[k] is topic TopicFirst+k's.
// For the end, call it when nothing is on its way any more.
func (c *Client) Verify(published []Published) (Verdicts, error) {
	var v Verdicts
	for _, l := range c.loops {
		l.do(func() {
			for slot := range l.streams {
				s := &l.streams[slot]
				p := published[int(s.number)%c.plan.Topics]
				lanes := l.lanes[slot*(c.plan.Lanes-1):][:c.plan.Lanes-1]
				if c.plan.slow(s.number) {
					v.Slow.add(s, lanes, p)
				} else {
					v.Normal.add(s, lanes, p)
				}
				if s.phase == streaming && s.received < p.Sure {
					v.Behind++
				}
			}
		})
	}
	return v, nil
}

// Silent counts the live streams that have had fewer than least heartbeats, and begins to count
// anew. Comments are heartbeats, and events without a mark. It sees up to 255 of a stream.
func (c *Client) Silent(least int) (silent int, err error) {
	for _, l := range c.loops {
		l.do(func() {
			for slot := range l.streams {
				s := &l.streams[slot]
				if s.phase == streaming && int(s.beats) < least {
					silent++
				}
				s.beats = 0
			}
		})
	}
	return silent, nil
}

// Close resets all connections and ends the threads.
func (c *Client) Close() error {
	for _, l := range c.loops {
		l.do(l.stop)
		<-l.done
		unix.Close(l.epoll) // not by the thread: it may be done before do has written to wake
		unix.Close(l.wake)
	}
	c.loops = nil
	return nil
}
