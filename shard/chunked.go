package shard

import (
	"bytes"
	"slices"
	"strconv"
)

// Chunked framing (RFC 9112 7.1) is for proxies that insist on it. The line before a
// chunk promises its bytes to the client, whatever becomes of the log: so a chunk is
// short, begins and ends between events, and what a full socket has not taken of it
// is kept aside, like the rest of a half-sent event. Framed in the same way, one unit
// at a time, are TLS records, HTTP/2 frames and WebSocket messages.

// chunkBytes is how many bytes of events go into one chunk, for that much is copied
// for a full socket; a longer event has a chunk of its own.
const chunkBytes = restCopyMax

var (
	chunkEnd  = []byte("\r\n")
	lastChunk = []byte("0\r\n\r\n")
)

// appendChunkSize appends the line before a chunk of n bytes.
func appendChunkSize(dst []byte, n int) []byte {
	return append(strconv.AppendUint(dst, uint64(n), 16), chunkEnd...)
}

// framed makes a chunk of what stands in b from from on.
func framed(b []byte, from int) []byte {
	var size [16]byte
	b = slices.Insert(b, from, appendChunkSize(size[:0], len(b)-from)...)
	return append(b, chunkEnd...)
}

// pushChunked is push for a stream in chunks: s.lead and everything from its cursor
// to the head, a chunk at a time.
func (s *Shard) pushChunked(i uint32, sl *slot, st *state) bool {
	if sl.cursor < s.snap.Tail && !s.overrun(i, sl, st) {
		return false
	}
	if len(s.lead) > 0 {
		if !s.pushLead(i, sl) {
			return false
		}
		if sl.flags&flagBlocked != 0 {
			return true
		}
	}
	for sl.cursor < s.snap.Head {
		run := s.snap.Run(sl.cursor, chunkBytes)
		s.size = appendChunkSize(s.size[:0], len(run.Text))
		s.pieces = append(s.pieces[:0], s.size, run.Text, chunkEnd)
		total := len(s.size) + len(run.Text) + len(chunkEnd)
		n, ok := s.send(i, sl, s.pieces, total)
		if !ok {
			return false
		}
		if n == 0 {
			return s.block(i, sl, rest{})
		}
		s.stats.batch(s.snap.EventsBetween(sl.cursor, run.End))
		sl.cursor = run.End
		sl.setLast(run.At)
		if n < total {
			return s.block(i, sl, promised(s.pieces, n, sl.topic, run.End))
		}
	}
	return true
}

// promised is the rest of a chunk of which n bytes were sent. Only an event that has a
// chunk of its own can be long enough to stay in the log, where it ends at end. It is
// copied if the socket did not even take all of the line before it. That happens only to
// connections that are about to break.
func promised(pieces [][]byte, n int, state uint32, end uint64) rest {
	for n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if first := pieces[0][n:]; len(first) > restCopyMax {
		return rest{ref: first, own: bytes.Join(pieces[1:], nil), state: state, end: end}
	}
	return rest{own: bytes.Join(pieces, nil)[n:]}
}

// endChunks ends the body as it should end, unless it is cut off inside a chunk or was
// ended with its last words (Shard.finish).
func (s *Shard) endChunks(sl *slot, reason CloseReason) {
	switch reason {
	case ClosedClientGone, ClosedError, ClosedOverload, ClosedDrain:
		return
	}
	if sl.flags&flagBlocked == 0 {
		s.kernel.Send(int(sl.fd), lastChunk)
	}
}
