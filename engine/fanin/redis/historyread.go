package redis

import (
	"slices"
	"time"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
	"ssedge/shard/topic"
)

// historyRead reads events from the servers that the topic's log has no place for, for all streams
// that want the same ones.
type historyRead struct {
	follower *follower
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
func (f *follower) Read(r topic.Reading) {
	w := &historyRead{follower: f, from: r.From, readers: []topic.Reading{r}}
	w.enqueue()
}

// wanted reports whether any stream still wants it.
func (w *historyRead) wanted() bool {
	return slices.ContainsFunc(w.readers, func(r topic.Reading) bool { return r.Wanted() })
}

// enqueue queues the read at its topic's master. While the master is not known, or its connection
// is lost, the read waits.
func (w *historyRead) enqueue() {
	f := w.follower
	if !w.wanted() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.node == nil || f.feed.State() == feed.Away || !f.node.fetches.addHistoryRead(w):
		w.again(refusedPause)
	}
}

func (w *historyRead) again(after time.Duration) { w.follower.source.times.after(after, w.enqueue) }

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
	return s.client.B().Xrange().Key(w.follower.key()).Start(start).End(end).Count(int64(n)).Build()
}

// bounds is the range that is read: the events after the read's position and before the log, which
// may have more than the servers. For a time at which the topic had no event, that is all that its
// stream has.
func (w *historyRead) bounds() (start, end string, n int) {
	s := w.follower.source
	start, end = "-", "+"
	if w.from != (eventid.Position{}) && !w.from.Time {
		start = "(" + eventid.Before(w.from).String()
	}
	if lost := w.follower.topic.ResumableAfter(); !lost.IsZero() {
		end = lost.String()
	}
	if w.from == (eventid.Position{}) {
		return start, end, 1
	}
	n = historyReadEventsMin
	if size := max(w.follower.topic.EventBytes(), int(s.eventSize.Load())); size > 0 {
		n = max(min(historyReadBytes/size, historyReadEventsMax), historyReadEventsMin)
	}
	return start, end, max(n>>min(w.failures, 8), 1)
}

// answer gives the streams what was read, with holes where something is missing. While the log is
// being compared with another history, what was read may be of either: it is read again.
func (w *historyRead) answer(entries []rueidis.XRangeEntry) {
	f := w.follower
	if f.compares() {
		w.again(refusedPause)
		return
	}
	elements := f.source.elements(entries)
	history, size, events := f.machine().History(w.from, elements, historyReadBytes)
	if events > 0 {
		f.source.eventSize.Store(int64(size / events))
	}
	last := eventid.Before(w.from)
	if lost, _, _ := f.topic.Span(); len(entries) == 0 && f.source.feeds.WasEmpty(last, lost) {
		f.topic.Prepend(nil, last, lost) // which takes no memory
	}
	for _, r := range w.readers {
		r.Got(history)
	}
}
