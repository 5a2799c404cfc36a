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
	shut     bool           // the shard takes nothing any more

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
	if b.shut {
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
	case b.shut:
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
	if b.shut {
		return ErrStopped
	}
	if int(b.joining.Load()) >= b.joinsMax && !j.greeting.done { // a stream that was greeted is let in
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
	if !b.shut { // else the descriptor to wake it by may be a client's by now
		b.kernel.Wake()
	}
}

// close shuts the inbox. What is in it can still be taken.
func (b *inbox) close() {
	b.mu.Lock()
	b.shut = true
	b.mu.Unlock()
}

// letters is what a shard took out of its inbox; the slices are swapped, not
// copied.
type letters struct {
	joins    []Join
	admitted int // of joins, those that are streams by now
	dirty    []dirtyMark
	queued   int // of dirty, those that are queued by now
	calls    []func()
	called   int // of calls, those that were made by now
	answered []*topic.Topic
	heard    int // of answered, those that were heard by now
}

// left is how many are not dealt with yet.
func (l *letters) left() int {
	return len(l.joins) - l.admitted + len(l.dirty) - l.queued + len(l.calls) - l.called + len(l.answered) - l.heard
}

// take takes out each kind of letters of which l has none left of an earlier
// take. l's slices become the inbox's.
func (b *inbox) take(l *letters) {
	l.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(l.calls) == 0 {
		b.calls, l.calls = l.calls, b.calls
	}
	if len(l.answered) == 0 {
		b.answered, l.answered = l.answered, b.answered
	}
	if len(l.joins) == 0 {
		b.joins, l.joins = l.joins, b.joins
	}
	if len(l.dirty) == 0 {
		b.dirty, l.dirty = l.dirty, b.dirty
	}
	b.depth.Store(int32(len(b.joins) + len(b.dirty) + len(b.calls) + len(b.answered)))
}

// forget empties what has been dealt with: it keeps no topic alive.
func (l *letters) forget() {
	if l.called == len(l.calls) {
		l.calls, l.called = emptied(l.calls), 0
	}
	if l.heard == len(l.answered) {
		l.answered, l.heard = emptied(l.answered), 0
	}
	if l.admitted == len(l.joins) {
		l.joins, l.admitted = emptied(l.joins), 0
	}
	if l.queued == len(l.dirty) {
		l.dirty, l.queued = emptied(l.dirty), 0
	}
}

// lettersKept bounds what is kept of slices that a storm has blown up.
const lettersKept = 1024

func emptied[T any](s []T) []T {
	if cap(s) > lettersKept {
		return nil
	}
	clear(s)
	return s[:0]
}
