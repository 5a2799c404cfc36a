package sse

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// normalised is what a receiver gets of data: each end of a line as one LF.
func normalised(data string) string { return endOfLine.ReplaceAllString(data, "\n") }

// frame is the event between two others, the way it stands in a log.
func frame(e *Event, id string) []byte {
	s := []byte(": hello\nretry: 1500\n\n") // as others write it
	s = AppendID(AppendBody(s, e), []byte(id))
	s = append(s, Heartbeat...)
	return AppendID(AppendBody(s, &Event{Data: []byte("next")}), []byte("next"))
}

func TestEncodedEventIsReadBackAtEverySplit(t *testing.T) {
	texts(2, func(s string) {
		got := checkEverySplit(t, frame(&Event{Name: []byte("n"), Data: []byte(s)}, "1-0"))
		want := reading{
			messages:    []Message{{"n", normalised(s), "1-0"}, {"message", "next", "next"}},
			comments:    []string{"hello", ""},
			lastEventID: "next", retryMS: 1500, retrySet: true,
		}
		if !got.equal(want) {
			t.Fatalf("%q read back as\n%v, want\n%v", s, got, want)
		}
	})
}

func TestEncodedEventIsReadBack(t *testing.T) {
	texts(4, func(s string) {
		stream := frame(&Event{Data: []byte(s)}, "1-0")
		want := []Message{message(normalised(s), "1-0"), message("next", "next")}
		if got := read(&Decoder{}, stream); !reflect.DeepEqual(got.messages, want) {
			t.Fatalf("%q read back as %q, want %q", s, got.messages, want)
		}
	})
}

func TestEncodedNameIsReadBack(t *testing.T) {
	texts(3, func(s string) {
		e := &Event{Name: []byte(s)}
		if !e.writable() {
			return
		}
		want := Message{"message", "", "1-0"}
		if s != "" {
			want.Event = s
		}
		if got := read(&Decoder{}, frame(e, "1-0")); len(got.messages) != 2 ||
			got.messages[0] != want {
			t.Fatalf("name %q read back as %q, want %q", s, got.messages, want)
		}
	})
}

// An id that was read but not committed must not be resumed from: its event was never dispatched.
func TestLastEventIDIsCommittedByTheBlankLine(t *testing.T) {
	var d Decoder
	for _, c := range []struct{ chunk, want string }{
		{"id: 1\ndata: x\n", ""},
		{"\n", "1"},
		{"id: 2\n", "1"},
		{"id: 3\n", "1"},
		{"\r", "3"}, // a CR is enough; the LF after it is nothing new
		{"\nid: 4\r\n", "3"},
		{"\r\n", "4"},
		{"id\n", "4"},
		{"\n", ""},
	} {
		if err := d.Feed([]byte(c.chunk), func(Message) {}); err != nil {
			t.Fatal(err)
		}
		if got := d.LastEventID(); got != c.want {
			t.Errorf("after %q LastEventID is %q, want %q", c.chunk, got, c.want)
		}
	}
}

// A message is there as soon as its bytes are: it does not wait for the LF that may follow a CR.
func TestMessageIsEmittedByItsLastByte(t *testing.T) {
	var d Decoder
	n := 0
	for _, c := range []struct {
		chunk string
		want  int
	}{{"data: 1\r", 0}, {"\r", 1}, {"\n", 1}, {"data: 2\n", 1}, {"\n", 2}} {
		if err := d.Feed([]byte(c.chunk), func(Message) { n++ }); err != nil || n != c.want {
			t.Errorf("after %q: %d messages, %v, want %d", c.chunk, n, err, c.want)
		}
	}
}

