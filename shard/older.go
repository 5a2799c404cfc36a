package shard

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// A log that has let events go, or is full, takes no older ones. The upstream may have them. They are read for the one
// stream that wants them: it waits, and is sent some of them at a time, until it stands where the log begins.

// wantsOlder returns a topic of which a waiting stream must be sent older events before it begins; false if there is none.
func (s *Shard) wantsOlder(w *wait) (k int, ok bool) {
	if w.join.Resume != log.ResumeAt && w.join.Resume != log.ResumeEarliest {
		return 0, false
	}
	for _, beginnings := range []bool{true, false} { // beginnings first: the ids of several topics name them
		for k, t := range w.join.topics() {
			about := w.of(k)
			earliest := about.earliest || w.join.Resume == log.ResumeEarliest
			switch {
			case about.gone, (earliest && !about.begun) != beginnings, !earliest && s.policy(t.Name()) == PolicyLatest:
			case t.MayHaveOlder(w.join.position(k), beginnings):
				return k, true
			}
		}
	}
	return 0, false
}

// setBeginnings gives positions to a stream that wants the earliest events: for each topic, where its log begins or, if the upstream
// has told it, where the upstream's events begin.
func (w *wait) setBeginnings() {
	j := &w.join
	if j.Resume == log.ResumeEarliest {
		j.Resume = log.ResumeAt
		if j.More != nil {
			j.Positions = make([]eventid.Position, len(j.More))
		}
		for k := range j.topics() {
			w.of(k).earliest = true
		}
	}
	for k, t := range j.topics() {
		if about := w.of(k); about.earliest && !about.begun {
			j.setPosition(k, eventid.PositionOf(t.ResumableAfter()))
		}
	}
}

// readOlder has the events after what a waiting stream has seen of its topic k read.
func (s *Shard) readOlder(i uint32, sl *slot, w *wait, k int) {
	w.setBeginnings()
	w.reading = true
	from := w.join.position(k)
	if about := w.of(k); about.earliest && !about.begun {
		from = eventid.Position{}
	}
	of := user(i, sl)
	w.join.topics()[k].Feed().Read(topic.Reading{
		From:   from,
		Client: w.join.Client,
		Wanted: func() bool { return !w.ended.Load() },
		Got:    func(events []log.Older) { s.inbox.call(func() { s.gotOlder(of, k, events) }) },
	})
}

// gotOlder goes on with a waiting stream for which events were read. If it wants the earliest ones, the first reading says where
// it begins.
func (s *Shard) gotOlder(of uint64, k int, events []log.Older) {
	i, sl := s.slots.find(of)
	if sl == nil || sl.flags&flagWaiting == 0 {
		return
	}
	w := s.waits[i]
	w.reading = false
	if sl.flags&flagBlocked != 0 { // by a heartbeat: when it becomes writable they are read again
		return
	}
	_, newest, _ := w.join.topics()[k].Span()
	for len(events) > 0 && newest.Less(events[len(events)-1].ID) { // events that the log has not got yet do not count as older
		events = events[:len(events)-1]
	}
	if w.join.topics()[k].ResumableAfter().IsBound() { // the topic had no event there: what the servers have came later, whatever its ids
		events = nil
	}
	about := w.of(k)
	begins := about.earliest && !about.begun
	if len(events) == 0 { // the log is all there is
		about.gone = true
	} else if begins && events[0].Body == nil { // before the earliest event nothing is missing
		w.join.setPosition(k, eventid.PositionOf(events[0].ID))
		about.begun = true
		events = events[1:]
	}
	if !begins && len(events) > 0 && !s.sendOlder(i, sl, w, k, events) {
		return
	}
	s.retries = append(s.retries, of)
}

// sendOlder sends a waiting stream events of its topic k. It reports whether the stream is open.
func (s *Shard) sendOlder(i uint32, sl *slot, w *wait, k int, events []log.Older) bool {
	j := &w.join
	w.of(k).earliest, w.of(k).sent = false, true
	s.addHead(j)
	if !j.opened {
		j.opened = true
		for k := range w.topics { // the client is told where it begins
			w.of(k).begun = true
		}
		if events[0].Body == nil {
			s.due.lead = append(s.config.appendOpening(s.due.lead, stateGap, s.rng.Int64N), '\n')
		} else {
			s.due.lead = j.appendID(s.config.appendOpening(s.due.lead, stateResumed, s.rng.Int64N))
		}
	}
	sent := 0
	s.tellRewritten(w, k)
	for n, e := range events {
		at := eventid.PositionOf(e.ID)
		switch {
		case e.Body != nil:
			s.due.lead = append(s.due.lead, e.Body...)
			sent++
		case n == 0:
			gap := log.Place{Cause: log.GapExpired}
			if from := j.position(k); eventid.Before(from).Less(e.ID) { // otherwise the client's history is another one
				gap.From, gap.Known, gap.To = from, !from.Time, at
			}
			s.tellGap(j.topics()[k].Name(), &gap)
		default:
			s.tellGap(j.topics()[k].Name(), &log.Place{From: j.position(k), Known: true, To: at, Cause: log.GapMissed})
		}
		j.setPosition(k, at)
		s.due.lead = j.appendID(s.due.lead)
	}
	s.stats.batch(sent)
	return s.put(i, sl, reading{})
}

// tellRewritten adds a gap to s.due if the log's history was rewritten before or while a waiting stream was sent older
// events: those come from the upstream, which no longer has what the log had before. It reports whether there is a gap.
func (s *Shard) tellRewritten(w *wait, k int) bool {
	j := &w.join
	t := j.topics()[k]
	gap, ok := t.RewrittenSince(&w.of(k).history, j.position(k))
	if ok {
		s.tellGap(t.Name(), &gap)
		s.due.lead = j.appendID(s.due.lead)
	}
	return ok
}
