package shard

import (
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// openPoll answers a poll that has something to be told, or does not wait; others park.
func (s *Shard) openPoll(i uint32, sl *slot, j *Join, behind bool) bool {
	for k := range s.places {
		if s.places[k].Cause != log.GapNone {
			s.addBeginning(i, sl, j)
			return s.answerNow(i, sl)
		}
	}
	sl.flags |= flagParked
	if j.begins() == stateResumed {
		sl.flags |= flagResumed
	}
	if behind || j.Poll.Wait == 0 {
		return s.answerNow(i, sl)
	}
	return true
}

// answerNow answers a poll with s.due and all that it is behind, as far as it fits, whether there
// is anything or not. It reports whether the stream is still open.
func (s *Shard) answerNow(i uint32, sl *slot) bool {
	switch {
	case sl.flags&flagWaiting != 0:
		return s.answerUnheard(i, sl)
	case sl.flags&flagMulti == 0:
		return s.catchUp(i, sl, false)
	}
	b := s.bundles[sl.topic]
	s.beginAnswer(sl)
	// any topic first: one that fills every answer must not starve the others
	b.next = uint32(s.rng.IntN(len(b.subs)))
	for range b.subs {
		sub := b.nextSub()
		st := s.states.at(sub.state)
		s.snapshot(st.topic)
		of := reading{state: sub.state, has: true, bundle: b, sub: sub}
		if of.cursor(sl) < s.snap.Tail {
			s.addParked(sl)
			s.overrun(i, sl, of, st)
		}
		if !s.addAnswer(sl, of) {
			break
		}
	}
	return s.sendAnswer(i, sl)
}

// answerUnheard answers a poll whose upstream was not heard in time. A stream would have been sent
// as much (sendHead): where it begins if that is known by now, else a comment.
func (s *Shard) answerUnheard(i uint32, sl *slot) bool {
	j := &s.waits[i].join
	j.headSent = true
	switch j.Resume {
	case log.ResumeNot:
		s.due.lead = s.config.appendOpening(s.due.lead, stateLive, s.rng.Int64N)
		j.pin()
		s.due.lead = j.appendID(s.due.lead)
	case log.ResumeMalformed:
		s.due.lead = append(s.config.appendOpening(s.due.lead, stateGap, s.rng.Int64N), '\n')
		for k, t := range j.topics() {
			if k > 0 {
				s.due.lead = append(s.due.lead, '\n')
			}
			s.addGap(t.Name(), &log.Place{Cause: log.GapMalformed})
		}
		j.Resume = log.ResumeNot
		j.pin()
		s.due.lead = j.appendID(s.due.lead)
	default:
		s.due.lead = append(s.due.lead, sse.Heartbeat...)
	}
	return s.put(i, sl, reading{})
}
