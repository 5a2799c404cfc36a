package topic

import (
	"sync"
	"sync/atomic"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// ListenersMax is how many listeners a table can have: a topic has one bit for each,
// which says whether the listener is interested.
const ListenersMax = 64

// Listener is told of the topics in which it is interested: a shard. Its number is its place among
// those of [Table.Listen]. Both methods may be called from any goroutine; they must not block.
type Listener interface {
	// Dirty says that a topic has something new. It is not said again before the listener has
	// called Topic.Look.
	Dirty(*Topic)
	// Answered says that something is known of a topic that was not, and for which the listener
	// waits (Topic.Await).
	Answered(*Topic)
}

// NoState is what [Topic.State] is for a listener that is not interested.
const NoState = ^uint32(0)

// Topic is a log and the listeners that are interested in it. It is safe from any goroutine, but
// for what belongs to a listener.
//
// refs counts the holders of the topic: subscriptions, and publishes under way. A topic without
// holders whose log is empty lingers for a while (Table.linger) and is then forgotten.
type Topic struct {
	name  string
	table *Table
	refs  atomic.Int32 // raised under the stripe's lock

	interested atomic.Uint64 // bit s: listener s is; set and cleared by it
	dirty      atomic.Uint64 // bit s: listener s was told of events that it has not looked at yet
	local      []uint32      // what listener s has noted of the topic; element s belongs to it

	mu   sync.Mutex // guards log and over
	log  log.Log
	over bool // the topic was forgotten: nothing is added any more

	feed *feed // with an upstream

	stamp atomic.Uint64 // its place in recency; written under recency's lock, like the links
	newer *Topic
	older *Topic
}

// Name returns the topic's name.
func (t *Topic) Name() string { return t.name }

// Holders returns how many hold the topic: its subscribers and, for a moment, others.
func (t *Topic) Holders() int { return int(t.refs.Load()) }

// State is what listener n has noted of the topic in [Topic.Join]; NoState if it is not interested.
// It belongs to the listener, as Join, Leave and Look do.
func (t *Topic) State(n int) uint32 { return t.local[n] }

// Join registers listener n, which must look at the log after this: it is told only of what is
// added from here on.
func (t *Topic) Join(n int, state uint32) {
	t.local[n] = state
	t.interested.Or(1 << n)
}

// Leave is the inverse.
func (t *Topic) Leave(n int) {
	t.interested.And(^(uint64(1) << n))
	t.local[n] = NoState
}

// ClearDirty clears listener n's dirty mark before it takes a snapshot: what is added from here on
// sets it again.
func (t *Topic) ClearDirty(n int) { t.dirty.And(^(uint64(1) << n)) }

// Interested is the listeners that are interested, a bit for each.
func (t *Topic) Interested() uint64 { return t.interested.Load() }

// wake tells every interested listener that does not know yet. The log was changed before, so a
// listener that clears its bit and then looks at the log misses nothing.
func (t *Topic) wake() {
	want := t.interested.Load()
	if want == 0 {
		return
	}
	fresh := want &^ t.dirty.Or(want)
	if fresh == 0 {
		return
	}
	for n, l := range t.table.listeners {
		if fresh&(1<<n) != 0 {
			l.Dirty(t)
		}
	}
}

// unused reports whether the log is empty.
func (t *Topic) unused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Events() == 0
}

// Snapshot copies what a pass needs of the log.
func (t *Topic) Snapshot(s *log.Snapshot) {
	t.mu.Lock()
	s.Take(&t.log)
	t.mu.Unlock()
}

// HeadAt reports whether the log's head is at cursor.
func (t *Topic) HeadAt(cursor uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Head() == cursor
}

// Locate finds where a stream begins: at the head, at the oldest event, or where p says. own is for
// a time that this node itself has given the stream ([Topic.Here]): the topic may have had no event
// since.
func (t *Topic) Locate(r log.Resume, p eventid.Position, own bool) log.Place {
	return t.locate(func(now uint64) log.Place {
		switch r {
		case log.ResumeNot:
			return t.log.Live(now)
		case log.ResumeMalformed:
			return t.log.Malformed(now)
		}
		seen := t.log.Resumable(&t.table.retention, t.table.ids(now))
		switch {
		case r == log.ResumeAt:
			found := seen.Resume(p, now)
			if own && found.Cause == log.GapFuture && p.ID.IsBound() {
				found = seen.Since(p)
			}
			return found
		case seen.Events() > 0:
			return seen.Earliest()
		}
		return t.log.Live(now)
	})
}

// LocateNewest finds where a stream begins that wants the newest n events.
func (t *Topic) LocateNewest(n int) log.Place {
	return t.locate(func(now uint64) log.Place {
		seen := t.log.Resumable(&t.table.retention, t.table.ids(now))
		if n > 0 && seen.Events() > 0 {
			return seen.Rewound(n)
		}
		return t.log.Live(now)
	})
}

// locate calls find with the lock held, on a log that was trimmed.
func (t *Topic) locate(find func(now uint64) log.Place) log.Place {
	now := t.table.nowMS()
	t.mu.Lock()
	shrunk := t.log.Trim(&t.table.retention, now, t.table.ids(now))
	defer func() {
		t.mu.Unlock()
		t.table.shrunk(t, shrunk)
	}()
	found := find(now)
	found.Head = t.log.Head()
	return found
}

// ResumableAfter is the newest id that a resume cannot have, though the window may.
func (t *Topic) ResumableAfter() eventid.ID {
	now := t.table.nowMS()
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.log.Resumable(&t.table.retention, t.table.ids(now))
	return seen.Lost()
}
