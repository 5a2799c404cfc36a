package load

import (
	"bytes"
	"math"
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
	seenTorn   // another payload than was published
	seenBefore // late or a duplicate: that its id does not rise is the same fault
	seenOwn    // what ssedge says of the stream itself: neither an event nor a heartbeat
)

// event is what matters of the one being received. A loop has one; where a stream's bytes end in
// the middle of an event it is put aside until more of them come.
type event struct {
	seen uint8
	mark mark.Mark
	data int // bytes of data
	id   []byte
	line []byte // the beginning of a line without its end …
	long int    // … and how many bytes of it have come
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
			e.line = appendLine(e.line, b)
			e.long += len(b)
			break
		}
		line, long := b[:end], e.long+end
		if len(e.line) > 0 {
			line = appendLine(e.line, line)
			e.line, e.long = nil, 0
		}
		l.take(slot, e, line, long)
		b = b[end+1:]
	}
	if e.seen != 0 || len(e.line) > 0 {
		s.cut = true
		cut := *e
		cut.id = bytes.Clone(e.id)
		l.cut[slot] = &cut
	}
}

// appendLine appends what follows to the beginning of a line, as far as it is looked at.
func appendLine(line, more []byte) []byte {
	most := lineKept
	if len(line) > 0 && line[0] == 'i' || len(line) == 0 && more[0] == 'i' {
		most = idKept
	}
	return append(line, more[:min(len(more), most-len(line))]...)
}

// byteOrderMark may precede a stream (WHATWG HTML, 9.2.6).
const byteOrderMark = "\uFEFF"

// take takes a line of long bytes without its LF, or as much of it as was kept. A line that is
// neither a comment nor one of the four fields (data, event, id, retry) was damaged on the way, or
// is of no stream that we know.
func (l *loop) take(slot int32, e *event, line []byte, long int) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
		long--
	}
	if len(line) == 0 {
		l.endEvent(slot, e)
		*e = event{}
		return
	}
	switch {
	case isField(line, "data"):
		e.seen |= seenData
		e.data += long - len("data:")
		if len(line) > len("data:") && line[len("data:")] == ' ' {
			e.data--
		}
		if e.seen&seenMark == 0 {
			line = line[:min(len(line), lineKept)]
			if m, at := mark.Find(line, l.markAt); at >= 0 {
				e.mark, l.markAt = m, at
				e.seen |= seenMark
				if !mark.Fills(line[at+mark.Bytes:], l.plan.Payload-mark.Bytes) {
					e.seen |= seenTorn
				}
			}
		}
	case isField(line, "id"):
		line = line[:min(len(line), idKept)]
		e.seen |= seenID
		e.id = bytes.TrimPrefix(line[min(len(line), len("id:")):], []byte(" "))
	case isField(line, "event"):
		switch string(line) {
		case "event: gap", "event:gap":
			e.seen |= seenGap
		case "event: ssedge":
			e.seen |= seenOwn
		}
	case line[0] == ':':
		l.tally.Comments++
		l.beat(slot)
	case isField(line, "retry"):
	default:
		if bare, marked := bytes.CutPrefix(line, []byte(byteOrderMark)); marked &&
			l.streams[slot].received == 0 && e.seen == 0 {
			l.take(slot, e, bare, long-len(byteOrderMark))
			return
		}
		l.damaged(slot)
	}
}

func (l *loop) beat(slot int32) {
	if s := &l.streams[slot]; s.beats < math.MaxUint8 {
		s.beats++
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
	case e.seen&seenOwn != 0:
	case e.seen&seenMark != 0:
		if !l.check(slot, e) {
			return
		}
	case e.seen&seenData != 0:
		l.tally.Others++ // a server's own: greetings, pings
		l.beat(slot)
	}
	if e.seen&seenID != 0 {
		l.takeID(s, e)
	}
}

// check compares an event with what the stream has had; false if it is none of this run's.
func (l *loop) check(slot int32, e *event) bool {
	s, m, lanes := &l.streams[slot], e.mark, l.plan.Lanes
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
	if e.data < l.plan.Payload || e.seen&seenTorn != 0 {
		l.damaged(slot)
	}
	l.tally.Events++
	numbers := &s.sequence
	if lane := int(m.Topic) % lanes; lane > 0 {
		numbers = &l.lanes[int(slot)*(lanes-1)+lane-1]
	}
	switch numbers.take(m.Seq) {
	case duplicate:
		e.seen |= seenBefore
		s.history |= gotDuplicate
		l.tally.Duplicates++
		return true
	case late:
		e.seen |= seenBefore
		s.history |= gotLate
		l.tally.Late++
	}
	s.received++
	if !s.slow {
		l.latency.RecordValue(age.Microseconds())
	}
	return true
}

// takeID moves the stream's position. Ids that are numbers must rise with each event; of others
// only the same one again is noticed.
func (l *loop) takeID(s *stream, e *event) {
	next := parsePosition(e.id)
	if e.seen&(seenData|seenGap|seenBefore|seenOwn) == seenData && !next.follows(s.id) {
		s.history |= gotUnsorted
		l.tally.Unsorted++
	}
	s.id = next
	if l.plan.KeepIDs {
		l.ids.hold(&s.heldID, e.id)
	}
}