func TestResetBeginsAnotherStream(t *testing.T) {
	d := Decoder{EventBytesMax: 4}
	read(&d, []byte("retry: 5\nid: 1\ndata: x\n\nid: 2\nevent: e\ndata: pend"), []byte("ing\r"))
	if err := d.Feed([]byte("\n"), func(Message) {}); !errors.Is(err, ErrEventTooLarge) {
		t.Fatalf("the stream before is to end in ErrEventTooLarge, not %v", err)
	}
	d.Reset(d.LastEventID())
	got := read(&d, []byte("\n\uFEFF\n"), []byte("\n:\n\ndata: y\n\n"))
	want := reading{messages: []Message{message("y", "1")}, comments: []string{""},
		lastEventID: "1", retryMS: 5, retrySet: true}
	if !got.equal(want) {
		t.Errorf("after Reset read %v, want %v", got, want)
	}
	// The CR, the name and the half line belong to the stream before.
	read(&d, []byte("event: e\ndata: x\nhalf"))
	d.Reset("1")
	if got := read(&d, []byte("data: y\n\nevent: z\r")); !reflect.DeepEqual(got.messages,
		[]Message{message("y", "1")}) {
		t.Errorf("after Reset in the middle of an event read %q", got.messages)
	}
	d.Reset("1")
	if got := read(&d, []byte("\n\uFEFFdata: y\n\n")); len(got.messages) != 0 {
		t.Errorf("a blank line after Reset was taken for the end of a CRLF: read %q", got.messages)
	}
	d.Reset("resumed")
	if got := read(&d, []byte("\uFEFF"), []byte("data: z\n\n")); !reflect.DeepEqual(got.messages,
		[]Message{message("z", "resumed")}) {
		t.Errorf("after Reset with an id and a BOM read %q", got.messages)
	}
}

func TestBoundsHoldAtEverySplit(t *testing.T) {
	for _, c := range []struct {
		why    string
		stream string
		want   error
		n      int // messages before the fault
	}{
		{"line of the bound", "data: 1\n\n:" + strings.Repeat("x", 19) + "\ndata: 2\n\n", nil, 2},
		{"line beyond the bound", "data: 1\n\n:" + strings.Repeat("x", 20) + "\ndata: 2\n\n",
			ErrLineTooLong, 1},
		{"line without end", "data: 1\n\n" + strings.Repeat("x", 100), ErrLineTooLong, 1},
		{"event of the bound",
			"data: 1\n\ndata: 123456789\ndata: 123456789\ndata: 1234567890\n\ndata: 2\n\n", nil, 3},
		{"event beyond the bound",
			"data: 1\n\ndata: 123456789\ndata: 123456789\ndata: 12345678901\n\ndata: 2\n\n",
			ErrEventTooLarge, 1},
		{"event of empty lines", "data: 1\n\n" + strings.Repeat("data\n", 100), ErrEventTooLarge,
			1},
		{"broken bytes count as decoded",
			"data: \xff\xff\xff\xff\xff\xff\xff\ndata: \xff\xff\xff\n\n", ErrEventTooLarge, 0},
	} {
		check := func(chunks ...[]byte) {
			t.Helper()
			d := Decoder{LineBytesMax: 20, EventBytesMax: 30}
			got := read(&d, chunks...)
			err := d.Feed(nil, nil) // final, if any
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) ||
				len(got.messages) != c.n {
				t.Errorf("%s, cut as %q: %d messages, %v, want %d, %v", c.why, chunks,
					len(got.messages), err, c.n, c.want)
			}
		}
		stream := []byte(c.stream)
		check(stream)
		check(bytewise(stream)...)
		for i := range stream {
			check(stream[:i], stream[i:])
		}
	}
}

func TestDefaultBounds(t *testing.T) {
	var d Decoder
	if err := d.Feed(make([]byte, DefaultLineBytesMax), nil); err != nil {
		t.Errorf("a line of the default bound: %v", err)
	}
	if err := d.Feed([]byte("x"), nil); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("a line of one byte more: %v, want ErrLineTooLong", err)
	}
	d.Reset("")
	line := []byte("data:" + strings.Repeat("x", DefaultLineBytesMax-len("data:")) + "\n")
	for range DefaultEventBytesMax / DefaultLineBytesMax {
		if err := d.Feed(line, nil); err != nil {
			t.Fatalf("data below the default bound: %v", err)
		}
	}
	if err := d.Feed(line, nil); !errors.Is(err, ErrEventTooLarge) {
		t.Errorf("data above the default bound: %v, want ErrEventTooLarge", err)
	}
}
