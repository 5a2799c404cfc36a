package log

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"ssedge/proto/eventid"
	"ssedge/proto/record"
	"ssedge/proto/sse"
)

// A log of this node as bytes, for a file or another process. All numbers are varints:
//
//	log   = flags tail lost events event…
//	event = id length body
//	id    = milliseconds since the id before, then the sequence number; if those are 0,
//	        by how much it is above the one before, less 1
//
// The first event's id follows lost. Bodies are as they were appended, without their ids. youth is
// not in it: nothing is connected to a log that was read, so its window begins anew.

// had says in flags that the topic has had an event; the bits above it are the log's cause.
const had = 1

// ErrNotOwn is returned for a log that is not of this node's own events. Its upstream has them.
var ErrNotOwn = errors.New("the events of the log are those of an upstream")

// Freeze returns the log as it is, for reading: it shares the events, and stays as it is when the
// log changes.
func (l *Log) Freeze() Log {
	frozen := *l
	frozen.segments = slices.Clone(l.segments)
	if n := len(frozen.segments); n > 0 {
		newest := *frozen.segments[n-1]
		frozen.segments[n-1] = &newest
	}
	return frozen
}

// AppendState appends the log as bytes. The only error is ErrNotOwn.
func (l *Log) AppendState(dst []byte) ([]byte, error) {
	if l.foreign || l.rewritten != nil {
		return dst, ErrNotOwn
	}
	flags := byte(l.cause) << 1
	if !l.last.IsZero() {
		flags |= had
	}
	dst = append(dst, flags)
	dst = record.AppendNumber(dst, l.tail)
	dst = record.AppendID(dst, l.lost)
	dst = record.AppendNumber(dst, uint64(l.events))
	before, first := l.lost, l.first
	for _, g := range l.segments {
		for k := first; k < len(g.index); k++ {
			e := &g.index[k]
			if !before.Less(e.id) {
				return dst, ErrNotOwn
			}
			seq := e.id.Seq
			if e.id.MS == before.MS {
				seq -= before.Seq + 1
			}
			dst = record.AppendNumber(dst, e.id.MS-before.MS)
			dst = record.AppendNumber(dst, seq)
			dst = record.AppendBytes(dst, g.buf[g.start(k):e.idLine])
			before = e.id
		}
		first = 0
	}
	return dst, nil
}

// Bounds of what is read: cursors have room above tailMax, and offsets in a segment have 32 bits.
const (
	tailMax = 1 << 62
	bodyMax = math.MaxUint32 >> 1
)

// ReadState reads what AppendState has written. It keeps nothing of b, and takes memory in
// proportion to it. Whatever is not a whole log is an error.
func ReadState(b []byte) (Log, error) {
	if len(b) == 0 {
		return Log{}, errors.New("a log without flags")
	}
	flags, r := b[0], record.Read(b[1:])
	l := Log{cause: GapCause(flags >> 1)}
	l.tail = r.Number()
	l.head = l.tail
	l.lost = r.ID()
	events := r.Number()
	switch {
	case r.Broken():
		return Log{}, errors.New("a log that ends early")
	case l.cause > GapEvicted || l.tail > tailMax || l.lost.IsBound():
		return Log{}, fmt.Errorf("a log with flags %#x, tail %d and lost %v", flags, l.tail, l.lost)
	case events > 0 && flags&had == 0:
		return Log{}, errors.New("a log with events that has never had one")
	case flags&had != 0:
		l.last = l.lost
	}
	var text [eventid.MaxPositionBytes]byte
	for read := uint64(0); read < events; {
		size, fit := fits(r, l.NewestID(), events-read)
		g := &segment{base: l.head, buf: make([]byte, 0, size), index: make([]entry, 0, fit)}
		for range max(fit, 1) {
			read++
			body, id, err := readEvent(&r, l.NewestID())
			if err != nil {
				return Log{}, fmt.Errorf("event %d of %d: %w", read, events, err)
			}
			g.add(body, id, id.Append(text[:0]))
			l.last = id
		}
		l.segments = append(l.segments, g)
		l.head, l.events = g.end(), l.events+len(g.index)
	}
	if n := len(r.Left()); n > 0 {
		return Log{}, fmt.Errorf("a log of %d events with %d bytes behind it", events, n)
	}
	return l, nil
}

// fits returns how many of the events that follow make a segment, most at most, and its bytes. A
// log that was read takes no more memory than it did, so that it fits where it did.
func fits(r record.Reader, before eventid.ID, most uint64) (size, events int) {
	var text [eventid.MaxPositionBytes]byte
	for uint64(events) < most {
		body, id, err := readEvent(&r, before)
		need := len(body) + len(id.Append(text[:0])) + sse.IDOverheadBytes
		if err != nil || events > 0 && size+need > segmentBytesMax {
			break
		}
		size, events, before = size+need, events+1, id
	}
	return size, events
}

// readEvent reads the event that follows the one with the id before.
func readEvent(r *record.Reader, before eventid.ID) (body []byte, id eventid.ID, _ error) {
	since, seq := r.Number(), r.Number()
	body = r.Bytes()
	if r.Broken() {
		return nil, id, errors.New("it ends early")
	}
	id = eventid.ID{MS: before.MS + since, Seq: seq}
	if since == 0 {
		id.Seq += before.Seq + 1
	}
	if length := len(body); length == 0 || length > bodyMax || body[0] == '\n' ||
		body[length-1] != '\n' || bytes.Contains(body, []byte("\n\n")) {
		return nil, id, errors.New("its bytes are not lines")
	}
	if id.MS < before.MS || !before.Less(id) || id.IsBound() {
		return nil, id, fmt.Errorf("its id %v does not follow %v", id, before)
	}
	return body, id, nil
}
