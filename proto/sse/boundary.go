package sse

import "bytes"

var blankLine = []byte("\n\n")

// Boundary returns the smallest boundary of buf that is n or more, or -1 if buf
// holds none. The boundaries are 0 and each place right after a blank line
// ("\n\n"). buf must begin at a boundary and be as the encoder writes it.
//
// With n the bytes of buf already sent, buf[n:Boundary(buf, n)] is what remains
// of the event that is under way; it is empty between events. The cost is the
// length of that remainder, whatever n is.
func Boundary(buf []byte, n int) int {
	if n <= 0 {
		return 0
	}
	if n > len(buf) {
		return -1
	}
	// Two bytes back: n may be a boundary itself, or stand inside a blank line.
	from := max(n-len(blankLine), 0)
	i := bytes.Index(buf[from:], blankLine)
	if i < 0 {
		return -1
	}
	return from + i + len(blankLine)
}
