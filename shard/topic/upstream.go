package topic

import (
	"math/bits"
	"sync/atomic"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// Upstream is where the events of topics come from if other nodes have them as well: it orders
// them, and keeps more of them than the logs here, which are windows on what it has. A log grows at
// its head as events are published, and at its tail when a stream wants to go on from before it.
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
	// Read has events read that the log has no place for.
	Read(Reading)
	// Now is a point in time before every event that is still to come.
	Now() eventid.Position
	// Stop says that nothing has held the topic for a while, and that it was forgotten.
	Stop()
}

// Reading is a request for some of the events after From and before the log's end, for one stream.
type Reading struct {
	From eventid.Position // zero: only the first one there is
	// stands for the address of the stream's client: no client has more than its share of the
	// readings; 0: it is not known
	Client uint64
	// Wanted reports whether the stream is still there.
	Wanted func() bool
	// Got is called once with them, in their order, unless they are not wanted any more: none, if
	// there are none. Both may be called from any goroutine. What does not follow From begins with
	// a hole, always if that is zero.
	Got func([]log.Older)
}

// feed is what a topic with an upstream has in addition.
type feed struct {
	Feed
	waiting  atomic.Uint64 // bit s: listener s has streams that wait for an answer
	answered uint64        // guarded by the topic's lock, like floor
	floor    eventid.ID    // the newest id that the upstream is known to have no more
}

// Feed returns the upstream's part of the topic.
func (t *Topic) Feed() Feed { return t.feed.Feed }

// Span returns the newest id that is not in the log, and the newest one that is, or the same
// again if it is empty; false if the log has no place yet.
func (t *Topic) Span() (lost, last eventid.ID, placed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Lost(), t.log.NewestID(), t.log.Placed()
}

// Has reports whether the log has an event with that id.
func (t *Topic) Has(id eventid.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.log.Find(id)
	return ok
}

// MayHaveHad reports whether the log has an event with that id, or may have had it and let it go,
// or begins after it.
func (t *Topic) MayHaveHad(id eventid.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, has := t.log.Find(id)
	return has || !t.log.Gone().Less(id)
}

// MayNeverHaveHad reports whether the log has no event with that id, and may never have had it.
func (t *Topic) MayNeverHaveHad(id eventid.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, has := t.log.Find(id)
	return !has && t.log.MayNeverHaveHad(id)
}

// Place says where the log begins, once: later events will be appended. floor is the newest id
// that the upstream has no more, zero if there is none or it is not known.
func (t *Topic) Place(at eventid.Position, floor eventid.ID) {
	t.mu.Lock()
	t.log.BeginAt(eventid.Before(at))
	t.feed.floor = floor
	t.mu.Unlock()
	t.wakeWaiting()
}

// add changes the log by add, which returns by how much its memory has grown, and trims it. It does
// nothing if the topic was forgotten.
func (t *Topic) add(add func(l *log.Log) (grown int64)) bool {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return false
	}
	now := t.table.nowMS()
	grown := add(&t.log)
	grown -= t.log.Trim(&t.table.retention, now, t.table.ids(now))
	t.mu.Unlock()
	t.table.used(t, now, grown)
	return true
}

// Append adds the event that follows the newest one. If its id is not above that of the newest, the
// history was rewritten.
func (t *Topic) Append(id eventid.ID, body []byte) {
	if t.add(func(l *log.Log) int64 { return l.Append(body, id) }) {
		t.wake()
	}
}

// AppendRaw adds an event that has no id and no place in the topic's history: connected streams get
// it, streams that resume later do not.
func (t *Topic) AppendRaw(body []byte) {
	if t.add(func(l *log.Log) int64 { return l.AppendRaw(body) }) {
		t.wake()
	}
}

