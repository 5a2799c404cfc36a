package redis

import (
	"slices"

	"github.com/redis/rueidis"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// passing reports whether an error is temporary, and not of one key or channel.
func passing(err error) bool {
	kind := errorKind(err)
	return kind != "wrongtype" && kind != "noperm"
}

// read takes what was read.
func (r request) read(entries []rueidis.XRangeEntry) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() || f.todo == nil || f.state == away || f.epoch != r.epoch {
		return
	}
	events := make([]element, 0, len(entries))
	for _, e := range entries {
		if m, ok := f.source.element(e); ok {
			events = append(events, m)
		}
	}
	_, last, _ := f.topic.Span()
	stale := last != r.after // others have read these
	if n := len(events); n > 0 && (r.kind == theEnd || r.kind == forward && !stale || r.kind == newest && r.below.IsZero() && len(f.apart) == 0) {
		f.read = eventid.Max(events[0].ID, events[n-1].ID)
	}
	switch r.kind {
	case theEnd:
		f.looked = r.doubts
		f.readEnd(events, r.time)
	case verifying:
		if !stale {
			f.readNewestHere(events)
		}
	case forward:
		if !stale {
			f.readForward(events, r.count)
		}
	case newest:
		if r.below == f.apartEnd() { // else others have read these
			f.readNewest(events, r.count)
		}
	case backward:
		f.readBackward(events, r)
	}
	f.settle()
}

// element is an element of a stream. A bad one was not written by the publish script: nothing but its id
// can be relied on, and it can only be told as missing.
type element struct {
	envelope.Message
	bad bool
}

// size is what an element would take in a log, in bytes, about: an empty one takes some, too.
func (m *element) size() int { return 32 + len(m.Event) + len(m.Data) }

// unfitRetry stands for a reconnection time that breaks the rule: the event is not fit to be sent.
const unfitRetry = -1

func (s *Source) element(e rueidis.XRangeEntry) (element, bool) {
	m := element{Message: envelope.Message{Event: []byte(e.FieldValues["e"]), Data: []byte(e.FieldValues["d"])}}
	var ok, prevOK bool
	m.ID, ok = eventid.Parse([]byte(e.ID))
	m.Prev, prevOK = eventid.Parse([]byte(e.FieldValues["p"]))
	if retry := e.FieldValues["r"]; retry != "" {
		ms, err := s.config.Rule.ParseRetry([]byte(retry))
		if err != nil {
			ms = unfitRetry
		}
		m.RetryMS = ms
	}
	if _, hasData := e.FieldValues["d"]; !prevOK || !hasData || m.ID.IsBound() {
		s.counts.malformed.Add(1)
		m.bad = true
	}
	return m, ok
}

// readEnd takes the newest event of the stream, if it has one; now is a time before it was looked for.
func (f *feed) readEnd(events []element, now uint64) {
	_, last, placed := f.topic.Span()
	if len(events) == 0 {
		switch {
		case !placed:
			f.topic.Place(eventid.At(now), eventid.ID{})
		case !f.source.mayHaveExpired(last, f.since):
			f.source.counts.resets.Add(1)
			to := eventid.Before(eventid.At(max(now, last.MS+1))) // it is not known how many there were, but that some came after last
			f.topic.Skip(last, to)
		}
		return
	}
	m := &events[0]
	switch {
	case !placed:
		f.topic.Place(eventid.After(m.ID), eventid.ID{})
	case m.ID == last, f.topic.Has(m.ID): // if it is an older one, the servers have forgotten what followed it here: the next event shows that
	case last.Less(m.ID) && !m.bad && !begins(&m.Message) && f.follows(m, last): // reading shows whether a stream begins there
		f.add(&m.Message)
	case last.IsBound():
		f.forward, f.same = true, false
	case last.Less(m.ID) && (m.bad || last.Less(m.Prev)):
		f.verifying, f.same, f.forward = true, false, true
	default:
		f.compare()
	}
}

// follows reports whether nothing lies between last and m.
func (f *feed) follows(m *element, last eventid.ID) bool {
	if begins(&m.Message) {
		return last.IsZero() || f.source.mayHaveExpired(last, f.since)
	}
	return m.Prev == last && !last.IsZero()
}

// readForward takes events after the log's newest one or, if there was no stream, all.
func (f *feed) readForward(events []element, asked int) {
	f.forward = len(events) == asked
	if _, last, _ := f.topic.Span(); last.IsBound() && slices.ContainsFunc(events, f.mayHaveHad) { // the stream was gone, and the earlier one is back
		f.compare()
		return
	}
	for i := range events {
		m := &events[i]
		_, last, _ := f.topic.Span()
		switch {
		case m.bad && (last.Less(m.ID) || last.IsBound()):
			f.source.counts.gaps.Add(1)
			f.topic.Skip(f.behind(last), m.ID)
			f.same = true
		case last.IsBound() && begins(&m.Message) && f.source.mayHaveExpired(last, f.since): // whatever its clock says
			f.add(&m.Message)
			f.same = true
		case last.IsBound():
			f.source.counts.gaps.Add(1)
			f.beginAt(&m.Message, last)
			f.same = true
		case !last.Less(m.ID):
		case f.topic.Has(m.ID): // of another history than the log's newest event
			f.compare()
			return
		case f.follows(m, last):
			f.add(&m.Message)
		case m.Prev.Less(last) && !m.Prev.IsZero(), f.mayHaveHad(*m): // of another history than the log's newest event
			f.compare()
			return
		default:
			f.source.counts.gaps.Add(1)
			f.beginAt(&m.Message, f.behind(last))
			f.same = true
		}
	}
}

