package redis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"ssedge/proto/rule"
)

// fetches is the queue of topics whose streams are to be read, on one node. Those that a client's
// stream waits for go first.
type fetches struct {
	mu      sync.Mutex
	urgent  []*follower
	others  []*follower
	history historyQueue
	closed  bool // nothing takes from it any more
	wake    chan struct{}
}

func newFetches(s *Source) fetches {
	history := historyQueue{rate: s.config.ReadRate, counts: &s.counts}
	return fetches{history: history, wake: make(chan struct{}, 1)}
}

// What is read in one go, in topics and bytes. The bytes are estimated by the events that the
// topics' logs have.
const (
	fetchTopics = 256
	fetchBytes  = 8 << 20
)

// add queues a follower.
func (q *fetches) add(f *follower, urgent bool) {
	q.mu.Lock()
	if urgent {
		q.urgent = append(q.urgent, f)
	} else {
		q.others = append(q.others, f)
	}
	q.mu.Unlock()
	signal(q.wake)
}

// take returns up to n followers. Unless all is true, it takes only urgent ones.
func (q *fetches) take(n int, all bool) (batch []*follower, urgent int) {
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

// putBack queues followers again that were taken.
func (q *fetches) putBack(batch []*follower, urgent int) {
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
			if r, ok := f.next(n); ok {
				requests, commands = append(requests, r), append(commands, r.command(s.client))
				bytes += r.Bytes
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
				r.answer(entries)
			case refusal(err):
				s.unread(r.follower, err) // of this topic only: another type of key, no permission
				s.times.after(refusedPause, r.follower.again)
			default:
				failed = true
				s.unread(r.follower, err)
				r.follower.again()
			}
		}
		for i, w := range reads {
			entries, err := results[len(requests)+i].AsXRange()
			if err == nil || rueidis.IsRedisNil(err) {
				w.answer(entries)
			} else {
				s.unread(w.follower, err)
				w.failures++
				w.again(refusedPause)
			}
		}
		cancel()
		if failed && !sleep(ctx, retryPause) {
			return
		}
		if others := len(batch) - urgent; others > 0 {
			next = began.Add(time.Duration(others) * time.Second /
				time.Duration(s.config.CatchUpRate))
		}
	}
}

// unread tells that a topic's stream could not be read. A connection that is lost is told
// elsewhere, and slots may move.
func (s *Source) unread(f *follower, err error) {
	s.counts.failed(opRead, err)
	switch errorKind(err) {
	case "connection", "moved", "ask", "tryagain":
		return
	}
	s.troubles.reading.fails(s.config.Logger, s.hinted, slog.LevelWarn,
		"a topic's history cannot be read: its streams wait", err, "topic",
		rule.Quote([]byte(f.topic.Name())), "key", f.key())
}

// passing reports whether an error is temporary, and not of one key or channel.
func passing(err error) bool {
	kind := errorKind(err)
	return kind != "wrongtype" && kind != "noperm"
}

// refusal reports whether an error is the server's, and of one key only.
func refusal(err error) bool {
	_, servers := rueidis.IsRedisErr(err)
	return servers && !passing(err)
}

// retryPause is how long nothing is read after something could not be.
const retryPause = 200 * time.Millisecond

// refusedPause is how long a topic waits whose stream the servers do not let us read.
const refusedPause = time.Second
