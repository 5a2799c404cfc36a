package topic

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// What only the upstream can say of where a stream begins.

// Doubts reports whether only the upstream can say where a stream begins that has seen everything
// up to p, and has not answered since ask.
func (t *Topic) Doubts(r log.Resume, p eventid.Position, ask uint64) bool {
	now := t.table.nowMS()
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.log
	switch {
	case !l.Placed():
		return true
	case ask != 0 && t.feed.answered >= ask:
		return false
	case r == log.ResumeEarliest:
		return t.feed.floor.Less(l.Lost())
	case r != log.ResumeAt:
		return false
	}
	switch l.Resume(p, now).Cause {
	case log.GapExpired, log.GapEvicted:
		return t.feed.floor.Less(l.Lost())
	case log.GapFuture:
		return true
	}
	return false
}

// DoubtsNewest is Doubts for a stream that wants the newest n events: while the log has fewer, the
// upstream may have more.
func (t *Topic) DoubtsNewest(n int, ask uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.log
	switch {
	case !l.Placed():
		return true
	case ask != 0 && t.feed.answered >= ask:
		return false
	}
	return l.Events() < n && t.feed.floor.Less(l.Lost())
}

// MayHaveOlder reports whether a stream that has seen everything up to p, or wants the earliest
// event there is, wants some that the log has not got and the upstream may have.
func (t *Topic) MayHaveOlder(p eventid.Position, earliest bool) bool {
	now := t.table.nowMS()
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.log.Resumable(&t.table.retention, t.table.ids(now))
	if !earliest {
		if cause := seen.Resume(p, now).Cause; cause != log.GapExpired && cause != log.GapEvicted {
			return false
		}
	}
	return t.feed.floor.Less(seen.Lost())
}

// Here is the position of a stream that begins live. While the topic's place is unknown it is a
// time, written as the last possible id before it: a plain time would say that the topic has no
// event.
func (t *Topic) Here() eventid.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log.Placed() {
		return t.log.Position()
	}
	return eventid.After(eventid.Before(t.feed.Now()))
}

// RewrittenSince returns the gap that a stream at a position must be told if the log's history was
// rewritten since it looked ([log.Log.RewrittenSince]).
func (t *Topic) RewrittenSince(looked *log.Rewriting, at eventid.Position) (gap log.Place,
	ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.RewrittenSince(looked, at)
}
