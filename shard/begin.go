package shard

import (
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// inDoubt returns the topics whose upstream must answer before the stream can begin. It asks them,
// and registers this shard for the answers.
func (s *Shard) inDoubt(w *wait) (doubtful []*topic.Topic) {
	for k, t := range w.join.topics() {
		r, at, about := w.join.Resume, w.join.position(k), w.topic(k)
		if !w.join.doubts(t, at, about.ask) {
			continue
		}
		t.Await(s.number)
		if about.ask == 0 && r != log.ResumeNot && r != log.ResumeMalformed {
			about.ask = t.Feed().Ask(at)
		}
		if w.join.doubts(t, at, about.ask) {
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
