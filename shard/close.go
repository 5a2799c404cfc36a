package shard

import (
	"ssedge/shard/roomy"
	"ssedge/shard/sys"
)

// close ends a stream: the one way out. The caller must not touch the slot
// afterwards. It may be called in the middle of a pass.
func (s *Shard) close(i uint32, sl *slot, reason CloseReason) {
	s.sendUnanswered(sl, reason)
	if sl.flags&flagWaiting != 0 {
		s.sendEarlyEnd(i, sl, reason)
		s.releaseTopics(&s.waits[i].join)
		s.endWait(i, sl)
	} else if sl.flags&flagMulti != 0 {
		b := s.bundles[sl.topic]
		for k := range b.subs {
			s.unsubscribe(b.subs[k].state, b.subs[k].at)
		}
		s.bundles[sl.topic] = nil
		s.freeBundles = append(s.freeBundles, sl.topic)
		if len(s.freeBundles) == len(s.bundles) && len(s.bundles) > roomy.Kept {
			s.bundles, s.freeBundles = nil, nil
		}
	} else {
		s.unsubscribe(sl.topic, sl.at)
	}
	s.end(i, sl, reason)
}

// sendEarlyEnd answers a waiting stream that was not sent its head. Without an answer its client
// would only see that the connection ends.
func (s *Shard) sendEarlyEnd(i uint32, sl *slot, reason CloseReason) {
	j := &s.waits[i].join
	if j.headSent {
		return
	}
	sl.wire = WireRaw // there are no units to end
	if j.Early != nil && len(j.Early[reason]) > 0 {
		s.kernel.Send(int(sl.fd), j.Early[reason])
	}
}

// sendUnanswered answers a poll that has parked and ends without its answer.
func (s *Shard) sendUnanswered(sl *slot, reason CloseReason) {
	if sl.flags&flagParked == 0 {
		return
	}
	if early := s.forms[sl.form].Early; early != nil && len(early[reason]) > 0 {
		s.kernel.Send(int(sl.fd), early[reason])
	}
}

// end gives back what a stream without subscriptions still has: its outbox, its
// timer, its descriptor, its slot. The connection of a poll that was answered goes on.
func (s *Shard) end(i uint32, sl *slot, reason CloseReason) {
	s.sendLastUnit(sl, reason)
	if sl.flags&flagOutbox != 0 {
		s.dropOutbox(i, sl)
	}
	if sl.flags&flagBlocked != 0 {
		s.forgetStall(i)
		s.stats.Blocked.Add(-1)
	}
	s.wheel.Disarm(i)
	fd, owner, note := int(sl.fd), sl.owner, s.takeNote(i)
	kept := reason == ClosedAnswered && sl.flags&flagKept != 0 && s.kernel.Unwatch(fd) == 0
	if !kept {
		s.kernel.Close(fd)
	}
	s.slots.give(i)
	// first: when the stream is seen to be gone, its end is counted already
	s.stats.Closed[reason].Add(1)
	s.stats.Streams.Add(-1)
	if s.config.OnClose != nil {
		s.config.OnClose(owner, reason)
	}
	if kept {
		s.config.OnDone(fd, note)
	} else if note != nil && s.config.OnDone != nil {
		s.config.OnDone(-1, note)
	}
}

// takeNote forgets what was noted for slot i's connection, and returns it.
func (s *Shard) takeNote(i uint32) (note any) {
	if len(s.notes) == 0 {
		return nil
	}
	note = s.notes[i]
	delete(s.notes, i)
	s.notes = roomy.Shrunk(s.notes, &s.notesPeak)
	return note
}

// lastReason is why a stream ends whose last bytes were sent.
func (sl *slot) lastReason() CloseReason {
	if sl.flags&flagLeaving != 0 {
		return ClosedDrain
	}
	return ClosedAnswered
}

// sendLastUnit ends a body as its wire demands, unless it was cut off inside a unit, or ended with
// its last words (Shard.finish).
func (s *Shard) sendLastUnit(sl *slot, reason CloseReason) {
	switch reason {
	case ClosedClientGone, ClosedError, ClosedOverload, ClosedDrain, ClosedAnswered:
		return
	}
	if bye := framings[sl.wire].lastUnit; len(bye) > 0 && sl.flags&flagBlocked == 0 {
		s.kernel.Send(int(sl.fd), bye)
	}
}

// reasonOf tells a client that went away from a kernel that is in trouble.
func reasonOf(errno sys.Errno) CloseReason {
	if sys.PeerGone(errno) {
		return ClosedClientGone
	}
	return ClosedError
}
