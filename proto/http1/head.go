package http1

import "bytes"

// Head describes one complete request head. Its slices point into the buffer given to
// Parser.Parse: read them, or copy them, before that buffer changes or moves.
type Head struct {
	Method []byte // case-sensitive, RFC 9110 9.1
	Target []byte // as sent

	Path []byte // still percent-encoded, not empty: begins with '/', or is "*"
	// still encoded, without '?'; escapes are complete, ';' is not checked: see CheckQuery
	Query     []byte
	Authority []byte // host[:port] of an absolute-form target, else the value of Host; may be empty

	Minor     int  // HTTP/1.<Minor>: 0 or 1
	KeepAlive bool // the client expects the connection to persist, RFC 9112 9.3

	HasBody        bool  // ContentLength > 0 or Chunked
	ContentLength  int64 // -1 when absent
	Chunked        bool  // Transfer-Encoding: chunked
	ExpectContinue bool  // Expect: 100-continue, in HTTP/1.1
	// an Upgrade field is present; in HTTP/1.0 it is to be ignored (RFC 9110 7.8)
	Upgrade bool

	lines  []byte // all field lines, each with its CRLF
	fields int
}

// Bytes is the length of the head, with its final empty line and without empty lines before it.
func (h *Head) Bytes() int {
	return len(h.Method) + len(" ") + len(h.Target) + len(" HTTP/1.1\r\n") + len(h.lines) +
		len("\r\n")
}

// Get returns the value of the first field called name, blanks around it removed, and how
// many fields of that name there are: 0 when it is absent. name must be lower-case; the
// names in the head match in any case. The value is lent as all slices of a Head are.
func (h *Head) Get(name string) (value []byte, n int) {
	for lines := h.lines; ; n++ {
		v, rest, ok := nextNamed(lines, name)
		if !ok {
			return value, n
		}
		if n == 0 {
			value = v
		}
		lines = rest
	}
}

// AppendJoined appends to dst the values of all fields called name, joined by ", ": what
// they say together (RFC 9110 5.3). name must be lower-case.
func (h *Head) AppendJoined(dst []byte, name string) []byte {
	value, rest, ok := nextNamed(h.lines, name)
	for ok {
		dst = append(dst, value...)
		if value, rest, ok = nextNamed(rest, name); ok {
			dst = append(dst, ", "...)
		}
	}
	return dst
}

// nextNamed finds the first of some field lines that is called name, and what stands behind it.
func nextNamed(lines []byte, name string) (value, rest []byte, ok bool) {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		line := lines[:end-1]
		lines = lines[end+1:]
		if len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name) {
			value = trimBlanks(line[len(name)+1:])
			return value[:len(value):len(value)], lines, true
		}
	}
	return nil, nil, false
}
