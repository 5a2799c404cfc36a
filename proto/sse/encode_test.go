package sse

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

func TestEncodeGolden(t *testing.T) {
	event := func(name, data string, retryMS int64) []byte {
		return AppendBody(nil, &Event{Name: []byte(name), Data: []byte(data), RetryMS: retryMS})
	}
	for _, c := range []struct {
		why  string
		got  []byte
		want string
	}{
		{"no data", event("", "", 0), "data:\n"},
		{"one line", event("", "x", 0), "data: x\n"},
		{"all fields", event("price", "1", 3000), "event: price\nretry: 3000\ndata: 1\n"},
		{"the longest retry", event("", "1", math.MaxInt64),
			"retry: 9223372036854775807\ndata: 1\n"},
		{"negative retry", event("", "1", -5), "data: 1\n"},
		{"LF", event("", "a\nb", 0), "data: a\ndata: b\n"},
		{"CR", event("", "a\rb", 0), "data: a\ndata: b\n"},
		{"CRLF", event("", "a\r\nb", 0), "data: a\ndata: b\n"},
		{"LF CR are two", event("", "a\n\rb", 0), "data: a\ndata:\ndata: b\n"},
		{"CR CR LF are two", event("", "a\r\r\nb", 0), "data: a\ndata:\ndata: b\n"},
		{"line end last", event("", "a\r\n", 0), "data: a\ndata:\n"},
		{"line end alone", event("", "\n", 0), "data:\ndata:\n"},
		{"spaces stay", event(" n", " a\n  b", 0), "event:  n\ndata:  a\ndata:   b\n"},
		{"fields in data", event("", "id: 1\n\ndata: 2", 0), "data: id: 1\ndata:\ndata: data: 2\n"},
		{"id", AppendID([]byte("data: 1\n"), []byte("1-0")), "data: 1\nid: 1-0\n\n"},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %q, want %q", c.why, c.got, c.want)
		}
	}
}

var endOfLine = regexp.MustCompile("\r\n|\r|\n")

// naiveBody is AppendBody as one would write it without looking at the cost.
func naiveBody(e *Event) string {
	s := ""
	for _, line := range endOfLine.Split(string(e.Data), -1) {
		s += "data: " + line + "\n"
	}
	return strings.ReplaceAll(s, "data: \n", "data:\n")
}

// texts calls f with every sequence of up to n of the pieces that the format could trip over.
func texts(n int, f func(s string)) {
	pieces := []string{"a", " ", ":", "\n", "\r", "\r\n", "é", "\uFEFF", "\x00", "data: x", "id:"}
	var rec func(s string, n int)
	rec = func(s string, n int) {
		f(s)
		if n == 0 {
			return
		}
		for _, p := range pieces {
			rec(s+p, n-1)
		}
	}
	rec("", n)
}

func TestBodyIsThatOfTheNaiveTwin(t *testing.T) {
	texts(4, func(s string) {
		e := &Event{Data: []byte(s)}
		got := AppendBody([]byte("before"), e)
		if want := "before" + naiveBody(e); string(got) != want {
			t.Fatalf("AppendBody of %q gave %q, want %q", s, got, want)
		}
		bound := BodyBytesMax(e)
		if n := len(got) - len("before"); n > bound {
			t.Fatalf("body of %q has %d bytes, BodyBytesMax says %d", s, n, bound)
		}
	})
}

// No event is longer on the wire than WireBytesMax, and an event of line breaks is nearly that
// long.
func TestWireBytesMax(t *testing.T) {
	id := []byte("1763880000123-0")
	longest := math.MinInt
	texts(4, func(s string) {
		for _, name := range []string{"", "a"} {
			e := &Event{Name: []byte(name), Data: []byte(s), RetryMS: math.MaxInt64}
			n, bound := len(AppendID(AppendBody(nil, e), id)),
				WireBytesMax(len(name)+len(s), len(id))
			if n > bound {
				t.Fatalf("%q named %q takes %d bytes, WireBytesMax says %d", s, name, n, bound)
			}
			longest = max(longest, n-bound)
		}
	})
	if longest < -len("event: \n") {
		t.Errorf("WireBytesMax is %d bytes beyond every event", -longest)
	}
	for _, data := range []string{strings.Repeat("\n", 1000), strings.Repeat("\r", 1000),
		strings.Repeat("\r\n", 500), strings.Repeat("x\n", 500)} {
		if n, bound := len(AppendID(AppendBody(nil, &Event{Data: []byte(data)}), id)),
			WireBytesMax(1000, len(id)); n > bound {
			t.Errorf("%.4q … takes %d bytes, WireBytesMax says %d", data, n, bound)
		}
	}
}

func TestBodyBytesMaxIsTight(t *testing.T) {
	e := &Event{Name: []byte("price"), Data: []byte("a\nb\rc"), RetryMS: math.MaxInt64}
	if got, want := BodyBytesMax(e), len(AppendBody(nil, e)); got != want {
		t.Errorf("BodyBytesMax = %d for a body of %d bytes", got, want)
	}
	if got := len(AppendID(nil, []byte("1-0"))); got != 3+IDOverheadBytes {
		t.Errorf("id of 3 bytes takes %d, IDOverheadBytes = %d", got, IDOverheadBytes)
	}
}

// Blank lines are where blocks end and nowhere else: Boundary and everything
// that cuts a log in pieces rest on it.
func TestBlankLinesOnlyEndBlocks(t *testing.T) {
	texts(3, func(s string) {
		var stream []byte
		var ends []int
		add := func(b []byte) {
			stream = b
			ends = append(ends, len(b))
		}
		add(AppendID(AppendBody(stream, &Event{Data: []byte(s), RetryMS: 5}), []byte("1-0")))
		stream = append(stream, Heartbeat...) // a part of the block that follows
		add(AppendID(AppendBody(stream, &Event{Name: []byte("n"), Data: []byte(s)}), nil))
		n := 0
		for _, end := range ends {
			if n = Boundary(stream, n+1); n != end {
				t.Fatalf("with %q a boundary is at %d of %q, want %d", s, n, stream, end)
			}
		}
	})
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	e := &Event{
		Name:    []byte("price"),
		Data:    []byte(strings.Repeat("a line of text\r\nanother\nand\ranother\n", 50)),
		RetryMS: 3000,
	}
	id := []byte("1753000000123-0")
	buf := make([]byte, 0, BodyBytesMax(e)+IDOverheadBytes+len(id))
	var n int
	for name, f := range map[string]func(){
		"AppendBody":   func() { buf = AppendBody(buf[:0], e) },
		"AppendID":     func() { buf = AppendID(buf[:0], id) },
		"BodyBytesMax": func() { n = BodyBytesMax(e) },
		"Boundary":     func() { n = Boundary(buf, 1) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
	_ = n
}
