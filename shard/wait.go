package shard

import (
	"sync/atomic"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
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

// topics returns the topics of a join.
func (j *Join) topics() []*topic.Topic {
	if j.More != nil {
		return j.More
	}
	return []*topic.Topic{j.Topic}
}

// position is the client's position in topic k.
func (j *Join) position(k int) eventid.Position {
	if j.More != nil && j.Resume == log.ResumeAt {
		return j.Positions[k]
	}
	return j.Position
}

// setPosition notes what the client has been sent of topic k.
func (j *Join) setPosition(k int, at eventid.Position) {
	if j.More != nil {
		j.Positions[k] = at
	} else {
		j.Position = at
	}
}

// inDoubt returns the topics whose upstream must answer before the stream can begin. It asks them,
// and registers this shard for the answers.
func (s *Shard) inDoubt(w *wait) (doubtful []*topic.Topic) {
	for k, t := range w.join.topics() {
		r, at, about := w.join.Resume, w.join.position(k), w.topic(k)
		if !t.Doubts(r, at, about.ask) {
			continue
		}
		t.Await(s.number)
		if about.ask == 0 && (r == log.ResumeAt || r == log.ResumeEarliest) {
			about.ask = t.Feed().Ask(at)
		}
		if t.Doubts(r, at, about.ask) {
			doubtful = append(doubtful, t)
		}
	}
	return doubtful
}

// beginOrWait makes a stream of an admitted join: at once or, if its upstream must be heard first,
// later. It reports whether the stream is open.
func (s *Shard) beginOrWait(i uint32, sl *slot, j *Join) bool {
	if !s.table.HasUpstream() || j.greeting.done {
		return s.open(i, sl, j)
	}
	w := &wait{join: *j, topics: make([]waitTopic, len(j.topics()))}
	doubtful := s.inDoubt(w)
	k, wants := s.wantsOlder(w)
	if len(doubtful) == 0 && !wants {
		return s.open(i, sl, j)
	}
	sl.flags |= flagWaiting
	sl.lastWrite = s.tick
	s.waits[i] = w
	s.waitsPeak = max(s.waitsPeak, len(s.waits))
	s.stats.Waiting.Add(1)
	s.await(i, doubtful)
	if len(doubtful) == 0 {
		s.readOlder(i, sl, w, k)
	}
	return true
}

// await notes that slot i waits for an answer about topics.
func (s *Shard) await(i uint32, topics []*topic.Topic) {
	for _, t := range topics {
		if s.awaiting[t] == nil {
			s.awaiting[t] = make(map[uint32]struct{})
		}
		s.awaiting[t][i] = struct{}{}
	}
}

// answered is called when the upstream has answered about a topic. Very many streams may wait for
// it, so they are retried little by little (queueRetries).
func (s *Shard) answered(t *topic.Topic) {
	if waiters := s.awaiting[t]; len(waiters) > 0 {
		s.woken = append(s.woken, waiters)
	}
	s.stopAwaiting(t)
}

// queueRetries schedules a retry of streams whose topics were answered, within a budget. A slot
// that another stream has by now is retried in vain. It reports whether any budget is left.
func (s *Shard) queueRetries(b *budget) (more bool) {
	for len(s.woken) > 0 {
		waiters := s.woken[len(s.woken)-1]
		for i := range waiters {
			delete(waiters, i)
			s.retries = append(s.retries, userData(i, s.slots.at(i)))
			if !b.spend(s) {
				return false
			}
		}
		s.woken[len(s.woken)-1] = nil
		s.woken = s.woken[:len(s.woken)-1]
	}
	return true
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

// retry looks again at a stream that waits: it begins, waits for another answer, or has older
// events read.
func (s *Shard) retry(stream uint64) {
	i, sl := s.slots.find(stream)
	if sl == nil || sl.flags&flagWaiting == 0 || sl.flags&flagBlocked != 0 {
		// when it unblocks it comes back here
		return
	}
	w := s.waits[i]
	if w.readPending {
		return
	}
	if doubtful := s.inDoubt(w); len(doubtful) > 0 {
		s.await(i, doubtful)
		return
	}
	if k, ok := s.wantsOlder(w); ok {
		s.readOlder(i, sl, w, k)
		return
	}
	if w.join.Resume == log.ResumeAt {
		w.setBeginnings()
	}
	for k := range w.topics {
		if w.topic(k).sent && s.addRewritten(w, k) && !s.put(i, sl, reading{}) {
			return
		}
		if sl.flags&flagBlocked != 0 {
			return
		}
	}
	s.endWait(i, sl)
	if s.open(i, sl, &w.join) {
		s.arm(i, sl)
	}
}

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

// sendHead sends a waiting stream its response head, if it was not sent yet. A stream that begins
// with what is published from now on also gets its opening, with the position known so far: a
// client that is cut off before its place is known comes back with that position. For other streams
// it is not known yet how they begin; they get a comment. It reports whether the stream is open.
func (s *Shard) sendHead(i uint32, sl *slot) bool {
	j := &s.waits[i].join
	if j.headSent {
		return true
	}
	s.addHead(j)
	if j.Resume == log.ResumeNot {
		j.opened = true
		s.due.lead = s.config.appendOpening(s.due.lead, j.begins(), s.rng.Int64N)
		j.pin()
		s.due.lead = j.appendID(s.due.lead)
	} else {
		s.due.lead = append(s.due.lead, sse.Heartbeat...)
	}
	return s.put(i, sl, reading{})
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
