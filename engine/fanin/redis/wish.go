package redis

import (
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/shard"
)

// wish is a reading for one stream: events that its topic's log has no place for.
type wish struct {
	feed *feed
	from eventid.Position // zero: from the first one there is
	got  func(lost eventid.ID, events []shard.Older)
}

// What is read for streams in one go: how many of them, events of each, and bytes of each unless one event has more.
const (
	wishesMax      = 16
	wishEvents     = 32
	wishEventBytes = 64 << 10
)

// Read is called for a stream that is behind what the log can have.
func (f *feed) Read(from eventid.Position, got func(lost eventid.ID, events []shard.Older)) {
	wish{f, from, got}.enqueue()
}

// enqueue queues the wish at its topic's master. While that is not known, or its connection is lost, it waits.
func (w wish) enqueue() {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.node == nil || f.state == away:
		w.again(refusedPause)
	default:
		q := &f.node.fetches
		q.mu.Lock()
		q.wishes = append(q.wishes, w)
		q.mu.Unlock()
		poke(q.wake)
	}
}

func (w wish) again(after time.Duration) { time.AfterFunc(after, w.enqueue) }

func (w wish) command(s *Source) rueidis.Completed {
	start := "-"
	if w.from != (eventid.Position{}) {
		start = "(" + shard.Before(w.from).String()
	}
	return s.client.B().Xrange().Key(w.feed.key()).Start(start).End("+").Count(wishEvents).Build()
}

// answer takes what was read: as much as is without a gap.
func (w wish) answer(entries []rueidis.XRangeEntry) {
	s := w.feed.source
	var events []shard.Older
	var lost, last eventid.ID
	size := 0
	for i, entry := range entries {
		m, ok := s.element(entry)
		if !ok || m.bad || i > 0 && (m.Prev != last || size >= wishEventBytes) {
			break
		}
		body, ok := s.body(&m.Message)
		if !ok {
			break
		}
		if i == 0 {
			if lost = m.Prev; lost.IsZero() {
				lost = s.beginning(m.ID, w.from)
			}
		}
		events = append(events, shard.Older{ID: m.ID, Body: append([]byte(nil), body.B...)})
		size += len(body.B)
		bodies.Put(body)
		last = m.ID
	}
	w.got(lost, events)
}
