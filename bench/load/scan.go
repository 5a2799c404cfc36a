package load

import "bytes"

// Where in the body a stream's next byte belongs. The scanner stops at any byte and goes on there.
const (
	atLineStart = iota
	inSkippedLine
	inEventLine // after the first byte of an event: line
	inIDName    // after the first byte of an id: line
	inIDMillis
	inIDSeq
)

// What the event being received had so far.
const (
	seenData = 1 << iota
	seenID
	seenGap
)

const gapLine = "event: gap"

// position is an event id, "<ms>-<seq>". A plain number is taken as ms.
type position struct{ ms, seq uint64 }

func (p position) after(q position) bool {
	return p.ms > q.ms || p.ms == q.ms && p.seq > q.seq
}

// tally is what a loop has seen on all its streams. Written by the loop only.
type tally struct {
	events   uint64 // complete events with data, gap events not among them
	comments uint64 // comment lines: heartbeats, and one or so at the start of a stream
	gaps     uint64 // gap events
	bytes    uint64
}

// scanner counts the events of one stream. A field is known by its first byte (data, event, id, retry, or a colon for
// a comment): a line that starts with any other was damaged on the way.
type scanner struct {
	last     position // of the last complete event
	id       position // of the event being received
	events   uint32
	gaps     uint32
	unsorted uint32 // events whose id was not after the one before: sent twice, or out of order
	damaged  uint32 // lines that no event stream of ours has
	state    uint8
	matched  uint8 // bytes of gapLine matched; 0 once it cannot match
	seen     uint8
}

// scan counts what is in b, the next bytes of the stream. It allocates nothing and keeps no part of b.
func (s *scanner) scan(b []byte, t *tally) {
	for i := 0; i < len(b); {
		c := b[i]
		switch s.state {
		case atLineStart:
			i++
			switch c {
			case '\n':
				s.endEvent(t)
			case 'd':
				s.seen |= seenData
				s.state = inSkippedLine
			case 'i':
				s.state = inIDName
			case 'e':
				s.state, s.matched = inEventLine, 1
			case ':':
				t.comments++
				s.state = inSkippedLine
			case 'r':
				s.state = inSkippedLine
			default:
				s.damaged++
				s.state = inSkippedLine
			}
		case inSkippedLine:
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				return
			}
			i += end + 1
			s.state = atLineStart
		case inEventLine:
			i++
			switch {
			case c == '\n':
				if int(s.matched) == len(gapLine) {
					s.seen |= seenGap
				}
				s.state = atLineStart
			case s.matched > 0 && int(s.matched) < len(gapLine) && c == gapLine[s.matched]:
				s.matched++
			default:
				s.matched = 0
			}
		case inIDName:
			i++
			if c == ':' {
				s.state, s.id = inIDMillis, position{}
				s.seen |= seenID
			} else if c == '\n' {
				s.damaged++
				s.state = atLineStart
			}
		case inIDMillis:
			i = s.scanNumber(b, i, &s.id.ms)
		case inIDSeq:
			i = s.scanNumber(b, i, &s.id.seq)
		}
	}
}

// scanNumber reads digits into n and moves on at what ends them.
func (s *scanner) scanNumber(b []byte, i int, n *uint64) int {
	value := *n
	for ; i < len(b); i++ {
		c := b[i]
		if digit := c - '0'; digit <= 9 {
			value = value*10 + uint64(digit)
			continue
		}
		switch {
		case c == '\n':
			s.state = atLineStart
		case c == '-' && s.state == inIDMillis:
			s.state = inIDSeq
		case c == ' ' && s.state == inIDMillis && value == 0:
			continue
		default:
			s.damaged++
			s.state = inSkippedLine
		}
		i++
		break
	}
	*n = value
	return i
}

// endEvent takes a blank line. An id without data moves the position and is no event.
func (s *scanner) endEvent(t *tally) {
	seen := s.seen
	s.seen = 0
	switch {
	case seen == seenData|seenID:
		if !s.id.after(s.last) {
			s.unsorted++
		}
		s.last = s.id
		s.events++
		t.events++
	case seen&seenGap != 0:
		s.gaps++
		t.gaps++
		if seen&seenID != 0 && s.id.after(s.last) {
			s.last = s.id
		}
	case seen&seenData != 0:
		s.events++
		t.events++
	case seen&seenID != 0:
		s.last = s.id
	}
}
