package load

import (
	"bytes"
	"time"

	"ssedge/bench/mark"
)

const (
	lineKept = 256     // of a line is looked at: a mark must stand in it
	idKept   = 8 << 10 // of one with an id, which has to be given back
	// clocksApart is what the clock of a publisher's process may be ahead of this one's.
	clocksApart = time.Millisecond
)

// What an event has had so far.
const (
	seenData = 1 << iota
	seenID
	seenGap
	seenMark
)

// event is what matters of the one being received. A loop has one; where a stream's bytes end in the middle of an event
// it is put aside until more of them come.
type event struct {
	seen uint8
	mark mark.Mark
	id   []byte
	line []byte // the beginning of a line without its end
}

// scan takes the next bytes of a stream's body, and keeps none of them.
func (l *loop) scan(slot int32, b []byte) {
	s := &l.streams[slot]
	e := &l.event
	*e = event{}
	if s.cut {
		s.cut = false
		*e = *l.cut[slot]
		delete(l.cut, slot)
	}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			e.line = lengthen(e.line, b)
			break
		}
		line := b[:end]
		if len(e.line) > 0 {
			line = lengthen(e.line, line)
			e.line = nil
		}
		l.take(slot, e, line)
		b = b[end+1:]
	}
	if e.seen != 0 || len(e.line) > 0 {
		s.cut = true
		l.cut[slot] = &event{e.seen, e.mark, bytes.Clone(e.id), e.line}
	}
}

// lengthen appends what follows to the beginning of a line, as far as it is looked at.
func lengthen(line, more []byte) []byte {
	most := lineKept
	if len(line) > 0 && line[0] == 'i' || len(line) == 0 && more[0] == 'i' {
		most = idKept
	}
	return append(line, more[:min(len(more), most-len(line))]...)
}

// take takes a line without its LF. A line that is neither a comment nor one of the four fields (data, event, id, retry)
// was damaged on the way, or is of no stream that we know.
func (l *loop) take(slot int32, e *event, line []byte) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		l.endEvent(slot, e)
		*e = event{}
		return
	}
	switch {
	case isField(line, "data"):
		e.seen |= seenData
		if e.seen&seenMark == 0 {
			if m, at := mark.Find(line[:min(len(line), lineKept)], l.markAt); at >= 0 {
				e.mark, l.markAt = m, at
				e.seen |= seenMark
			}
		}
	case isField(line, "id"):
		line = line[:min(len(line), idKept)]
		e.seen |= seenID
		e.id = bytes.TrimPrefix(line[min(len(line), len("id:")):], []byte(" "))
	case isField(line, "event"):
		if string(line) == "event: gap" || string(line) == "event:gap" {
			e.seen |= seenGap
		}
	case line[0] == ':':
		l.tally.Comments++
	case isField(line, "retry"):
	default:
		l.damaged(slot)
	}
}

// isField: a name without a colon is a field without a value (WHATWG HTML, 9.2.6).
func isField(line []byte, name string) bool {
	n := len(name)
	return len(line) >= n && string(line[:n]) == name && (len(line) == n || line[n] == ':')
}

func (l *loop) damaged(slot int32) {
	l.streams[slot].history |= gotDamaged
	l.tally.Damaged++
}

// endEvent takes a blank line. An id without data moves the position and is no event.
func (l *loop) endEvent(slot int32, e *event) {
	s := &l.streams[slot]
	switch {
	case e.seen&seenGap != 0:
		s.history |= toldOfGap
		l.tally.Gaps++
	case e.seen&seenMark != 0:
		if !l.check(slot, e.mark) {
			return
		}
	case e.seen&seenData != 0:
		l.tally.Others++ // a server's own: greetings, pings
	}
	if e.seen&seenID != 0 {
		l.takeID(s, e)
	}
}

// check holds an event against what the stream has had; false if it is none of this run's.
func (l *loop) check(slot int32, m mark.Mark) bool {
	s, lanes := &l.streams[slot], l.plan.Lanes
	age := l.now.Since(m.Due)
	if m.Due.Since(l.now) <= clocksApart {
		age = 0
	}
	if age > l.now.Since(l.began) {
		l.tally.Stale++
		return false
	}
	if int(m.Topic)/lanes != l.plan.topicOf(s.number) {
		s.history |= gotOthers
		l.tally.Misdelivered++
		return true
	}
	l.tally.Events++
	numbers := &s.sequence
	if lane := int(m.Topic) % lanes; lane > 0 {
		numbers = &l.lanes[int(slot)*(lanes-1)+lane-1]
	}
	switch numbers.take(m.Seq) {
	case duplicate:
		s.history |= gotDuplicate
		l.tally.Duplicates++
		return true
	case late:
		s.history |= gotLate
		l.tally.Late++
	}
	s.received++
	if !s.slow {
		l.latency.RecordValue(age.Microseconds())
	}
	return true
}

// takeID moves the stream's position. Ids that are numbers must rise with each event; of others only the same one again
// is noticed.
func (l *loop) takeID(s *stream, e *event) {
	next := parsePosition(e.id)
	if e.seen&(seenData|seenGap) == seenData && !next.follows(s.id) {
		s.history |= gotUnsorted
		l.tally.Unsorted++
	}
	s.id = next
	if l.plan.KeepIDs {
		l.ids.hold(&s.heldID, e.id)
	}
}
