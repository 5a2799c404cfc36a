package shard

import (
	"slices"
	"time"
)

// admit makes a stream of a join: a slot, its subscriptions, the response head
// and the opening, and whatever it is behind.
func (s *Shard) admit(j *Join) {
	i, sl := s.slots.take()
	sl.fd = int32(j.Fd)
	sl.owner = j.Owner
	sl.wire = j.Wire
	if j.Poll != nil {
		s.notePoll(i, sl, j.Poll)
	}
	s.stats.Joined.Add(1)
	s.stats.Streams.Add(1)
	if errno := s.kernel.Watch(j.Fd, userData(i, sl)); errno != 0 {
		s.releaseTopics(j)
		s.end(i, sl, ClosedError)
		return
	}
	s.setEnd(sl, j)

	// Heartbeats of streams that come together are spread by pretending that each
	// was last written to at another time.
	sl.lastWrite = s.tick
	if s.heartbeatTicks > 0 {
		sl.lastWrite -= s.rng.Uint32N(s.heartbeatTicks)
	}
	lastWrite := sl.lastWrite

	if !s.beginOrWait(i, sl, j) {
		return
	}
	if sl.flags&flagWaiting == 0 {
		sl.lastWrite = lastWrite // the opening was a write, too, which would undo the spread
	}
	s.arm(i, sl)
}

// notePoll keeps what a poll's answer needs.
func (s *Shard) notePoll(i uint32, sl *slot, p *Poll) {
	k := slices.Index(s.forms, p.Form)
	if k < 0 {
		k = len(s.forms)
		s.forms = append(s.forms, p.Form)
	}
	sl.form = uint32(k)
	if p.Kept && s.config.OnDone != nil {
		sl.flags |= flagKept
	}
	if p.Note != nil {
		s.notes[i] = p.Note
		s.notesPeak = max(s.notesPeak, len(s.notes))
	}
}

func (s *Shard) setEnd(sl *slot, j *Join) {
	if j.Poll != nil {
		wait := j.Poll.Wait
		if life := s.config.Lifetime; life > 0 {
			wait = min(wait, life)
		}
		sl.flags |= flagEnds
		sl.endsAt = s.tick + ticks(wait)
		return
	}
	if life := s.config.Lifetime; life > 0 {
		life -= time.Duration(s.rng.Int64N(int64(life)/10 + 1))
		sl.flags |= flagEnds
		sl.endsAt = s.tick + ticks(life)
	}
}
