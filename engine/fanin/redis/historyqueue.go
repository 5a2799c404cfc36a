package redis

import (
	"container/heap"
	"time"

	"ssedge/proto/eventid"
)

// historyQueue is the queue of history reads at one node. Streams that want the same events share
// a read. Every client has a line of its own, and its line gets no more than a number of reads a
// second. The client with the fewest reads lately comes first, so a crowd of streams of one client
// does not hold up another client. The lock of fetches guards the queue.
type historyQueue struct {
	rate   int                           // reads a second for each client; 0: no bound
	same   map[historyRange]*historyRead // those that have not been read yet
	lines  map[uint64]*line              // by client
	ready  lines                         // the lines that are not empty
	counts *counts
}

// historyRange is what a history read asks for.
type historyRange struct {
	follower *follower
	from     eventid.Position
}

// line is the history reads of one client's streams, in their order. The same read may stand in
// several lines: it is done for whichever comes first.
type line struct {
	client uint64
	reads  []*historyRead
	paid   time.Time // when the client's reads so far are paid for, at the rate
	paced  bool      // its next read waits for that, and is counted
}

// unknownClient has no bound.
const unknownClient = 0

// savedMax bounds the reads that a client may save up, as the time in which it earns them.
const savedMax = time.Second

// add queues a read. If the same one is queued already, the two become one.
func (q *historyQueue) add(w *historyRead) {
	if q.same == nil {
		q.same, q.lines = map[historyRange]*historyRead{}, map[uint64]*line{}
	}
	at := historyRange{w.follower, w.from}
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
		if l.reads = append(l.reads, q.same[at]); len(l.reads) == 1 {
			heap.Push(&q.ready, l)
		}
	}
}

// take returns up to n reads that are due now. If it returns fewer, wait is the time until the next
// one is due; 0: none is left.
func (q *historyQueue) take(n int, now time.Time) (batch []*historyRead, wait time.Duration) {
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
		if len(l.reads) > 0 {
			heap.Fix(&q.ready, 0)
		} else {
			heap.Pop(&q.ready)
		}
	}
	return batch, 0
}

// pop takes the next read of a line that is still to be done; nil: there is none.
func (q *historyQueue) pop(l *line) *historyRead {
	for len(l.reads) > 0 {
		w := l.reads[0]
		l.reads = cut(l.reads, 1)
		if !w.queued {
			continue
		}
		w.queued = false
		delete(q.same, historyRange{w.follower, w.from})
		if w.wanted() {
			return w
		}
	}
	return nil
}

// forget drops the empty lines of clients that have paid for all their reads.
func (q *historyQueue) forget(now time.Time) {
	if len(q.lines) <= 2*len(q.ready)+linesKept {
		return
	}
	for client, l := range q.lines {
		if len(l.reads) == 0 && !l.paid.After(now) {
			delete(q.lines, client)
		}
	}
}

// linesKept is how many empty lines there may be before they are looked through.
const linesKept = 64

// close empties the queue and returns what was in it.
func (q *historyQueue) close() (left []*historyRead) {
	for _, w := range q.same {
		w.queued = false
		left = append(left, w)
	}
	q.same, q.lines, q.ready = nil, nil, nil
	return left
}

// lines is a heap. At its top is the line that has paid for the shortest time.
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
