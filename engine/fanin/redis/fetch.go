package redis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/proto/rule"
)

// fetches is the queue of feeds whose streams are to be read, on one node. Those that a
// stream waits for go first.
type fetches struct {
	mu      sync.Mutex
	urgent  []*feed
	others  []*feed
	history historyQueue
	closed  bool // nothing takes from it any more
	wake    chan struct{}
}

func newFetches(s *Source) fetches {
	return fetches{history: historyQueue{rate: s.config.ReadRate, counts: &s.counts}, wake: make(chan struct{}, 1)}
}

// What is read in one go: topics of a batch, events of a topic, and bytes of either, by the size of the events that a topic's
// log has.
const (
	fetchTopics     = 256
	fetchEventsMax  = 128
	fetchEventsMin  = 4
	fetchTopicBytes = 1 << 20
	fetchBytes      = 8 << 20
)

// enqueue queues the feed, whose lock is held. One that is away will be queued when it is
// subscribed. One that has become urgent is in it twice; the first entry counts.
func (f *feed) enqueue() {
	n := f.node
	if n == nil || f.todo == nil || f.state == away || f.queue == n && (f.hurries || !f.urgent) {
		return
	}
	f.queue, f.hurries = n, f.urgent
	q := &n.fetches
	q.mu.Lock()
	if f.urgent {
		q.urgent = append(q.urgent, f)
	} else {
		q.others = append(q.others, f)
	}
	q.mu.Unlock()
	signal(q.wake)
}

// take returns up to n feeds. Unless all is true, it takes only urgent feeds.
func (q *fetches) take(n int, all bool) (batch []*feed, urgent int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	urgent = min(n, len(q.urgent))
	batch = append(batch, q.urgent[:urgent]...)
	q.urgent = cut(q.urgent, urgent)
	others := 0
	if all {
		others = min(n-urgent, len(q.others))
	}
	batch = append(batch, q.others[:others]...)
	q.others = cut(q.others, others)
	return batch, urgent
}

// takeHistoryReads returns some history reads. If it returns none, wait is the time until one is
// due; 0: there is none.
func (q *fetches) takeHistoryReads(now time.Time) (batch []*historyRead, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.history.take(historyReadsMax, now)
}

// putBack queues feeds again that were taken.
func (q *fetches) putBack(batch []*feed, urgent int) {
	q.mu.Lock()
	q.urgent = append(q.urgent, batch[:urgent]...)
	q.others = append(q.others, batch[urgent:]...)
	q.mu.Unlock()
	signal(q.wake)
}

// cut removes the first n; the array goes when nothing is left in it.
func cut[T any](s []T, n int) []T {
	clear(s[:n])
	if s = s[n:]; len(s) == 0 {
		return nil
	}
	return s
}

// reading is what is read of a stream next.
type reading uint8

const (
	nothing   reading = iota
	theEnd            // the newest event
	verifying         // the newest event that is not after the log's newest one
	forward           // events after the log's newest one
	newest            // the last events, the log's own among them
	backward          // events before the log's oldest one
)

// request is one reading: of which feed, how many doubts it answers, and with backward as far back as
// where, from what the log had lost then. Others may doubt, and ask, while it is under way.
type request struct {
	feed   *feed
	kind   reading
	doubts uint32
	from   eventid.Position
	lost   eventid.ID
	after  eventid.ID // the log's newest event then
	below  eventid.ID // with newest: of what was read already
	epoch  uint32     // the feed's: a subscription may be lost, and another one made, meanwhile
	count  int        // of events that are asked for
	bytes  int        // and what they will take, probably
	time   uint64     // that every server's clock has passed

	first, last string // the range of the stream that is read (XRANGE) …
	backward    bool   // … or from its end (XREVRANGE)
}

// command is the command for it.
func (r *request) command(client rueidis.Client) rueidis.Completed {
	key := r.feed.key()
	if r.backward {
		return client.B().Xrevrange().Key(key).End(r.last).Start(r.first).Count(int64(r.count)).Build()
	}
	return client.B().Xrange().Key(key).Start(r.first).End(r.last).Count(int64(r.count)).Build()
}

// apartEnd is the id before which the newest events are still to be read; zero: none were.
func (f *feed) apartEnd() eventid.ID {
	if f.todo == nil || len(f.apart) == 0 {
		return eventid.ID{}
	}
	return f.apart[len(f.apart)-1].ID
}

