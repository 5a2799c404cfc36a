package shard

import (
	"math/bits"
	"sync/atomic"

	"ssedge/proto/eventid"
)

// Upstream is where the events of topics come from if other nodes have them as well: it
// orders them, and keeps more of them than the logs here, which are windows on what it has.
// A log grows at its head as events are published, and at its tail when a stream wants
// to go on from before it.
//
// The methods may be called from any goroutine, with a lock of the table held: they must
// neither block nor call back from within.
type Upstream interface {
	// Follow says that there is a topic now whose events are wanted. The feed says where its
	// log begins (Topic.Place) as soon as no later event can be missed.
	Follow(*Topic) Feed
}

// Feed is the upstream's part of one topic.
type Feed interface {
	// Ask says that a stream wants to go on from there, and that the log cannot tell whether it
	// can: it begins later, or ends before. It returns a number, from 1 on. When the feed has
	// looked since, and extended the log as far as it can be, it calls Topic.Answer with that
	// number or a later one.
	Ask(from eventid.Position) (n uint64)
	// Read has events read that the log has no place for: some of those after from, in their order. got is
	// called once with them, from any goroutine, unless the topic is forgotten before. Nothing lies between lost and
	// the first of them; there may be none.
	Read(from eventid.Position, got func(lost eventid.ID, events []Older))
	// Now is a point in time before every event that is still to come.
	Now() eventid.Position
	// Stop says that nobody has wanted the topic for a while, and that it was forgotten.
	Stop()
}

// feed is what a topic with an upstream has in addition.
type feed struct {
	Feed
	waiting  atomic.Uint64 // bit s: shard s has streams that wait for an answer
	answered uint64        // guarded by the topic's lock, like floor
	floor    eventid.ID    // the newest id that the upstream is known to have no more
}

// foreignHead is where the head of a log with an upstream begins: there is room for
// older events before it.
const foreignHead = 1 << 48

// Feed returns the upstream's part of the topic.
func (t *Topic) Feed() Feed { return t.feed.Feed }

// Span returns the newest id that is not in the log, and the newest one that is, or the same
// again if it is empty; false if the log has no place yet.
func (t *Topic) Span() (lost, last eventid.ID, placed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.lost, t.log.newestID(), t.log.placed
}

// Has reports whether the log has an event with that id.
func (t *Topic) Has(id eventid.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := eventid.After(id)
	return t.log.lost.Less(id) && t.log.idBefore(t.log.after(p).cursor) == id
}

// Place says where the log begins, once: later events will be appended. floor is the newest id
// that the upstream has no more, zero if there is none or it is not known.
func (t *Topic) Place(at eventid.Position, floor eventid.ID) {
	t.mu.Lock()
	t.log.lost, t.log.placed = Before(at), true
	t.feed.floor = floor
	t.mu.Unlock()
	t.tellWaiting()
}

// Append adds the event that follows the newest one. id must be above that.
func (t *Topic) Append(id eventid.ID, body []byte) {
	t.mu.Lock()
	if t.log.over {
		t.mu.Unlock()
		return
	}
	now := t.table.nowMS()
	grown := t.log.append(body, id)
	grown -= t.log.trim(t.table.live(), now)
	t.mu.Unlock()
	t.table.used(t, now, grown)
	t.wake()
}

// AppendRaw adds an event that has no id and no place in the topic's history: whoever is there
// gets it, whoever resumes does not.
func (t *Topic) AppendRaw(body []byte) {
	t.mu.Lock()
	if t.log.over {
		t.mu.Unlock()
		return
	}
	now := t.table.nowMS()
	grown := t.log.appendRaw(body)
	grown -= t.log.trim(t.table.live(), now)
	t.mu.Unlock()
	t.table.used(t, now, grown)
	t.wake()
}

// Older is an event that is put before the others of a log.
type Older struct {
	ID   eventid.ID
	Body []byte // in wire form without its id; it is copied
}

// Prepend adds the events that lie right before the oldest one, oldest first. lost is the id
// before them, and below the newest one that was lost until now, as Span has said: the last of
// them, if there are any; otherwise nothing lies between the two. It reports false, and changes
// nothing, if the log does not begin there any more, or has let events go: what is before them
// is not to be had here.
func (t *Topic) Prepend(events []Older, lost, below eventid.ID) bool {
	t.mu.Lock()
	l := &t.log
	if l.over || l.lost != below || l.tail != l.lowest {
		t.mu.Unlock()
		return false
	}
	grown := int64(0)
	if len(events) > 0 {
		grown = l.prepend(events, lost)
	} else {
		l.lost = lost
	}
	t.mu.Unlock()
	t.table.used(t, t.table.nowMS(), grown)
	return true
}

// Extends reports whether events can be put before the oldest one of the log.
func (t *Topic) Extends() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.log.over && t.log.tail == t.log.lowest
}

// Skip says that events after from and up to to cannot be had any more. It is an event in the log: whoever comes by is told
// of the gap.
func (t *Topic) Skip(from, to eventid.ID) {
	t.mu.Lock()
	if t.log.over {
		t.mu.Unlock()
		return
	}
	if newest := t.log.newestID(); to.Less(newest) { // ids do not go back
		to = newest
	}
	if to.Less(from) { // the history is another one
		from = to
	}
	gap := place{from: positionOf(from), known: true, to: positionOf(to), cause: GapMissed}
	now := t.table.nowMS()
	grown := t.log.appendGap(appendGap(nil, t.name, &gap), to)
	grown -= t.log.trim(t.table.live(), now)
	t.mu.Unlock()
	t.table.used(t, now, grown)
	t.table.shards[0].stats.Gaps[GapMissed].Add(uint64(t.refs.Load())) // each stream is told, by whichever shard
	t.wake()
}

// Fork says that the upstream has forgotten events after id, and that others follow. Who was
// sent those has them; who was not is told of a gap.
func (t *Topic) Fork(id eventid.ID) {
	t.mu.Lock()
	shrunk := t.log.reset(id)
	t.mu.Unlock()
	t.table.held.Add(-shrunk)
	t.wake()
}

// Answer says that the asks up to number n are answered. floor is the newest id that the upstream
// is known to have no more.
func (t *Topic) Answer(n uint64, floor eventid.ID) {
	t.mu.Lock()
	t.feed.answered = max(t.feed.answered, n)
	if t.feed.floor.Less(floor) {
		t.feed.floor = floor
	}
	t.mu.Unlock()
	t.tellWaiting()
}

// tellWaiting has the shards look at the streams that wait.
func (t *Topic) tellWaiting() {
	for mask := t.feed.waiting.Swap(0); mask != 0; mask &= mask - 1 {
		t.table.shards[bits.TrailingZeros64(mask)].inbox.answer(t)
	}
}