// Prepend adds the events right before the oldest one, oldest first. lost is the id before them,
// and below the newest id that was lost until now (Span); if there are events, the last of them is
// that one, otherwise nothing lies between the two. It reports false and changes nothing if the log
// no longer begins there, or has dropped events: older ones cannot be added to it.
func (t *Topic) Prepend(events []log.Older, lost, below eventid.ID) bool {
	t.mu.Lock()
	l := &t.log
	if t.over || l.Lost() != below || !l.Whole() {
		t.mu.Unlock()
		return false
	}
	grown := int64(0)
	if len(events) > 0 {
		grown = l.Prepend(t.name, events, lost)
	} else {
		l.Lower(lost)
	}
	t.mu.Unlock()
	t.table.used(t, t.table.nowMS(), grown)
	return true
}

// Extends reports whether older events can, and should, be put before the log's oldest one: not if
// the log has what the retention allows, and not if all logs together have half of --history-max,
// since older events would then displace logs in use.
func (t *Topic) Extends() bool {
	now := t.table.nowMS()
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.over && t.log.Whole() && !t.table.retention.Full(&t.log, t.table.ids(now)) &&
		t.table.held.Load() <= t.table.historyMax/2
}

// EventBytes is the mean size of the log's events in wire form; 0 if it has none.
func (t *Topic) EventBytes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log.Events() == 0 {
		return 0
	}
	return int(t.log.Bytes()) / t.log.Events()
}

// Skip adds a gap: the events after from, up to and including to, are lost. A zero from says that
// the beginning of the gap is unknown; a zero to, that the lost events have no ids. The gap is an
// event in the log, which each stream that reaches it is sent.
func (t *Topic) Skip(from, to eventid.ID) {
	if t.add(func(l *log.Log) int64 { return l.Skip(t.name, from, to) }) {
		t.wakeForGap()
	}
}

// wakeForGap makes the listeners send a gap that was put at the head of the log: each stream is
// told.
func (t *Topic) wakeForGap() {
	t.table.Missed.Add(uint64(t.refs.Load()))
	t.wake()
}

// Lose adds a gap for an event that the upstream has forgotten, that never came to the log, and
// that lies behind or between the log's events. The gap is an event in the log without an id of its
// own, which each stream that reaches it is sent. reading says that events added until CaughtUp may
// be older.
func (t *Topic) Lose(id eventid.ID, reading bool) {
	if t.add(func(l *log.Log) int64 { return l.Lose(t.name, id, reading) }) {
		t.wakeForGap()
	}
}

// LostInGap says that the gap that was added last covers an event with that id, which the upstream
// has forgotten. Events added until CaughtUp may be older.
func (t *Topic) LostInGap(id eventid.ID) {
	t.mu.Lock()
	t.log.LostInGap(id)
	t.mu.Unlock()
}

// CaughtUp says that the log has all that the upstream has: events added from here on are new.
func (t *Topic) CaughtUp() {
	t.mu.Lock()
	t.log.CaughtUp()
	t.mu.Unlock()
}

// Fork says that the upstream has forgotten the events after id, and that other events will follow
// id. The forgotten events that are in the log stay there, and every stream that lacks them gets
// them.
func (t *Topic) Fork(id eventid.ID) {
	t.mu.Lock()
	t.log.Fork(id)
	t.mu.Unlock()
}

// BeginAnew says that the upstream's stream was gone, and that events of a new one follow: nothing
// is missing. id is a time before them, written as the last id that is possible before it. erased
// says that the earlier stream did not go by its age.
func (t *Topic) BeginAnew(id eventid.ID, erased bool) {
	t.mu.Lock()
	t.log.BeginAnew(id, erased)
	t.mu.Unlock()
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
	t.wakeWaiting()
}

// Await registers listener n for the answers about the topic that come from here on.
func (t *Topic) Await(n int) { t.feed.waiting.Or(1 << n) }

// wakeWaiting tells the listeners that wait that the topic was answered.
func (t *Topic) wakeWaiting() {
	for mask := t.feed.waiting.Swap(0); mask != 0; mask &= mask - 1 {
		t.table.listeners[bits.TrailingZeros64(mask)].Answered(t)
	}
}
