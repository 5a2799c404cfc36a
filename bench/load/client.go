package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// InFlightDefault is how many connections may be on their way at once.
	InFlightDefault = 256
	pollInterval    = time.Millisecond
)

// Config says what a Client connects to. Only Target is needed.
type Config struct {
	Target   netip.AddrPort   // IPv4
	Threads  int              // 0: one
	InFlight int              // connections without an answer yet, over all threads; 0: InFlightDefault
	Topic    func(int) string // the topic of stream number i; nil: "all". Called from the loops: must be pure
	Header   []string         // further request header lines, without line ends
}

// Client holds streams open. Its methods may be called from any goroutine, one at a time.
type Client struct {
	config Config
	target unix.SockaddrInet4
	host   string
	loops  []*loop
	number int // streams asked for so far
}

// Totals is what all streams together have received.
type Totals struct {
	Events, Comments, Gaps, Bytes uint64
	Opened, Refused               uint64 // streams whose head arrived; that failed before
	Ended                         uint64 // streams the server closed afterwards
}

func NewClient(c Config) (*Client, error) {
	if !c.Target.Addr().Is4() {
		return nil, fmt.Errorf("load: expected an IPv4 target, found %v", c.Target)
	}
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.InFlight == 0 {
		c.InFlight = InFlightDefault
	}
	if c.Topic == nil {
		c.Topic = func(int) string { return "all" }
	}
	client := &Client{
		config: c,
		target: unix.SockaddrInet4{Port: int(c.Target.Port()), Addr: c.Target.Addr().As4()},
		host:   c.Target.String(),
	}
	for range c.Threads {
		l, err := newLoop(client)
		if err != nil {
			client.Close()
			return nil, err
		}
		client.loops = append(client.loops, l)
	}
	return client, nil
}

// Open opens n more streams as fast as the server answers and returns once all have their response head, with the
// time that took. It fails when a stream is refused or ctx ends; the streams that are open stay open.
func (c *Client) Open(ctx context.Context, n int) (time.Duration, error) {
	if c.number+n > math.MaxInt32 {
		return 0, fmt.Errorf("load: at most %d streams, asked for %d", math.MaxInt32, c.number+n)
	}
	started := time.Now()
	before := c.Totals()
	per := len(c.loops)
	for i, l := range c.loops {
		var numbers []int32
		for number := c.number + i; number < c.number+n; number += per {
			numbers = append(numbers, int32(number))
		}
		l.do(func() {
			l.toOpen = append(l.toOpen, numbers...)
			l.limit = max(1, c.config.InFlight/per)
		})
	}
	c.number += n
	for {
		now := c.Totals()
		opened, refused := now.Opened-before.Opened, now.Refused-before.Refused
		if opened+refused == uint64(n) {
			if refused > 0 {
				return time.Since(started), fmt.Errorf("load: %d of %d streams were refused; the first: %w", refused, n, c.firstError())
			}
			return time.Since(started), nil
		}
		select {
		case <-ctx.Done():
			for _, l := range c.loops {
				l.do(func() { l.toOpen = nil })
			}
			return time.Since(started), fmt.Errorf("load: %d of %d streams open, %d refused: %w", opened, n, refused, context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
}

func (c *Client) appendRequest(b []byte, number int) []byte {
	b = append(b, "GET /events?topic="...)
	b = append(b, c.config.Topic(number)...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, "\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n"...)
	for _, line := range c.config.Header {
		b = append(b, line...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Totals is at most one turn of the loops old.
func (c *Client) Totals() Totals {
	var sum Totals
	for _, l := range c.loops {
		t := &l.totals
		sum.Events += t.events.Load()
		sum.Comments += t.comments.Load()
		sum.Gaps += t.gaps.Load()
		sum.Bytes += t.bytes.Load()
		sum.Opened += t.opened.Load()
		sum.Refused += t.refused.Load()
		sum.Ended += t.endedByServer.Load()
	}
	return sum
}

// WaitEvents waits until at least n events have arrived on all streams together.
func (c *Client) WaitEvents(ctx context.Context, n uint64) error {
	for {
		now := c.Totals().Events
		if now >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("load: %d of %d events arrived: %w", now, n, context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
}

// WaitQuiet waits until nothing has arrived for the given time.
func (c *Client) WaitQuiet(ctx context.Context, quiet time.Duration) error {
	bytes, since := c.Totals().Bytes, time.Now()
	for time.Since(since) < quiet {
		select {
		case <-ctx.Done():
			return fmt.Errorf("load: events still arrive: %w", context.Cause(ctx))
		case <-time.After(min(quiet, 5*time.Millisecond)):
		}
		if now := c.Totals().Bytes; now != bytes {
			bytes, since = now, time.Now()
		}
	}
	return nil
}

func (c *Client) firstError() error {
	for _, l := range c.loops {
		var err error
		l.do(func() { err = l.err })
		if err != nil {
			return err
		}
	}
	return errors.New("no reason recorded")
}

// Close resets all connections and ends the threads.
func (c *Client) Close() {
	for _, l := range c.loops {
		l.do(l.stop)
		<-l.done
	}
	c.loops = nil
}
