package sse

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// What [Event.Check] finds. It returns them wrapped, with what was found and
// where.
var (
	ErrName  = errors.New("sse: event name must be UTF-8 without NUL, CR or LF")
	ErrData  = errors.New("sse: event data must be UTF-8")
	ErrRetry = errors.New("sse: retry must be 0 (leave it alone) or a positive number of milliseconds")
)

// Event is what a publisher says. The slices are only read, and only during the
// call they are passed to.
type Event struct {
	// Name is the event type; without one receivers take it as "message".
	Name []byte
	// Data is the text of the event. CR, LF and CRLF end a line of it.
	Data []byte
	// RetryMS, if above 0, also sets the receiver's reconnection time, in
	// milliseconds.
	RetryMS int64
}

// Check tells whether e can be put on the wire and read back as it is: nil, or
// an error for which errors.Is knows [ErrName], [ErrData] or [ErrRetry]. The
// grammar of 9.2.5 allows NUL in a name; it is refused here because no one
// means it.
func (e *Event) Check() error {
	if i := bytes.IndexAny(e.Name, "\x00\r\n"); i >= 0 {
		return fmt.Errorf("%w; found %q at byte %d", ErrName, e.Name[i:i+1], i)
	}
	if i := InvalidUTF8(e.Name); i >= 0 {
		return fmt.Errorf("%w; found %q at byte %d", ErrName, e.Name[i:i+1], i)
	}
	if i := InvalidUTF8(e.Data); i >= 0 {
		return fmt.Errorf("%w; found %q at byte %d", ErrData, e.Data[i:i+1], i)
	}
	if e.RetryMS < 0 {
		return fmt.Errorf("%w; found %d", ErrRetry, e.RetryMS)
	}
	return nil
}

// InvalidUTF8 returns the index of the first byte that is not UTF-8, or -1.
func InvalidUTF8(s []byte) int {
	if utf8.Valid(s) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}