// next says what to read of the feed's stream.
func (f *feed) next(n *node) request {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.todo == nil || f.queue != n {
		return request{}
	}
	f.queue, f.hurries = nil, false
	if f.isGone() || f.state == away || f.node != n {
		return request{}
	}
	lost, last, placed := f.topic.Span()
	size := max(f.topic.EventBytes(), 100)
	most := min(fetchTopicBytes, int(f.source.config.HistoryBytes/4)) // streams must keep up with what is appended at once
	count := max(min(most/size, fetchEventsMax), fetchEventsMin)
	r := request{
		feed: f, doubts: f.doubts, from: f.from, lost: lost, after: last, below: f.apartEnd(), epoch: f.epoch,
		count: count, bytes: count * size, time: f.source.times.lower(), first: "-", last: "+", backward: true,
	}
	switch {
	case f.looked != f.doubts || !placed:
		r.kind, r.count = theEnd, 1
		f.heldFirst = len(f.held)
	case f.comparing:
		r.kind = newest
		if !r.below.IsZero() {
			r.last = "(" + r.below.String()
		} else {
			f.markApart()
		}
	case f.verifying:
		r.kind, r.last, r.count = verifying, last.String(), 1
	case f.forward:
		r.kind, r.backward = forward, false
		if !last.IsBound() { // else clocks say nothing: all that there is is new
			r.first = "(" + last.String()
		}
	case f.wantsBack(lost):
		r.kind, r.last = backward, lost.String()
		if !f.from.Time {
			r.first = eventid.Before(f.from).String()
		}
	default:
		f.settle()
	}
	return r
}

// wantsBack reports whether events before the log's oldest one are to be read: those after a
// position or, if that is from a time without events, all that there are.
func (f *feed) wantsBack(lost eventid.ID) bool {
	switch {
	case !f.backward:
		return false
	case f.from.Time && !lost.IsBound(): // of a log that begins at a time the clocks agree with that
		return true
	}
	return eventid.Before(f.from).Less(lost)
}

// fetch reads what is queued on this node, until ctx ends.
func (n *node) fetch(ctx context.Context) {
	s := n.source
	defer n.fetches.close()
	var next time.Time // before which only what is urgent is read
	for {
		began := time.Now()
		batch, urgent := n.fetches.take(fetchTopics, !began.Before(next))
		reads, wait := n.fetches.takeHistoryReads(began)
		if len(batch) == 0 && len(reads) == 0 {
			if pause := next.Sub(began); pause > 0 && (wait == 0 || pause < wait) {
				wait = pause
			}
			var until <-chan time.Time
			if wait > 0 {
				until = time.After(wait)
			}
			select {
			case <-n.fetches.wake:
			case <-until:
			case <-ctx.Done():
				return
			}
			continue
		}
		var requests []request
		var commands []rueidis.Completed
		bytes := 0
		for k, f := range batch {
			if bytes > fetchBytes {
				n.fetches.putBack(batch[k:], max(urgent-k, 0))
				batch = batch[:k]
				break
			}
			if r := f.next(n); r.kind != nothing {
				requests, commands = append(requests, r), append(commands, r.command(s.client))
				bytes += r.bytes
			}
		}
		for _, w := range reads {
			commands = append(commands, w.command(s))
		}
		if len(commands) == 0 {
			continue
		}
		s.counts.readings.Add(uint64(len(commands)))
		within, cancel := context.WithTimeout(ctx, s.config.Timeout)
		failed := false
		results := s.client.DoMulti(within, commands...)
		for i, r := range requests {
			entries, err := results[i].AsXRange()
			switch {
			case err == nil || rueidis.IsRedisNil(err):
				r.read(entries)
			case refusal(err):
				s.unread(r.feed, err) // of this topic only: another type of key, no permission
				s.times.after(refusedPause, r.feed.again)
			default:
				failed = true
				s.unread(r.feed, err)
				r.feed.again()
			}
		}
		for i, w := range reads {
			entries, err := results[len(requests)+i].AsXRange()
			if err == nil || rueidis.IsRedisNil(err) {
				w.answer(entries)
			} else {
				s.unread(w.feed, err)
				w.failures++
				w.again(refusedPause)
			}
		}
		cancel()
		if failed && !sleep(ctx, retryPause) {
			return
		}
		if others := len(batch) - urgent; others > 0 {
			next = began.Add(time.Duration(others) * time.Second / time.Duration(s.config.CatchUpRate))
		}
	}
}

// unread tells that a topic's stream could not be read. A connection that is lost is told elsewhere, and slots may move.
func (s *Source) unread(f *feed, err error) {
	s.counts.failed(opRead, err)
	switch errorKind(err) {
	case "connection", "moved", "ask", "tryagain":
		return
	}
	s.troubles.reading.fails(s.config.Logger, s.hinted, slog.LevelWarn, "a topic's history cannot be read: its streams wait", err, "topic", rule.Quote([]byte(f.topic.Name())), "key", f.key())
}

// refusal reports whether an error is the server's, and of one key only.
func refusal(err error) bool {
	_, servers := rueidis.IsRedisErr(err)
	return servers && !passing(err)
}

// again queues the feed once more.
func (f *feed) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enqueue()
}

// retryPause is how long nothing is read after something could not be.
const retryPause = 200 * time.Millisecond

// refusedPause is how long a topic waits whose stream the servers do not let us read.
const refusedPause = time.Second
