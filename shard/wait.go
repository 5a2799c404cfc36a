package shard

import (
	"sync/atomic"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/roomy"
	"ssedge/shard/topic"
)

// wait is a stream that has not begun: only the upstream knows where it begins, or has older events
// that it is sent first. Until it begins it has a slot, a timer and a connection that is watched,
// but no subscriptions.
type wait struct {
	join        Join
	topics      []waitTopic // one for each of its topics
	readPending bool        // older events are being read for it
	ended       atomic.Bool // the stream no longer waits
}

// waitTopic is what a waiting stream knows of one of its topics.
type waitTopic struct {
	ask       uint64        // the number of its ask; 0: it has not asked
	earliest  bool          // it wants the earliest event there is, and was sent none yet …
	begun     bool          // … but its position is that before it, as the upstream had it
	exhausted bool          // the upstream has no more than the log
	sent      bool          // it was sent older events …
	history   log.Rewriting // … when the log's history had been rewritten so far
}

func (w *wait) topic(k int) *waitTopic { return &w.topics[k] }

// headDelay is how long, in ticks, a waiting stream goes without its response head. Most streams
// begin within a round trip, before it is over. Once its client has the head, a stream is owed what
// is published.
const headDelay = 1 << 30 >> tickShift

// await notes that slot i waits for an answer about topics.
func (s *Shard) await(i uint32, topics []*topic.Topic) {
	for _, t := range topics {
		if s.awaiting[t] == nil {
			s.awaiting[t] = make(map[uint32]struct{})
		}
		s.awaiting[t][i] = struct{}{}
	}
}

// stopAwaiting forgets the streams that wait for an answer about t. A map does not shrink: when no
// stream waits any more, one that was large is replaced.
func (s *Shard) stopAwaiting(t *topic.Topic) {
	delete(s.awaiting, t)
	s.awaitedEver++
	if len(s.awaiting) == 0 && s.awaitedEver > awaitingKept {
		s.awaiting, s.awaitedEver = make(map[*topic.Topic]map[uint32]struct{}), 0
	}
}

// awaitingKept is how many topics may pass through the map before it is replaced.
const awaitingKept = 1000

// pin sets the positions of a stream whose client gave no id to where its topics are now: it is
// owed every event from the moment its client has the response head.
func (j *Join) pin() {
	if j.Resume != log.ResumeNot {
		return
	}
	j.Resume, j.pinned = log.ResumeAt, true
	if j.More == nil {
		j.Position = j.Topic.Here()
		return
	}
	j.Positions = make([]eventid.Position, len(j.More))
	for k, t := range j.More {
		j.Positions[k] = t.Here()
	}
}

// endWait removes a stream from those that wait. It still holds its topics.
func (s *Shard) endWait(i uint32, sl *slot) {
	s.waits[i].ended.Store(true)
	for _, t := range s.waits[i].join.topics() {
		if waiters := s.awaiting[t]; waiters != nil {
			delete(waiters, i)
			if len(waiters) == 0 {
				s.stopAwaiting(t)
			}
		}
	}
	delete(s.waits, i)
	s.waits = roomy.Shrunk(s.waits, &s.waitsPeak)
	sl.flags &^= flagWaiting
	s.stats.Waiting.Add(-1)
}
