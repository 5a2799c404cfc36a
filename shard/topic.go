package shard

import (
	"sync"
	"sync/atomic"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// ShardsMax is how many shards a node can have: a topic has one bit for each shard,
// which says whether the shard is interested.
const ShardsMax = 64

// noState is what Topic.local holds for a shard without subscribers.
const noState = ^uint32(0)

// Topic is a log and the shards that are interested in it.
//
// refs counts the holders of the topic: subscriptions, and publishes under way. A
// topic without holders whose log is empty lingers for a while (Table.linger) and
// is then forgotten.
type Topic struct {
	name  string
	table *Table
	refs  atomic.Int32 // raised under the stripe's lock

	interested atomic.Uint64 // bit s: shard s has subscribers; set and cleared by shard s
	dirty      atomic.Uint64 // bit s: shard s was told of events that it has not looked at yet
	local      []uint32      // index of this topic's state in shard s; element s belongs to shard s

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

// publish appends an event and gives it the next id: the present millisecond, or
// the sequence number after the last one. Safe from any goroutine.
func (t *Topic) publish(body []byte) eventid.ID {
	r := &t.table.retention
	t.mu.Lock()
	now := t.table.nowMS()
	id := eventid.ID{MS: now}
	if last := t.log.NewestID(); !last.Less(id) {
		id = eventid.ID{MS: last.MS, Seq: last.Seq + 1}
	}
	grown := t.log.Append(body, id)
	grown -= t.log.Trim(r, now, now)
	t.mu.Unlock()
	t.table.used(t, now, grown)
	t.wake()
	return id
}

// wake tells every interested shard that does not know yet. The log was changed
// before, so a shard that clears its bit and then looks at the log misses
// nothing.
func (t *Topic) wake() {
	want := t.interested.Load()
	if want == 0 {
		return
	}
	fresh := want &^ t.dirty.Or(want)
	if fresh == 0 {
		return
	}
	now := nanotime()
	for s, shard := range t.table.shards {
		if fresh&(1<<s) != 0 {
			shard.inbox.markDirty(t, now)
		}
	}
}

// unused reports whether the log is empty.
func (t *Topic) unused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Events() == 0
}

// snapshot copies what a pass needs of the log.
func (t *Topic) snapshot(s *log.Snapshot) {
	t.mu.Lock()
	s.Take(&t.log)
	t.mu.Unlock()
}

// headAt reports whether the log's head is at cursor.
func (t *Topic) headAt(cursor uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Head() == cursor
}

// locate finds where a stream begins: at the head, at the oldest event, or where p
// says. own is for a time that this node itself has given the stream (Join.fix): the topic may have
// had no event since.
func (t *Topic) locate(r log.Resume, p eventid.Position, own bool) log.Place {
	now := t.table.nowMS()
	t.mu.Lock()
	shrunk := t.log.Trim(&t.table.retention, now, t.table.ids(now))
	defer func() {
		t.mu.Unlock()
		t.table.shrunk(t, shrunk)
	}()
	found := t.log.Live(now)
	if r == log.ResumeAt || r == log.ResumeEarliest {
		seen := t.log.Resumable(&t.table.retention, t.table.ids(now))
		switch {
		case r == log.ResumeAt:
			found = seen.Resume(p, now)
			if own && found.Cause == log.GapFuture && p.ID.IsBound() {
				found = seen.Since(p)
			}
		case seen.Events() > 0:
			found = seen.Earliest()
		}
	}
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
