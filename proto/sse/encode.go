package sse

import (
	"bytes"
	"strconv"
)

// Heartbeat is an empty comment: the least that keeps a connection from looking dead (9.2.7
// suggests a comment every 15 seconds or so). It has one line end and no blank line: a blank line
// would end a block without data, which many clients hand out as an empty message. It belongs
// between events. Do not modify it.
var Heartbeat = []byte(":\n")

// IDOverheadBytes is what [AppendID] adds to the length of the id.
const IDOverheadBytes = len("id: ") + len("\n\n")

const int64Digits = 19

// AppendBody appends the lines of e without its id: and without the blank line that ends it;
// [AppendID] completes the event. Name must have no line break, which would end up as a field of
// its own: rule.Limits.Event checks that.
func AppendBody(dst []byte, e *Event) []byte {
	if len(e.Name) > 0 {
		dst = append(dst, "event: "...)
		dst = append(dst, e.Name...)
		dst = append(dst, '\n')
	}
	if e.RetryMS > 0 {
		dst = append(dst, "retry: "...)
		dst = strconv.AppendInt(dst, e.RetryMS, 10)
		dst = append(dst, '\n')
	}
	return appendData(dst, e.Data)
}

// BodyBytesMax bounds what [AppendBody] appends for e, in bytes. It exceeds that
// by a few bytes per CRLF and per empty line of the data, and by the digits a
// retry has less than 19. It costs a pass over the data.
func BodyBytesMax(e *Event) int {
	n := 0
	if len(e.Name) > 0 {
		n += len("event: ") + len(e.Name) + len("\n")
	}
	if e.RetryMS > 0 {
		n += len("retry: ") + int64Digits + len("\n")
	}
	breaks := bytes.Count(e.Data, []byte{'\n'}) + bytes.Count(e.Data, []byte{'\r'})
	return n + len(e.Data) - breaks + (breaks+1)*len("data: \n")
}

// WireBytesMax bounds the length of an event as [AppendBody] and [AppendID] write it. n is the
// length of data and name together, idBytes the longest id. Each line break in the data begins a
// line with a field name of its own, so data that is all line breaks grows sixfold.
func WireBytesMax(n, idBytes int) int {
	return (n+1)*len("data:\n") + len("event: \n") + len("retry: \n") + int64Digits +
		IDOverheadBytes + idBytes
}

// AppendID appends the id: line and the blank line that end an event. The id goes last so that all
// events of a topic share the bytes before it. It must not contain NUL, CR or LF (9.2.6 has a
// receiver ignore an id with NUL); those of package eventid do not.
func AppendID(dst, id []byte) []byte {
	dst = append(dst, "id: "...)
	dst = append(dst, id...)
	return append(dst, "\n\n"...)
}

// appendData appends a data: line for each line of s, at least one. The space is
// left out before an empty line. It is there before all others because a
// receiver removes one (9.2.6), which may be the line's own.
func appendData(dst, s []byte) []byte {
	l := newLines(s)
	for from := 0; ; {
		end, next := l.next(from)
		if end > from {
			dst = append(dst, "data: "...)
			dst = append(dst, s[from:end]...)
			dst = append(dst, '\n')
		} else {
			dst = append(dst, "data:\n"...)
		}
		if end == len(s) {
			return dst
		}
		from = next
	}
}
