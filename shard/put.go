package shard

import (
	"strconv"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/sys"
)

// due is what the stream under way is owed, beside what its topic's log (Shard.snap) has behind its
// cursor. It knows no wire.
type due struct {
	// opening, gaps, heartbeat, last words; goes first. The names of its topics bound it
	lead []byte
	head int  // so many bytes of it are a response head, which stands before any unit
	last bool // nothing follows: the body ends behind it
}

// reading is the log that a stream is sent: none, that of its only topic, or that of one of
// several. A stream that waits is sent older events than its topic's log has.
type reading struct {
	state  uint32
	has    bool    // there is a log
	bundle *bundle // of a stream with several topics …
	sub    *sub    // … the one
	older  *older
}

const (
	eagain    = sys.EAGAIN
	piecesMax = sys.PiecesMax
)

// put sends a stream what it is owed, and empties that: s.due, and what the log has from its cursor
// to the head. It is the only sender, and the only one to look at a stream's wire. It reports
// whether the stream is still open; it may be blocked.
func (s *Shard) put(i uint32, sl *slot, of reading) bool {
	open := true
	if sl.wire == WireRaw && of.bundle == nil && of.older == nil {
		open = s.putRange(i, sl, of)
	} else {
		open = s.putUnits(i, sl, &framings[sl.wire], of, underway{})
	}
	s.due = due{lead: s.due.lead[:0]}
	return open
}

// putRange sends a raw stream with one topic all of it in one call: the fast path.
func (s *Shard) putRange(i uint32, sl *slot, of reading) bool {
	lead := len(s.due.lead)
	pieces, total := s.pieces[:0], lead
	if of.has && sl.cursor < s.snap.Head {
		pieces = s.snap.Behind(sl.cursor)
		total += int(s.snap.Head - sl.cursor)
	}
	if lead > 0 {
		s.pieces = append(append(s.pieces[:0], s.due.lead), pieces...)
		pieces = s.pieces
	}
	if total == 0 {
		return true
	}
	n, ok := s.send(i, sl, pieces, total)
	if !ok {
		return false
	}
	switch {
	case n == total:
		if total > lead {
			sl.cursor = s.snap.Head
			sl.setLast(s.snap.Last)
			s.stats.countEvents(s.snap.EventsBehind())
		}
		return true
	case n < lead:
		return s.block(i, sl, outbox{framed: clone(s.due.lead[n:])})
	case n == lead:
		return s.block(i, sl, outbox{})
	}
	// The cursor goes to the end of the event that the send stopped in; what is
	// unsent of it is kept aside. So a cursor never stands inside an event.
	half := s.snap.HalfSent(sl.cursor + uint64(n-lead))
	s.stats.countEvents(s.snap.EventsBetween(sl.cursor, half.End))
	sl.cursor = half.End
	sl.setLast(half.At)
	return s.block(i, sl, unsent(underway{log: half.Text, state: of.state, end: half.End}))
}

// moveTo moves a stream to a place in what it is sent.
func (of *reading) moveTo(sl *slot, cursor uint64, at eventid.Position) {
	switch {
	case of.older != nil:
		of.older.moveTo(cursor, at)
	case of.sub != nil:
		of.sub.cursor, of.sub.last = cursor, at
	default:
		sl.cursor = cursor
		sl.setLast(at)
	}
}

// behind reports whether there is anything to send from it.
func (of *reading) behind(s *Shard, sl *slot) bool {
	return of.has && of.cursor(sl) < s.snap.Head || of.older.left() > 0
}

// cursor is where the stream stands in it.
func (of *reading) cursor(sl *slot) uint64 {
	if of.sub != nil {
		return of.sub.cursor
	}
	return sl.cursor
}

// at is the position that its client has.
func (of *reading) at(sl *slot) eventid.Position {
	if of.sub != nil {
		return of.sub.last
	}
	return sl.last()
}

// skip moves a stream to p, and adds the gap before it to s.due.
func (s *Shard) skip(sl *slot, of reading, st *state, p *log.Place) {
	of.moveTo(sl, p.Cursor, p.At)
	s.addGap(st.topic.Name(), p)
	if of.bundle != nil {
		s.due.lead = of.bundle.appendID(s.due.lead)
	} else {
		s.due.lead = sse.AppendID(s.due.lead, p.At.Append(s.idBuf[:0]))
	}
}

// send writes pieces, total bytes in all, and returns how many the socket took; fewer than total
// only if it is full. It closes the stream and returns false if the connection is broken.
func (s *Shard) send(i uint32, sl *slot, pieces [][]byte, total int) (int, bool) {
	sent := 0
	for {
		s.sends++
		n, all, errno := s.kernelSend(int(sl.fd), pieces, sent)
		if errno == eagain {
			return sent, true
		}
		if errno != 0 {
			s.close(i, sl, reasonOf(errno))
			return sent, false
		}
		sent += n
		sl.lastWrite = s.tick
		s.stats.countSend(n)
		if sent == total || all {
			// The socket is full: asking again would only cost a call.
			return sent, true
		}
	}
}

// kernelSend offers the kernel the pieces from byte offset on. all says that it
// looked at all of them: then it took less only because the socket is full.
func (s *Shard) kernelSend(fd int, pieces [][]byte, offset int) (n int, all bool, errno sys.Errno) {
	for offset > 0 && offset >= len(pieces[0]) {
		offset -= len(pieces[0])
		pieces = pieces[1:]
	}
	if len(pieces) == 1 {
		n, errno = s.kernel.Send(fd, pieces[0][offset:])
		return n, true, errno
	}
	if offset > 0 {
		s.resumed = append(append(s.resumed[:0], pieces[0][offset:]), pieces[1:]...)
		pieces = s.resumed
	}
	n, errno = s.kernel.SendV(fd, pieces)
	return n, len(pieces) <= piecesMax, errno
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
