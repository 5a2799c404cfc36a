package http1

import "bytes"

// Fields returns the number of field lines.
func (h *Head) Fields() int { return h.fields }

// Field returns the i-th field line, from 0, as sent but for the blanks around its value.
// It walks to it. It panics when i is not below Fields.
func (h *Head) Field(i int) (name, value []byte) {
	if i < 0 || i >= h.fields {
		panic("http1: field index out of range")
	}
	lines := h.lines
	for ; i > 0; i-- {
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	line := lines[:bytes.IndexByte(lines, '\n')-1]
	colon := bytes.IndexByte(line, ':')
	value = trimBlanks(line[colon+1:])
	return line[:colon:colon], value[:len(value):len(value)]
}
