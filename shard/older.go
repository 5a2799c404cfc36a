package shard

import (
	"slices"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// A log that has dropped events, or is full, takes no older ones, but the upstream may have them.
// They are read for one stream only: it waits, and is sent one reading after the other until its
// position is where the log begins.

// wantsOlder returns a topic of which a waiting stream must be sent older events before it begins;
// false if there is none.
func (s *Shard) wantsOlder(w *wait) (k int, ok bool) {
	if w.join.Resume != log.ResumeAt && w.join.Resume != log.ResumeEarliest {
		return 0, false
	}
	for _, beginnings := range []bool{true, false} {
		// beginnings first: the ids of several topics name them
		for k, t := range w.join.topics() {
			about := w.topic(k)
			earliest := about.earliest || w.join.Resume == log.ResumeEarliest
			switch {
			case about.exhausted, (earliest && !about.begun) != beginnings,
				!earliest && s.policy(t.Name()) == PolicyLatest:
			case t.MayHaveOlder(w.join.position(k), beginnings):
				return k, true
			}
		}
	}
	return 0, false
}

// setBeginnings gives positions to a stream that wants the earliest events: for each topic, where
// its log begins or, if the upstream has told it, where the upstream's events begin.
func (w *wait) setBeginnings() {
	j := &w.join
	if j.Resume == log.ResumeEarliest {
		j.Resume = log.ResumeAt
		if j.More != nil {
			j.Positions = make([]eventid.Position, len(j.More))
		}
		for k := range j.topics() {
			w.topic(k).earliest = true
		}
	}
	for k, t := range j.topics() {
		if about := w.topic(k); about.earliest && !about.begun {
			j.setPosition(k, eventid.PositionOf(t.ResumableAfter()))
		}
	}
}

// readOlder has the events after what a waiting stream has seen of its topic k read.
func (s *Shard) readOlder(i uint32, sl *slot, w *wait, k int) {
	w.setBeginnings()
	w.readPending = true
	from := w.join.position(k)
	if about := w.topic(k); about.earliest && !about.begun {
		from = eventid.Position{}
	}
	stream := userData(i, sl)
	w.join.topics()[k].Feed().Read(topic.Reading{
		From:   from,
		Client: w.join.Client,
		Wanted: func() bool { return !w.ended.Load() },
		Got:    func(events []log.Older) { s.inbox.call(func() { s.gotOlder(stream, k, events) }) },
	})
}

// gotOlder goes on with a waiting stream for which events were read. If it wants the earliest ones,
// the first reading says where it begins.
func (s *Shard) gotOlder(stream uint64, k int, events []log.Older) {
	i, sl := s.slots.find(stream)
	if sl == nil || sl.flags&flagWaiting == 0 {
		return
	}
	w := s.waits[i]
	w.readPending = false
	if sl.flags&flagBlocked != 0 { // by a heartbeat: when it becomes writable they are read again
		return
	}
	_, newest, _ := w.join.topics()[k].Span()
	for len(events) > 0 && newest.Less(events[len(events)-1].ID) {
		// events that the log has not got yet do not count as older
		events = events[:len(events)-1]
	}
	if w.join.topics()[k].ResumableAfter().IsBound() {
		// the topic had no event there: what the servers have came later, whatever its ids
		events = nil
	}
	about := w.topic(k)
	begins := about.earliest && !about.begun
	if len(events) == 0 { // the log is all there is
		about.exhausted = true
	} else if begins && events[0].Body == nil { // before the earliest event nothing is missing
		w.join.setPosition(k, eventid.PositionOf(events[0].ID))
		about.begun = true
		events = events[1:]
	}
	if !begins && len(events) > 0 && !s.sendOlder(i, sl, w, k, events) {
		return
	}
	s.retries = append(s.retries, stream)
}

// sendOlder sends a waiting stream events of its topic k. What a full socket does not take is
// dropped, but for the rest of an event that was begun: it is read again once there is room. It
// reports whether the stream is open.
func (s *Shard) sendOlder(i uint32, sl *slot, w *wait, k int, events []log.Older) bool {
	j := &w.join
	w.topic(k).earliest, w.topic(k).sent = false, true
	s.addHead(j)
	if !j.opened {
		j.opened = true
		for k := range w.topics { // the client is told where it begins
			w.topic(k).begun = true
		}
		if events[0].Body == nil {
			s.due.lead = append(s.config.appendOpening(s.due.lead, stateGap, s.rng.Int64N), '\n')
		} else {
			s.due.lead = j.appendID(s.config.appendOpening(s.due.lead, stateResumed, s.rng.Int64N))
		}
	}
	s.addRewritten(w, k)
	for n := 0; n < len(events) && sl.flags&flagBlocked == 0; n++ {
		if events[n].Body == nil {
			s.addHole(j, k, events[n].ID, n == 0)
			continue
		}
		o := &older{join: j, k: k, events: events[n:]}
		if hole := slices.IndexFunc(o.events,
			func(e log.Older) bool { return e.Body == nil }); hole > 0 {
			o.events = o.events[:hole]
		}
		if !s.put(i, sl, reading{older: o}) {
			return false
		}
		n += len(o.events) - 1
	}
	return len(s.due.lead) == 0 || s.put(i, sl, reading{})
}

// addHole adds to s.due that a waiting stream misses all events of its topic k up to an id. first
// says that it is before all others that are read.
func (s *Shard) addHole(j *Join, k int, to eventid.ID, first bool) {
	from, at := j.position(k), eventid.PositionOf(to)
	gap := log.Place{From: from, Known: true, To: at, Cause: log.GapMissed}
	if first {
		gap = log.Place{Cause: log.GapExpired}
		if eventid.Before(from).Less(to) { // otherwise the client's history is another one
			gap.From, gap.Known, gap.To = from, !from.Time, at
		}
	}
	s.addGap(j.topics()[k].Name(), &gap)
	j.setPosition(k, at)
	s.due.lead = j.appendID(s.due.lead)
}

// addRewritten adds a gap to s.due if the log's history was rewritten before or while a waiting
// stream was sent older events: those come from the upstream, which no longer has what the log had
// before. It reports whether there is a gap.
func (s *Shard) addRewritten(w *wait, k int) bool {
	j := &w.join
	t := j.topics()[k]
	gap, ok := t.RewrittenSince(&w.topic(k).history, j.position(k))
	if ok {
		s.addGap(t.Name(), &gap)
		s.due.lead = j.appendID(s.due.lead)
	}
	return ok
}
