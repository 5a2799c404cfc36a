package sse

import (
	"bytes"
	"fmt"
	"math"
)

var bom = []byte("\uFEFF")

// process does what 9.2.6 says for one line, without its end.
func (d *Decoder) process(line []byte, emit func(Message)) {
	if !d.begun {
		d.begun = true
		line = bytes.TrimPrefix(line, bom)
	}
	switch {
	case len(line) == 0:
		d.dispatch(emit)
	case line[0] == ':':
		if d.OnComment != nil {
			d.OnComment(string(appendUTF8(nil, trimSpace(line[1:]))))
		}
	default:
		name, value := line, []byte(nil)
		if i := bytes.IndexByte(line, ':'); i >= 0 {
			name, value = line[:i], trimSpace(line[i+1:])
		}
		d.field(name, value)
	}
}

// field names are compared as bytes: none that is known needs decoding.
func (d *Decoder) field(name, value []byte) {
	switch string(name) {
	case "event":
		d.event = appendUTF8(d.event[:0], value)
	case "data":
		d.data = appendUTF8(d.data, value)
		if most := orDefault(d.EventBytesMax, DefaultEventBytesMax); len(d.data) > most {
			d.err = fmt.Errorf("%w: more than %d bytes", ErrEventTooLarge, most)
			return
		}
		d.data = append(d.data, '\n')
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.id = appendUTF8(d.id[:0], value)
		}
	case "retry":
		if ms, ok := parseDigits(value); ok {
			d.retryMS, d.retrySet = ms, true
		}
	}
}

func (d *Decoder) dispatch(emit func(Message)) {
	if string(d.id) != d.lastEventID {
		d.lastEventID = string(d.id)
	}
	if len(d.data) > 0 {
		m := Message{
			Event:       "message",
			Data:        string(d.data[:len(d.data)-1]), // less the last line's LF
			LastEventID: d.lastEventID,
		}
		if len(d.event) > 0 {
			m.Event = string(d.event)
		}
		emit(m)
	}
	d.data, d.event = d.data[:0], d.event[:0]
}

// trimSpace removes one leading space, and only one.
func trimSpace(value []byte) []byte {
	if len(value) > 0 && value[0] == ' ' {
		return value[1:]
	}
	return value
}

// parseDigits reads ASCII digits, at least one. What exceeds int64 is its
// largest value: a client told to wait that long must not come back at once.
func parseDigits(s []byte) (int64, bool) {
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := int64(c - '0')
		if n > (math.MaxInt64-digit)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + digit
	}
	return n, len(s) > 0
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
