package sse

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		why   string
		event Event
		want  error
		found string // what the text must say was found
	}{
		{"nothing at all", Event{}, nil, ""},
		{"a plain event", Event{Name: []byte("price"), Data: []byte("1"), RetryMS: 1}, nil, ""},
		{"name with spaces, colons, non-ASCII", Event{Name: []byte(" a: é")}, nil, ""},
		{"name with U+FFFD itself", Event{Name: []byte("\uFFFD")}, nil, ""},
		{"any line ends in data", Event{Data: []byte("\r\n\n\r")}, nil, ""},
		{"NUL in data", Event{Data: []byte("a\x00b")}, nil, ""},
		{"U+FFFD itself in data", Event{Data: []byte("\uFFFD")}, nil, ""},
		{"LF in name", Event{Name: []byte("ab\ndata: x")}, ErrName, `found "\n" at byte 2`},
		{"CR in name", Event{Name: []byte("\r")}, ErrName, `found "\r" at byte 0`},
		{"NUL in name", Event{Name: []byte("é\x00")}, ErrName, `found "\x00" at byte 2`},
		{"broken UTF-8 in name", Event{Name: []byte("é\xff")}, ErrName, `found "\xff" at byte 2`},
		{"broken UTF-8 in data", Event{Data: []byte("\uFFFD\n\xe2\x82")}, ErrData, `found "\xe2" at byte 4`},
		{"overlong NUL in data", Event{Data: []byte("\xc0\x80")}, ErrData, `found "\xc0" at byte 0`},
		{"surrogate in data", Event{Data: []byte("\xed\xa0\x80")}, ErrData, `found "\xed" at byte 0`},
		{"negative retry", Event{RetryMS: -1}, ErrRetry, "found -1"},
	} {
		err := c.event.Check()
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.found) {
			t.Errorf("%s: %q does not say %q", c.why, err, c.found)
		}
	}
}
