package shard

import (
	"bytes"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// snapshot is a topic's log as one pass of a shard sees it: taken under the
// topic's lock, read without it. The bytes in it are immutable.
type snapshot struct {
	tail, head uint64
	last       eventid.Position
	pieces     []piece
	cause      GapCause // why the events before tail are not there
	lost       eventid.ID
	rewritten  rewritten

	// Most subscribers of a topic stand at the same cursor: what they are sent is
	// found once.
	cachedFor    uint64
	cached       [][]byte
	cachedEvents int // in them; -1 if they were not counted yet
}

// piece is the published part of one segment.
type piece struct {
	base uint64
	buf  []byte
}

// take fills the snapshot from l. The caller holds the topic's lock.
func (s *snapshot) take(l *log) {
	s.tail, s.head, s.last, s.cause, s.lost = l.tail, l.head, l.place(), l.cause, l.lost
	s.rewritten = rewritten{}
	if l.rewritten != nil {
		s.rewritten = *l.rewritten
	}
	s.pieces = s.pieces[:0]
	for _, g := range l.segments {
		s.pieces = append(s.pieces, piece{g.base, g.buf})
	}
	s.cached = s.cached[:0]
}

// drop forgets the bytes.
func (s *snapshot) drop() {
	clear(s.pieces[:cap(s.pieces)])
	clear(s.cached[:cap(s.cached)])
	s.pieces, s.cached = s.pieces[:0], s.cached[:0]
}

// behind returns the bytes from cursor, which must not be below tail or at head,
// to head, one piece for each segment they lie in. The slice is valid until the next
// call.
func (s *snapshot) behind(cursor uint64) [][]byte {
	if len(s.cached) > 0 && s.cachedFor == cursor {
		return s.cached
	}
	s.cachedFor, s.cached, s.cachedEvents = cursor, s.cached[:0], -1
	for i := s.pieceAt(cursor); i < len(s.pieces); i++ {
		p := s.pieces[i]
		s.cached = append(s.cached, p.buf[max(cursor, p.base)-p.base:])
	}
	return s.cached
}

// eventsBehind is how many events the last answer of behind has. They are counted
// only for streams that were sent all of them: a slow reader of a long log would have them
// counted with every send.
func (s *snapshot) eventsBehind() int {
	if s.cachedEvents < 0 {
		s.cachedEvents = 0
		for _, p := range s.cached {
			s.cachedEvents += countBlankLines(p)
		}
	}
	return s.cachedEvents
}

func (s *snapshot) pieceAt(p uint64) int {
	for i := len(s.pieces) - 1; i > 0; i-- {
		if s.pieces[i].base <= p {
			return i
		}
	}
	return 0
}

// event returns the event that begins at cursor: what precedes its id line, what that
// says, and where it ends.
func (s *snapshot) event(cursor uint64) (body []byte, at eventid.Position, end uint64) {
	p := s.pieces[s.pieceAt(cursor)]
	buf := p.buf[cursor-p.base:]
	buf = buf[:sse.Boundary(buf, 1)]
	idLine := lastLine(buf)
	return buf[:idLine], positionIn(buf[idLine:]), cursor + uint64(len(buf))
}

// newest returns where the newest event that is no gap begins, and the position before it; false if it is the
// oldest, or there is none.
func (s *snapshot) newest() (cursor uint64, before eventid.Position, ok bool) {
	for end := s.head; end > s.tail; end = cursor {
		p := s.pieces[s.pieceAt(end-1)]
		cursor = p.base
		if at := bytes.LastIndex(p.buf[:end-p.base-uint64(len(blankLine))], blankLine); at >= 0 {
			cursor += uint64(at + len(blankLine))
		}
		if cursor <= s.tail {
			break
		}
		if !bytes.HasPrefix(p.buf[cursor-p.base:], gapBegin) {
			p := s.pieces[s.pieceAt(cursor-1)]
			return cursor, lastPosition(p.buf[:cursor-p.base]), true
		}
	}
	return 0, eventid.Position{}, false
}

// halfSent says what became of the event in which a send stopped at position
// sent: where it ends, the position after it, and the bytes of it that are still to be
// sent, none if sent is a boundary between events.
func (s *snapshot) halfSent(sent uint64) (end uint64, at eventid.Position, rest []byte) {
	p := s.pieces[s.pieceAt(sent-1)]
	off := int(sent - p.base)
	boundary := sse.Boundary(p.buf, off)
	return p.base + uint64(boundary), lastPosition(p.buf[:boundary]), p.buf[off:boundary]
}

// lastPosition is the position after the last event in buf.
func lastPosition(buf []byte) eventid.Position { return positionIn(buf[lastLine(buf):]) }

// positionIn reads a position back from an id line and the blank line after it.
func positionIn(line []byte) eventid.Position {
	p, _ := eventid.ParsePosition(line[len("id: ") : len(line)-len(blankLine)])
	return p
}

// lastLine returns where the last line of the event at the end of buf begins.
func lastLine(buf []byte) int {
	return bytes.LastIndexByte(buf[:len(buf)-len(blankLine)], '\n') + 1
}
