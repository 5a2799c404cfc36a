package sse

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// writable reports whether e can be put on the wire and read back as it is.
func (e *Event) writable() bool {
	return !bytes.ContainsAny(e.Name, "\x00\r\n") && utf8.Valid(e.Name) && utf8.Valid(e.Data) &&
		e.RetryMS >= 0
}

func TestInvalidUTF8(t *testing.T) {
	for text, want := range map[string]int{
		"": -1, "price": -1, "é\x00": -1, "\uFFFD": -1,
		"é\xff": 2, "\uFFFD\n\xe2\x82": 4, "\xc0\x80": 0, "\xed\xa0\x80": 0, "\xf4\x90\x80\x80": 0,
	} {
		if got := InvalidUTF8([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
