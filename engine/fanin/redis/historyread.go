package redis

import (
	"slices"
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// historyRead reads events from the servers that the topic's log has no place for, for all streams
// that want the same ones.
type historyRead struct {
	feed     *feed
	from     eventid.Position
	readers  []topic.Reading
	queued   bool // it is in a queue, and has not been read yet
	failures int  // how often the servers did not answer, perhaps because it was too much
}

// What is read for streams in one go: how many reads, events of each, and their bytes, estimated by
// the events in the log and those that were read last. A stream is given events until they have
// that many bytes; the last one may exceed it. Of the earliest events only the first is read: it
// says where the stream begins.
const (
	historyReadsMax      = 16
	historyReadEventsMax = 32
	historyReadEventsMin = 4
	historyReadBytes     = 64 << 10
)

// Read is called for a stream that is further behind than the log can reach.
func (f *feed) Read(r topic.Reading) {
	w := &historyRead{feed: f, from: r.From, readers: []topic.Reading{r}}
	w.enqueue()
}

// wanted reports whether any stream still wants it.
func (w *historyRead) wanted() bool {
	return slices.ContainsFunc(w.readers, func(r topic.Reading) bool { return r.Wanted() })
}

// enqueue queues the read at its topic's master. While the master is not known, or its connection
// is lost, the read waits.
func (w *historyRead) enqueue() {
	f := w.feed
	if !w.wanted() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.node == nil || f.state == away || !f.node.fetches.addHistoryRead(w):
		w.again(refusedPause)
	}
}

func (w *historyRead) again(after time.Duration) { w.feed.source.times.after(after, w.enqueue) }

// addHistoryRead queues a read. It returns false if nothing takes from the queue any more.
func (q *fetches) addHistoryRead(w *historyRead) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.history.add(w)
	signal(q.wake)
	return true
}

// close has the history reads that are left queued elsewhere.
func (q *fetches) close() {
	q.mu.Lock()
	left := q.history.close()
	q.closed = true
	q.mu.Unlock()
	for _, w := range left {
		w.again(refusedPause)
	}
}

// command reads what w wants.
func (w *historyRead) command(s *Source) rueidis.Completed {
	start, end, n := w.bounds()
	return s.client.B().Xrange().Key(w.feed.key()).Start(start).End(end).Count(int64(n)).Build()
}

// bounds is the range that is read: the events after the read's position and before the log, which
// may have more than the servers. For a time at which the topic had no event, that is all that its
// stream has.
func (w *historyRead) bounds() (start, end string, n int) {
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
	n = historyReadEventsMin
	if size := max(w.feed.topic.EventBytes(), int(s.historyEventSize.Load())); size > 0 {
		n = max(min(historyReadBytes/size, historyReadEventsMax), historyReadEventsMin)
	}
	return start, end, max(n>>min(w.failures, 8), 1)
}

// answer gives the streams what was read, with holes in it where something is missing. While the log is being held against
// another history, what was read may be of either: it is read again.
func (w *historyRead) answer(entries []rueidis.XRangeEntry) {
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
		if size >= historyReadBytes { // the rest is read again
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
		s.historyEventSize.Store(int64(size / bodiesRead))
	}
	if lost, _, _ := w.feed.topic.Span(); len(entries) == 0 && s.wasEmpty(last, lost) {
		w.feed.topic.Prepend(nil, last, lost) // which takes no memory
	}
	for _, r := range w.readers {
		r.Got(events)
	}
}

// follows reports whether nothing is missing between last and m.
func (w *historyRead) follows(m *element, last eventid.ID) bool {
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
