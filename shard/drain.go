package shard

import "time"

// drain is the orderly end of all streams: at a set rate, each is brought up to date, told when to
// come back (jittered, so that the clients do not come back all at once) and closed. Streams whose
// socket is full are passed over until it is not, or until the deadline.
type drain struct {
	active   bool
	rate     float64 // streams a second
	credit   float64 // streams that may be closed now
	last     int64   // nanotime at which credit was counted
	deadline int64   // nanotime at which the streams that are left are closed
	at       uint32  // next slot to look at
	done     func()
}

// startDrain begins; done is called on the shard's goroutine when no stream is left.
func (s *Shard) startDrain(rate float64, timeout time.Duration, done func()) {
	s.drain = drain{active: true, rate: rate, credit: 1, last: s.now,
		deadline: s.now + int64(timeout), done: done}
}

// drainSlotsMax is how many slots one turn of a drain looks at: most of them may be free,
// or their sockets full.
const drainSlotsMax = 8192

// drainSome closes as many streams as the rate allows by now.
func (s *Shard) drainSome() {
	d := &s.drain
	d.credit = min(d.credit+d.rate*float64(s.now-d.last)/1e9, max(d.rate, 1))
	d.last = s.now
	late := s.now >= d.deadline
	looks := s.slots.ever
	if !late {
		looks = min(looks, drainSlotsMax)
	}
	for ; looks > 0 && (d.credit >= 1 || late); looks-- {
		i := d.at
		if d.at++; d.at >= s.slots.ever {
			d.at = 0
		}
		sl := s.slots.at(i)
		if sl.flags&flagUsed == 0 {
			continue
		}
		if late {
			s.close(i, sl, ClosedShutdown)
		} else if sl.flags&flagBlocked == 0 && s.finish(i, sl) {
			d.credit--
		}
	}
	joining := len(s.incoming.joins) - s.incoming.admitted + int(s.inbox.joining.Load())
	if s.slots.used == 0 && joining == 0 {
		d.active = false
		d.done()
	}
}

// finish brings a stream up to date, sends its last words and closes it. It reports false if the
// stream is blocked and has to wait.
func (s *Shard) finish(i uint32, sl *slot) bool {
	if sl.wire == WireAnswer {
		sl.flags = sl.flags&^flagKept | flagLeaving
		return !s.answerNow(i, sl)
	}
	if s.headDue(i, sl) {
		s.close(i, sl, ClosedDrain)
		return true
	}
	if !s.catchUp(i, sl, false) {
		return true // it has gone by itself
	}
	if sl.flags&flagBlocked != 0 {
		return false
	}
	s.due.lead = s.config.appendDrained(s.due.lead, s.rng.Int64N)
	s.due.last = true
	if !s.put(i, sl, reading{}) {
		return true
	}
	if sl.flags&flagBlocked != 0 {
		sl.flags |= flagLeaving // nothing may follow them
		return false
	}
	s.close(i, sl, ClosedDrain)
	return true
}

// wait shortens a shard's sleep to what the drain's rate asks for.
func (d *drain) wait(other time.Duration) time.Duration {
	const nap = 5 * time.Millisecond
	next := min(max(time.Duration((1-d.credit)/d.rate*1e9), nap), 100*time.Millisecond)
	if other > 0 && other < next {
		return other
	}
	return next
}
