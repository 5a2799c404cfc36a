package shard

import (
	"errors"
	"sync"
	"sync/atomic"

	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// ErrInboxFull is what a join gets from a shard that cannot keep up with them.
var ErrInboxFull = errors.New("the shard's inbox is full")

// ErrStopped is what a join gets from a shard that has ended.
var ErrStopped = errors.New("the shard has stopped")

// dirtyMark says that a topic has events since a time (nanotime).
type dirtyMark struct {
	topic *topic.Topic
	since int64
}

// inbox is the only way into a shard from another goroutine. Joins are bounded;
// dirty marks are by nature (one per topic), calls by their callers.
type inbox struct {
	kernel   sys.Kernel
	joinsMax int

	mu       sync.Mutex
	joins    []Join
	dirty    []dirtyMark
	calls    []func()
	answered []*topic.Topic // of which the upstream has said something
	closed   bool           // the shard takes nothing any more

	depth   atomic.Int32 // everything that waits in here
	joining atomic.Int32 // joins that are no streams yet, here or taken
	asleep  atomic.Bool  // the shard waits in the kernel, or is about to
}

func (b *inbox) markDirty(t *topic.Topic) {
	since := nanotime()
	b.mu.Lock()
	b.dirty = append(b.dirty, dirtyMark{t, since})
	b.depth.Add(1)
	b.mu.Unlock()
	b.wake()
}

// answer has the shard look at the streams that wait for the upstream of a topic.
func (b *inbox) answer(t *topic.Topic) {
	b.mu.Lock()
	b.answered = append(b.answered, t)
	b.depth.Add(1)
	b.mu.Unlock()
	b.wake()
}

// call has the shard call f in its next turn; false if it has ended.
func (b *inbox) call(f func()) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.calls = append(b.calls, f)
	b.depth.Add(1)
	b.mu.Unlock()
	b.wake()
	return true
}

// room says whether there is room for one more join: nil, or why not.
func (b *inbox) room() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrStopped
	case int(b.joining.Load()) >= b.joinsMax:
		return ErrInboxFull
	}
	return nil
}

// join takes a stream in without waking the shard: a caller that accepts a
// batch wakes it once for all of them.
func (b *inbox) join(j Join) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrStopped
	}
	if int(b.joining.Load()) >= b.joinsMax && !j.greeting.done {
		// a stream that was greeted is let in
		return ErrInboxFull
	}
	b.joining.Add(1)
	b.joins = append(b.joins, j)
	b.depth.Add(1)
	return nil
}

// wake ends the shard's sleep. Only the first of many pays for the system call.
func (b *inbox) wake() {
	if !b.asleep.Load() || !b.asleep.CompareAndSwap(true, false) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed { // else the descriptor to wake it by may be a client's by now
		b.kernel.Wake()
	}
}

// close shuts the inbox. What is in it can still be taken.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
}

// incoming is what a shard took out of its inbox; the slices are swapped, not copied.
type incoming struct {
	joins    []Join
	admitted int // of joins, those that are streams by now
	dirty    []dirtyMark
	queued   int // of dirty, those that are queued by now
	calls    []func()
	called   int // of calls, those that were made by now
	answered []*topic.Topic
	noted    int // of answered, those whose waiting streams were woken by now
}

// left is how many are not dealt with yet.
func (in *incoming) left() int {
	return len(in.joins) - in.admitted + len(in.dirty) - in.queued +
		len(in.calls) - in.called + len(in.answered) - in.noted
}

// take takes out each kind of which in has none left of an earlier take. in's slices become the
// inbox's.
func (b *inbox) take(in *incoming) {
	in.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(in.calls) == 0 {
		b.calls, in.calls = in.calls, b.calls
	}
	if len(in.answered) == 0 {
		b.answered, in.answered = in.answered, b.answered
	}
	if len(in.joins) == 0 {
		b.joins, in.joins = in.joins, b.joins
	}
	if len(in.dirty) == 0 {
		b.dirty, in.dirty = in.dirty, b.dirty
	}
	b.depth.Store(int32(len(b.joins) + len(b.dirty) + len(b.calls) + len(b.answered)))
}

// forget empties what has been dealt with: it keeps no topic alive.
func (in *incoming) forget() {
	if in.called == len(in.calls) {
		in.calls, in.called = emptied(in.calls), 0
	}
	if in.noted == len(in.answered) {
		in.answered, in.noted = emptied(in.answered), 0
	}
	if in.admitted == len(in.joins) {
		in.joins, in.admitted = emptied(in.joins), 0
	}
	if in.queued == len(in.dirty) {
		in.dirty, in.queued = emptied(in.dirty), 0
	}
}

// incomingKept bounds what is kept of slices that a storm has blown up.
const incomingKept = 1024

func emptied[T any](s []T) []T {
	if cap(s) > incomingKept {
		return nil
	}
	clear(s)
	return s[:0]
}
