package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine"
)

// crowd is many streams on one topic, each read by a goroutine of its own.
type crowd struct {
	streams []*stream
	each    func(i int, st *stream) error // reads one stream to its end
	readers sync.WaitGroup
	mu      sync.Mutex
	failed  []error
}

// newCrowd opens size streams; read is called for each, on its own goroutine.
func newCrowd(t *testing.T, s *server, size int, a ask, read func(i int, st *stream) error) *crowd {
	t.Helper()
	c := &crowd{streams: make([]*stream, size), each: read}
	var dialers sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		dialers.Go(func() {
			for i := int(next.Add(1)) - 1; i < size; i = int(next.Add(1)) - 1 {
				st, err := s.dial(a)
				if err == nil {
					err = st.opening()
				}
				if err != nil {
					c.fail(fmt.Errorf("stream %d: %w", i, err))
					return
				}
				c.streams[i] = st
			}
		})
	}
	dialers.Wait()
	t.Cleanup(c.reset)
	if err := c.err(); err != nil {
		t.Fatal(err)
	}
	for i, st := range c.streams {
		c.readers.Go(func() {
			if err := c.each(i, st); err != nil {
				c.fail(fmt.Errorf("stream %d: %w", i, err))
			}
		})
	}
	return c
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = append(c.failed, err)
}

// err is the first few things that went wrong.
func (c *crowd) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.failed[:min(len(c.failed), 5)]...)
}

func (c *crowd) reset() {
	for _, st := range c.streams {
		if st != nil {
			st.reset()
		}
	}
	c.readers.Wait()
}

// TestUnicastIsNotStuckBehindBroadcasts publishes an event for one right after one
// for thousands, on a node with one shard, and looks at how many of the thousands
// were sent theirs when it arrives. Behind the broadcast that is always all of
// them; noise can only make it more. So half of them or fewer, in one round of
// ten, shows that the broadcast was interrupted, however slow the machine is.
func TestUnicastIsNotStuckBehindBroadcasts(t *testing.T) {
	size, rounds := pick(4_000, 2_000, 1_000), 30
	n := startNode(t, func(c *engine.Config) { c.Shards = 1; c.TurnSends = 64; c.Heartbeat = 0 })
	c := newCrowd(t, &n.server, size, ask{topics: []string{"all"}, readBuffer: 512},
		func(_ int, st *stream) error {
			_, err := st.take(rounds)
			return err
		})
	one := n.opened(t, ask{topics: []string{"one"}})

	early := 0
	for range rounds {
		before := n.engine.Sends()
		n.publish(t, "all", "for all")
		n.publish(t, "one", "for one")
		if _, err := one.next(); err != nil {
			t.Fatal(err)
		}
		if n.engine.Sends()-before <= uint64(size/2) {
			early++
		}
		await(t, "the broadcast to end", func() (bool, string) {
			sent := n.engine.Sends() - before
			return sent >= uint64(size+1), fmt.Sprintf("%d sends", sent)
		})
	}
	c.readers.Wait()
	if err := c.err(); err != nil {
		t.Error(err)
	}
	t.Logf("in %d of %d rounds the unicast was there before half of the broadcast", early, rounds)
	if early < rounds/10 {
		t.Errorf("in %d of %d rounds only did the unicast arrive before half of the broadcast had been sent",
			early, rounds)
	}
}

// TestUnicastDuringBroadcastsIsComplete floods a topic of thousands without a pause: a topic with
// one subscriber loses nothing and keeps its order, and so do the thousands.
func TestUnicastDuringBroadcastsIsComplete(t *testing.T) {
	size, events := pick(3_000, 500, 500), pick(300, 100, 50)
	n := startNode(t, func(c *engine.Config) { c.HistoryBytes, c.Rule.EventBytes = 32<<20, 64<<10 })
	var done atomic.Bool
	c := newCrowd(t, &n.server, size, ask{topics: []string{"all"}, readBuffer: 512},
		func(_ int, st *stream) error {
			for i := 0; ; i++ {
				m, err := st.next()
				if err != nil {
					return err
				}
				if m.Data == "end" {
					return nil
				}
				if m.Data != fmt.Sprint(i) {
					return fmt.Errorf("expected broadcast %d, found %q", i, m.Data)
				}
			}
		})
	var flood sync.WaitGroup
	flood.Go(func() {
		for i := 0; !done.Load(); i++ {
			if _, err := n.post("all", fmt.Sprint(i)); err != nil {
				t.Errorf("broadcast %d: %v", i, err)
				return
			}
		}
		if _, err := n.post("all", "end"); err != nil {
			t.Error(err)
		}
	})
	one := n.opened(t, ask{topics: []string{"one"}})
	var published []event
	for i := range events {
		data := fmt.Sprint(i)
		published = append(published, event{n.publish(t, "one", data), data})
	}
	got, err := one.take(events)
	if err == nil {
		_, _, err = follows(published, got)
	}
	if err != nil {
		t.Error(err)
	}
	done.Store(true)
	flood.Wait()
	finished := make(chan struct{})
	go func() { c.readers.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(patience):
		t.Error("the broadcasts do not come to an end")
		c.reset()
	}
	if err := c.err(); err != nil {
		t.Error(err)
	}
}

// TestNoStreamIsMissedWhileOthersLeave has some of a topic's subscribers reset their
// connections while an event is on its way to all of them: those that stay get it,
// without another event to make up for it.
func TestNoStreamIsMissedWhileOthersLeave(t *testing.T) {
	const rounds = 20
	size := pick(2_000, 800, 800)
	leaves := func(i int) bool { return i%2 == 0 }
	n := startNode(t, func(c *engine.Config) { c.Shards, c.TurnSends, c.Heartbeat = 1, 16, 0 })
	var received atomic.Int64
	c := newCrowd(t, &n.server, size, ask{topics: []string{"all"}, readBuffer: 512},
		func(i int, st *stream) error {
			for k := 0; k < rounds && !leaves(i); k++ {
				m, err := st.next()
				if err != nil || m.Data != fmt.Sprint(k) {
					return fmt.Errorf("expected event %d, found %q, %v", k, m.Data, err)
				}
				received.Add(1)
			}
			return nil
		})
	gone := 0
	for k := range rounds {
		n.publish(t, "all", fmt.Sprint(k))
		for ; gone < size*(k+1)/rounds; gone++ {
			if leaves(gone) {
				c.streams[gone].reset()
			}
		}
		await(t, fmt.Sprintf("event %d at all %d that stay", k, size/2), func() (bool, string) {
			now := int(received.Load()) - k*size/2
			return now == size/2 || c.err() != nil, fmt.Sprint(now)
		})
	}
	if err := c.err(); err != nil {
		t.Error(err)
	}
	n.awaitStreams(t, size/2)
}