// behind is the from of a gap: the log's newest event, if the stream is known to have had it;
// otherwise zero, because what is missing may be of another history.
func (f *feed) behind(last eventid.ID) eventid.ID {
	if f.same {
		return last
	}
	return eventid.ID{}
}

// readBackward takes events before the log's oldest one and after a position, newest first. If a stream has asked for
// still older ones meanwhile, they are read next. What an event says was before it counts only if the stream has nothing else there.
func (f *feed) readBackward(events []element, r request) {
	lost, _, _ := f.topic.Span()
	if lost.Less(r.lost) { // others have read these
		return
	}
	position, from := r.from, eventid.Before(r.from)
	older := make([]log.Older, 0, len(events))
	before := lost // the id before the oldest of them
	size := int64(0)
	full := len(events) == r.count // then the last one only shows what is before the others
	for i := range events {
		m := &events[i]
		if i == 0 && m.ID != lost || !position.Time && !from.Less(m.ID) || full && i == len(events)-1 {
			break
		}
		event := log.Older{ID: m.ID}
		if !m.bad {
			if body, ok := f.source.body(&m.Message); ok {
				event.Body = append([]byte(nil), body.B...)
				size += int64(len(body.B))
				bodies.Put(body)
			}
		}
		if event.Body == nil {
			size += holeBytes
		}
		older = append(older, event)
		if i+1 == len(events) {
			before = f.source.before(m, position)
			break
		}
		before = events[i+1].ID
		if m.bad || m.Prev == before {
			continue
		}
		hole := holeBefore(m)
		if hole.Less(before) {
			hole = below(m.ID)
		}
		if before.Less(hole) { // something fits between the two
			older = append(older, log.Older{ID: hole})
			size += holeBytes
		}
	}
	slices.Reverse(older)
	if len(events) == 0 && f.source.wasEmpty(from, lost) {
		before = from
	}
	kept := f.topic.Prepend(older, before, lost)
	f.readBytes += size
	switch {
	case !kept:
		f.backward = false
	case (from.Less(before) || position.Time) && (!full || len(older) == 0): // that is all there is
		f.backward = f.backward && r.from != f.from // others may have asked meanwhile
		if !before.IsBound() {                      // otherwise it may be no more than a client's claim, and an earlier one may hold, too
			f.floor = before
		}
	default:
		f.backward = f.readBytes < f.source.config.HistoryBytes && f.topic.Extends()
	}
}

// holeBytes is what a gap takes in a log, about.
const holeBytes = 200

// wasEmpty reports whether nothing was published between two ids, where there is nothing now: there was no stream at either
// time, and none can have come and gone.
func (s *Source) wasEmpty(from, to eventid.ID) bool {
	return from.IsBound() && to.IsBound() && from.Less(to) && to.MS-from.MS < s.ttlMS()
}

// before is the id before an event that is the oldest of its stream behind from.
func (s *Source) before(m *element, from eventid.Position) eventid.ID {
	if !m.bad && begins(&m.Message) {
		return s.beginning(m.ID, from)
	}
	return holeBefore(m)
}

// holeBefore is the last id that may be missing before an event: the one it names, if that can be.
func holeBefore(m *element) eventid.ID {
	if m.bad || m.Prev.IsZero() || !m.Prev.Less(m.ID) {
		return below(m.ID)
	}
	return m.Prev
}

// beginning is the id that lies before the first event of a stream at Redis, for a reader that has seen everything
// up to from. An earlier stream of the topic may have expired with events behind from, but only after it had been quiet
// for the TTL. So if from is a time less than the TTL before the first event, nothing is missing between them.
func (s *Source) beginning(first eventid.ID, from eventid.Position) eventid.ID {
	before, empty := eventid.Before(eventid.At(first.MS)), eventid.Before(from)
	if empty.IsBound() && empty.Less(before) && before.MS-empty.MS < s.ttlMS() {
		return empty
	}
	return before
}

// ttlMS is how long streams are kept, in milliseconds.
func (s *Source) ttlMS() uint64 { return uint64(s.config.TTL.Milliseconds()) }

// mayHaveExpired reports whether a stream whose newest event is last can have gone by itself, and
// nothing can have been published and gone since the doubt began.
func (s *Source) mayHaveExpired(last eventid.ID, since int64) bool {
	if s.times.now()-since >= int64(s.ttlMS()/1000) {
		return false
	}
	if last.IsBound() { // a time: there was none
		return true
	}
	upper := s.times.upper()
	return last.MS <= upper && upper-last.MS >= s.ttlMS()
}

// settle ends the reading if there is nothing more to read, goes on with what was held, and answers the
// streams that have asked.
func (f *feed) settle() {
	if f.todo == nil {
		return
	}
	lost, _, placed := f.topic.Span()
	if f.looked != f.doubts || f.comparing || f.verifying || f.forward || !placed || f.wantsBack(lost) {
		f.enqueue()
		return
	}
	f.tellAckedRead()
	f.topic.CaughtUp()
	f.backward = false
	if f.lost {
		f.lost = false
		f.tellLost()
	}
	if f.state == catching {
		held, first, spilt := f.held, f.heldFirst, f.spilt
		f.held, f.heldBytes, f.heldFirst, f.spilt = nil, 0, 0, false
		f.set(live)
		if spilt {
			f.doubt(causeOverflow)
			return
		}
		for i, text := range held {
			if i < first {
				f.take(text, cameEarly)
			} else {
				f.take(text, cameLate)
			}
			if f.state != live {
				for _, text := range held[i+1:] {
					f.hold(text)
				}
				return
			}
		}
	}
	if f.asked > 0 {
		f.topic.Answer(f.asked, f.floor)
	}
	f.todo = nil
}
