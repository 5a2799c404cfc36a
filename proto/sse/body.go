package sse

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrBody is what [ParseBody] finds, wrapped with what it found.
var ErrBody = errors.New("sse: expected lines of event:, retry: and data: as AppendBody writes them")

// ParseBody is the inverse of [AppendBody]: the event whose lines b is. The name is a part of b,
// and so is data of one line. In data of several lines each line ends with LF, whatever it was
// before.
func ParseBody(b []byte) (Event, error) {
	var e Event
	rest, lines := b, 0
	for len(rest) > 0 {
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return Event{}, fmt.Errorf("%w, found no end of the line %.40q", ErrBody, rest)
		}
		rest = after
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = trimSpace(value)
		switch string(name) {
		case "event":
			e.Name = value
		case "retry":
			ms, ok := parseDigits(value)
			if !ok {
				return Event{}, fmt.Errorf("%w, found %.40q", ErrBody, line)
			}
			e.RetryMS = ms
		case "data":
			if lines++; lines == 1 {
				e.Data = value
				continue
			}
			if lines == 2 {
				e.Data = append(make([]byte, 0, len(b)), e.Data...)
			}
			e.Data = append(append(e.Data, '\n'), value...)
		default:
			return Event{}, fmt.Errorf("%w, found %.40q", ErrBody, line)
		}
	}
	if lines == 0 {
		return Event{}, fmt.Errorf("%w, found no data", ErrBody)
	}
	return e, nil
}
