package redis

import (
	"slices"
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// wish is a reading of events that its topic's log has no place for, for all streams that want the same.
type wish struct {
	feed     *feed
	from     eventid.Position
	readers  []topic.Reading
	queued   bool // it is in a queue, and not read yet
	failures int  // how often the servers did not answer, perhaps because it was too much
}

// What is read for streams in one go: how many of them, events of each, and their bytes, by the size of those in the log
// and of what was read last. A stream is given events until they have that many bytes: the last one may exceed it.
// Of the earliest events only the first is read: it says where the stream begins.
const (
	wishesMax     = 16
	wishEventsMax = 32
	wishEventsMin = 4
	wishBytes     = 64 << 10
)

// Read is called for a stream that is behind what the log can have.
func (f *feed) Read(r topic.Reading) {
	w := &wish{feed: f, from: r.From, readers: []topic.Reading{r}}
	w.enqueue()
}

// wanted reports whether a stream is there that wants it.
func (w *wish) wanted() bool {
	return slices.ContainsFunc(w.readers, func(r topic.Reading) bool { return r.Wanted() })
}

// enqueue queues the wish at its topic's master. While that is not known, or its connection is lost, it waits.
func (w *wish) enqueue() {
	f := w.feed
	if !w.wanted() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.node == nil || f.state == away || !f.node.fetches.wish(w):
		w.again(refusedPause)
	}
}

func (w *wish) again(after time.Duration) { w.feed.source.times.after(after, w.enqueue) }

// wish queues a wish; false if nothing takes from the queue any more.
func (q *fetches) wish(w *wish) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.wishes.add(w)
	signal(q.wake)
	return true
}

// close has the wishes that are left queued elsewhere.
func (q *fetches) close() {
	q.mu.Lock()
	left := q.wishes.close()
	q.closed = true
	q.mu.Unlock()
	for _, w := range left {
		w.again(refusedPause)
	}
}

// command reads what w wants.
func (w *wish) command(s *Source) rueidis.Completed {
	start, end, n := w.bounds()
	return s.client.B().Xrange().Key(w.feed.key()).Start(start).End(end).Count(int64(n)).Build()
}

// bounds is the range that is read: what comes after the wish's position and is before the log, which
// may have more than the servers. After a time at which the topic had no event comes all that its
// stream has.
func (w *wish) bounds() (start, end string, n int) {
	s := w.feed.source
	start, end = "-", "+"
	if w.from != (eventid.Position{}) && !w.from.Time {
		start = "(" + eventid.Before(w.from).String()
	}
	if lost := w.feed.topic.ResumableAfter(); !lost.IsZero() {
		end = lost.String()
	}
	if w.from == (eventid.Position{}) {
		return start, end, 1
	}
	n = wishEventsMin
	if size := max(w.feed.topic.EventBytes(), int(s.wishSize.Load())); size > 0 {
		n = max(min(wishBytes/size, wishEventsMax), wishEventsMin)
	}
	return start, end, max(n>>min(w.failures, 8), 1)
}

// answer gives the streams what was read, with holes in it where something is missing. While the log is being held against
// another history, what was read may be of either: it is read again.
func (w *wish) answer(entries []rueidis.XRangeEntry) {
	s := w.feed.source
	if w.feed.compares() {
		w.again(refusedPause)
		return
	}
	events := make([]log.Older, 0, len(entries)+1)
	last := eventid.Before(w.from)
	size, bodiesRead := 0, 0
	for _, entry := range entries {
		m, ok := s.element(entry)
		if !ok {
			continue
		}
		if size >= wishBytes { // the rest is read again
			break
		}
		if !m.bad && !w.follows(&m, last) {
			hole := rightBefore(&m.Message) // there is no id for what was before a stream that begins anew
			if !m.Prev.IsZero() {
				hole = m.Prev
			}
			if hole.Less(last) { // the client's id is of another history
				hole = last
			}
			events = append(events, log.Older{ID: hole})
		}
		last = m.ID
		event := log.Older{ID: m.ID}
		if !m.bad {
			if body, ok := s.body(&m.Message); ok {
				event.Body = append([]byte(nil), body.B...)
				size += len(body.B)
				bodiesRead++
				bodies.Put(body)
			}
		}
		events = append(events, event)
	}
	if bodiesRead > 0 {
		s.wishSize.Store(int64(size / bodiesRead))
	}
	if lost, _, _ := w.feed.topic.Span(); len(entries) == 0 && s.wasEmpty(last, lost) {
		w.feed.topic.Prepend(nil, last, lost) // which takes no memory
	}
	for _, r := range w.readers {
		r.Got(events)
	}
}

// follows reports whether nothing is missing between last and m.
func (w *wish) follows(m *element, last eventid.ID) bool {
	first := last == eventid.Before(w.from)
	switch {
	case m.Prev == last && !last.IsZero():
		return true
	case !first || !last.IsBound():
		return false
	case begins(&m.Message):
		return !last.Less(w.feed.source.beginning(m.ID, w.from))
	case m.Prev.IsZero(), w.from.Time: // the topic had no event then, and has had one before this
		return false
	}
	return m.Prev.Less(last)
}
