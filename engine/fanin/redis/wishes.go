package redis

import (
	"container/heap"
	"time"

	"ssedge/proto/eventid"
)

// wishes is the queue of wishes at one node. Streams that want the same share a reading. Every client has a line of its own, and
// no more of its wishes are read than a rate allows: the client with the fewest readings lately comes first, and a crowd of one
// client does not hold up another. The lock of fetches guards it.
type wishes struct {
	rate   int               // readings a second for each client; 0: no bound
	same   map[wanting]*wish // those that are not read yet
	lines  map[uint64]*line  // by client
	ready  lines             // that have wishes
	counts *counts
}

// wanting is what a wish is of.
type wanting struct {
	feed *feed
	from eventid.Position
}

// line is the wishes of one client's streams, in their order. Another line may have the same wish: whichever comes first has it read.
type line struct {
	client uint64
	wishes []*wish
	paid   time.Time // when its readings so far are paid for, at the rate
	paced  bool      // its next one waits for that, and is counted
}

// unknownClient has no bound.
const unknownClient = 0

// savedMax is for how long a client may have saved up readings.
const savedMax = time.Second

// add queues a wish. If the same is wanted already, the two become one.
func (q *wishes) add(w *wish) {
	if q.same == nil {
		q.same, q.lines = map[wanting]*wish{}, map[uint64]*line{}
	}
	at := wanting{w.feed, w.from}
	if same := q.same[at]; same != nil {
		same.readers = append(same.readers, w.readers...)
		same.failures = max(same.failures, w.failures)
		q.counts.shared.Add(uint64(len(w.readers)))
	} else {
		w.queued = true
		q.same[at] = w
	}
	for _, r := range w.readers {
		l := q.lines[r.Client]
		if l == nil {
			l = &line{client: r.Client}
			q.lines[r.Client] = l
		}
		if l.wishes = append(l.wishes, q.same[at]); len(l.wishes) == 1 {
			heap.Push(&q.ready, l)
		}
	}
}

// take returns up to n wishes that are to be read now. If it returns fewer, wait is the time until there is another one; 0: none
// is left.
func (q *wishes) take(n int, now time.Time) (batch []*wish, wait time.Duration) {
	defer q.forget(now)
	for len(batch) < n && len(q.ready) > 0 {
		l := q.ready[0]
		if next := l.paid.Add(-savedMax); next.After(now) {
			if !l.paced {
				l.paced = true
				q.counts.paced.Add(1)
			}
			return batch, next.Sub(now)
		}
		l.paced = false
		if w := q.pop(l); w != nil {
			batch = append(batch, w)
			if l.paid.Before(now) {
				l.paid = now
			}
			if q.rate > 0 && l.client != unknownClient {
				l.paid = l.paid.Add(time.Second / time.Duration(q.rate))
			}
		}
		if len(l.wishes) > 0 {
			heap.Fix(&q.ready, 0)
		} else {
			heap.Pop(&q.ready)
		}
	}
	return batch, 0
}

// pop takes the next wish of a line that is still to be read; nil: there is none.
func (q *wishes) pop(l *line) *wish {
	for len(l.wishes) > 0 {
		w := l.wishes[0]
		l.wishes = cut(l.wishes, 1)
		if !w.queued {
			continue
		}
		w.queued = false
		delete(q.same, wanting{w.feed, w.from})
		if w.wanted() {
			return w
		}
	}
	return nil
}

// forget gives up the lines of clients that want nothing and have nothing to pay for.
func (q *wishes) forget(now time.Time) {
	if len(q.lines) <= 2*len(q.ready)+linesKept {
		return
	}
	for client, l := range q.lines {
		if len(l.wishes) == 0 && !l.paid.After(now) {
			delete(q.lines, client)
		}
	}
}

// linesKept is how many lines may be without wishes before they are looked through.
const linesKept = 64

// close empties the queue and returns what was in it.
func (q *wishes) close() (left []*wish) {
	for _, w := range q.same {
		w.queued = false
		left = append(left, w)
	}
	q.same, q.lines, q.ready = nil, nil, nil
	return left
}

// lines is a heap: the line that has paid for the shortest time is at its top.
type lines []*line

func (l lines) Len() int           { return len(l) }
func (l lines) Less(i, j int) bool { return l[i].paid.Before(l[j].paid) }
func (l lines) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *lines) Push(x any)        { *l = append(*l, x.(*line)) }
func (l *lines) Pop() any {
	all := *l
	last := all[len(all)-1]
	all[len(all)-1] = nil
	*l = all[:len(all)-1]
	return last
}
