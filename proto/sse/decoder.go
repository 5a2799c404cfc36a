package sse

import (
	"errors"
	"fmt"
)

// The bounds of a [Decoder] that sets none.
const (
	DefaultLineBytesMax  = 1 << 20
	DefaultEventBytesMax = 8 << 20
)

// What ends a stream for a [Decoder]. [Decoder.Feed] returns them wrapped, with the bound.
var (
	ErrLineTooLong   = errors.New("sse: line too long")
	ErrEventTooLarge = errors.New("sse: event data too large")
)

// Message is an event as a browser would dispatch it.
type Message struct {
	Event       string // the type; "message" if the event had no name
	Data        string // lines joined by LF
	LastEventID string // the id to resume after, this event's or an earlier one's
}

// Decoder reads an event stream as 9.2.5 and 9.2.6 say: one leading BOM is skipped; CR, LF and CRLF
// end lines; invalid UTF-8 becomes U+FFFD; unknown fields, ids with NUL and retry values that are
// not digits are ignored; an event without data is not dispatched, but its id counts; what is
// pending when the stream ends is discarded, so the end needs no call.
//
// The zero Decoder is ready to read a first stream. It belongs to one goroutine.
type Decoder struct {
	// LineBytesMax bounds the bytes of a line without its end, EventBytesMax the decoded data of an
	// event; 0 means the default. The standard has no bounds. Set before the first Feed.
	LineBytesMax, EventBytesMax int
	// OnComment, if set, is called for every comment line with the text after
	// its colon and one leading space. The standard ignores comments.
	OnComment func(text string)

	line    []byte // the part of a line whose end has not come
	afterCR bool   // the last byte ended a line and was a CR: an LF belongs to it
	begun   bool   // the first line, the one that may begin with a BOM, is past

	// The three buffers of 9.2.6.
	data  []byte
	event []byte
	id    []byte

	lastEventID string // as committed by the last blank line
	retryMS     int64
	retrySet    bool
	err         error
}

// Feed reads the next bytes of the stream, cut anywhere, and calls emit for each
// message they complete. chunk is not kept. emit must not call back into d.
//
// The error is nil, or one for which errors.Is knows [ErrLineTooLong] or [ErrEventTooLarge]. It is
// final: d returns it from then on, until Reset. Messages before the fault have been emitted.
func (d *Decoder) Feed(chunk []byte, emit func(Message)) error {
	if d.err != nil {
		return d.err
	}
	if d.afterCR && len(chunk) > 0 {
		d.afterCR = false
		if chunk[0] == '\n' {
			chunk = chunk[1:]
		}
	}
	lineBytesMax := orDefault(d.LineBytesMax, DefaultLineBytesMax)
	l := newLines(chunk)
	for from := 0; from < len(chunk); {
		end, next := l.next(from)
		if len(d.line)+end-from > lineBytesMax {
			d.err = fmt.Errorf("%w: more than %d bytes", ErrLineTooLong, lineBytesMax)
			return d.err
		}
		line := chunk[from:end]
		if end == len(chunk) {
			d.line = append(d.line, line...)
			return nil
		}
		if len(d.line) > 0 {
			line = append(d.line, line...)
			d.line = line[:0] // before process: nothing in it appends to d.line
		}
		d.process(line, emit)
		if d.err != nil {
			return d.err
		}
		d.afterCR = next == len(chunk) && chunk[next-1] == '\r'
		from = next
	}
	return nil
}

// Reset makes d ready for another stream of the same event source, after a reconnection: what is
// pending, and an error, are dropped; bounds, OnComment and the reconnection time stay. lastEventID
// is what the stream was resumed with, normally d.LastEventID().
//
// The id has to be handed on. 9.2.6 starts every stream with an empty last event
// ID buffer, by which the first blank line of a new connection, be it that of a
// heartbeat, would erase the id to resume from. Browsers carry it over.
func (d *Decoder) Reset(lastEventID string) {
	d.line, d.afterCR, d.begun = d.line[:0], false, false
	d.data, d.event = d.data[:0], d.event[:0]
	d.id = append(d.id[:0], lastEventID...)
	d.lastEventID = lastEventID
	d.err = nil
}

// LastEventID is the id to resume after, as the last blank line committed it. An
// id: line of an event that is still incomplete does not count yet (9.2.6).
func (d *Decoder) LastEventID() string { return d.lastEventID }

// RetryMS is the reconnection time the stream asked for, in milliseconds; false
// if it asked for none. A value beyond int64 counts as the largest.
func (d *Decoder) RetryMS() (int64, bool) { return d.retryMS, d.retrySet }
