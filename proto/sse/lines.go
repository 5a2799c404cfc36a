package sse

import "bytes"

// lines finds the ends of the lines of s, where CR, LF and CRLF all end a line (9.2.5,
// end-of-line). It looks for CR and for LF with bytes.IndexByte and remembers both: data without
// any CR pays one fast pass to learn so, and no mix of the two is searched twice.
type lines struct {
	s      []byte
	cr, lf int // the first of each at or after the last from; len(s) if none
}

func newLines(s []byte) lines { return lines{s: s, cr: -1, lf: -1} }

// next returns the end of the line that begins at from, and where the one after
// it begins. end is len(s) if nothing ends the line. Calls must not go back:
// from is 0, or the next of the call before. An LF that follows a CR at the very
// end of s, in a chunk to come, is the caller's to skip.
func (l *lines) next(from int) (end, next int) {
	if l.lf < from {
		l.lf = indexByteFrom(l.s, from, '\n')
	}
	if l.cr < from {
		l.cr = indexByteFrom(l.s, from, '\r')
	}
	end = min(l.cr, l.lf)
	switch {
	case end == len(l.s):
		return end, end
	case l.s[end] == '\r' && end+1 < len(l.s) && l.s[end+1] == '\n':
		return end, end + 2
	}
	return end, end + 1
}

func indexByteFrom(s []byte, from int, c byte) int {
	if i := bytes.IndexByte(s[from:], c); i >= 0 {
		return from + i
	}
	return len(s)
}
