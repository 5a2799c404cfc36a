package sse

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// reading is all that can be learned from a stream.
type reading struct {
	messages    []Message
	comments    []string
	lastEventID string
	retryMS     int64
	retrySet    bool
	err         string
}

func (r reading) String() string {
	return fmt.Sprintf("%q comments %q id %q retry %d %v error %q",
		r.messages, r.comments, r.lastEventID, r.retryMS, r.retrySet, r.err)
}

func (r reading) equal(o reading) bool {
	return slices.Equal(r.messages, o.messages) && slices.Equal(r.comments, o.comments) &&
		r.lastEventID == o.lastEventID && r.retryMS == o.retryMS && r.retrySet == o.retrySet &&
		r.err == o.err
}

// read feeds the chunks to d, each from memory that is spoiled afterwards: a
// decoder that keeps part of a chunk shows.
func read(d *Decoder, chunks ...[]byte) reading {
	var r reading
	d.OnComment = func(text string) { r.comments = append(r.comments, text) }
	var err error
	for _, chunk := range chunks {
		lent := append([]byte(nil), chunk...)
		err = d.Feed(lent, func(m Message) { r.messages = append(r.messages, m) })
		for i := range lent {
			lent[i] = '#'
		}
	}
	r.lastEventID = d.LastEventID()
	r.retryMS, r.retrySet = d.RetryMS()
	if err != nil {
		r.err = err.Error()
	}
	return r
}

// bytewise cuts s into chunks of one byte, with empty ones between.
func bytewise(s []byte) (chunks [][]byte) {
	for i := range s {
		chunks = append(chunks, s[i:i+1], nil)
	}
	return chunks
}

// naiveReading is 9.2.5 and 9.2.6 read to a whole stream, one sentence after the other.
func naiveReading(stream []byte) (r reading) {
	lines := endOfLine.Split(naiveUTF8(stream), -1)
	lines = lines[:len(lines)-1] // what no line end ends is no line
	var data, event, id string
	for _, line := range lines {
		if line == "" {
			r.lastEventID = id
			if data != "" {
				m := Message{Event: "message", Data: strings.TrimSuffix(data, "\n"),
					LastEventID: id}
				if event != "" {
					m.Event = event
				}
				r.messages = append(r.messages, m)
			}
			data, event = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			r.comments = append(r.comments, value)
		case "event":
			event = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		case "retry":
			if value != "" && strings.Trim(value, "0123456789") == "" {
				n, _ := new(big.Int).SetString(value, 10)
				r.retryMS, r.retrySet = math.MaxInt64, true
				if n.IsInt64() {
					r.retryMS = n.Int64()
				}
			}
		}
	}
	return r
}

// naiveUTF8 is "UTF-8 decode" of the WHATWG Encoding standard, its section
// "UTF-8 decoder" step by step.
func naiveUTF8(s []byte) string {
	var out []rune
	var codePoint rune
	var needed, seen int
	lower, upper := byte(0x80), byte(0xBF)
	for i := 0; i < len(s); i++ {
		b := s[i]
		if needed == 0 {
			switch {
			case b <= 0x7F:
				out = append(out, rune(b))
			case 0xC2 <= b && b <= 0xDF:
				needed, codePoint = 1, rune(b&0x1F)
			case 0xE0 <= b && b <= 0xEF:
				if b == 0xE0 {
					lower = 0xA0
				}
				if b == 0xED {
					upper = 0x9F
				}
				needed, codePoint = 2, rune(b&0xF)
			case 0xF0 <= b && b <= 0xF4:
				if b == 0xF0 {
					lower = 0x90
				}
				if b == 0xF4 {
					upper = 0x8F
				}
				needed, codePoint = 3, rune(b&0x7)
			default:
				out = append(out, 0xFFFD)
			}
			continue
		}
		if b < lower || b > upper {
			codePoint, needed, seen, lower, upper = 0, 0, 0, 0x80, 0xBF
			i-- // restore byte to ioQueue
			out = append(out, 0xFFFD)
			continue
		}
		lower, upper = 0x80, 0xBF
		codePoint = codePoint<<6 | rune(b&0x3F)
		if seen++; seen == needed {
			out = append(out, codePoint)
			codePoint, needed, seen = 0, 0, 0
		}
	}
	if needed != 0 {
		out = append(out, 0xFFFD)
	}
	return strings.TrimPrefix(string(out), "\uFEFF")
}

// checkEverySplit reads stream whole, byte by byte and cut in two at each place,
// and compares all with the naive twin. It returns the reading.
func checkEverySplit(t *testing.T, stream []byte) reading {
	t.Helper()
	want := naiveReading(stream)
	check := func(how string, chunks ...[]byte) {
		t.Helper()
		if got := read(&Decoder{}, chunks...); !got.equal(want) {
			t.Fatalf("%q %s reads as\n%v, want\n%v", stream, how, got, want)
		}
	}
	check("whole", stream)
	check("byte by byte", bytewise(stream)...)
	for i := range stream {
		check(fmt.Sprintf("cut at %d", i), stream[:i], stream[i:])
	}
	return want
}
