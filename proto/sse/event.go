package sse

import "unicode/utf8"

// Event is what a publisher says. The slices are only read, and only during the
// call they are passed to.
type Event struct {
	// Name is the event type; without one receivers take it as "message".
	Name []byte
	// Data is the text of the event. CR, LF and CRLF end a line of it.
	Data []byte
	// RetryMS, if above 0, also sets the receiver's reconnection time, in milliseconds.
	RetryMS int64
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
