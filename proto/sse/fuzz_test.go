package sse

import (
	"strings"
	"testing"
)

// Whatever a publisher says, subscribers get that one event, as said, and
// nothing of it becomes a field or an event of its own.
func FuzzEncodedEventIsReadBack(f *testing.F) {
	f.Add([]byte(""), []byte(""), int64(0))
	f.Add([]byte("price"), []byte("1\r\n2\r3\n"), int64(3000))
	f.Add([]byte("a\ndata: injected"), []byte("x"), int64(-1))
	f.Add([]byte("a"), []byte("x\n\nid: 9\ndata: injected\n\n"), int64(1))
	f.Add([]byte(" : "), []byte(": no comment\r\rretry: 1\r\n\r\n"), int64(1<<63-1))
	f.Add([]byte("\u2028\u0085"), []byte("\uFEFF\x00\v\f\u2028"), int64(0))
	f.Add([]byte("\xff"), []byte("\xe2\x82"), int64(0))
	f.Fuzz(func(t *testing.T, name, data []byte, retryMS int64) {
		e := &Event{Name: name, Data: data, RetryMS: retryMS}
		if !e.writable() {
			return
		}
		body := AppendBody(nil, e)
		if len(body) > BodyBytesMax(e) {
			t.Errorf("body of %d bytes, BodyBytesMax says %d", len(body), BodyBytesMax(e))
		}
		whole := AppendID(body, []byte("1-0"))
		if got := Boundary(whole, 1); got != len(whole) {
			t.Errorf("%q ends at %d, not at its end", whole, got)
		}
		expect := reading{
			messages: []Message{{"message", normalised(string(data)), "1-0"},
				{"message", "next", "next"}},
			comments:    []string{"hello", ""},
			lastEventID: "next", retryMS: 1500, retrySet: true,
		}
		if len(name) > 0 {
			expect.messages[0].Event = string(name)
		}
		if retryMS > 0 {
			expect.retryMS = retryMS
		}
		stream := frame(e, "1-0")
		if got := read(&Decoder{}, stream); !got.equal(expect) {
			t.Errorf("%q read back as\n%v, want\n%v", stream, got, expect)
		}
		if got := read(&Decoder{}, bytewise(stream)...); !got.equal(expect) {
			t.Errorf("%q byte by byte read back as\n%v, want\n%v", stream, got, expect)
		}
	})
}

// What is read does not depend on where the chunks end, with bounds or without,
// and is what the naive twin reads.
func FuzzDecoderSplits(f *testing.F) {
	for _, c := range standardCases {
		f.Add([]byte(c.stream), uint(len(c.stream)/2), uint(3), uint8(0), uint8(0))
	}
	f.Add([]byte("data: 12345\ndata: 678\n\ndata: x"), uint(4), uint(5), uint8(10), uint8(8))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint, lineMax, eventMax uint8) {
		i := int(a % uint(len(stream)+1))
		j := i + int(b%uint(len(stream)-i+1))
		readAs := func(chunks ...[]byte) reading {
			return read(&Decoder{LineBytesMax: int(lineMax), EventBytesMax: int(eventMax)},
				chunks...)
		}
		want := readAs(stream)
		if got := readAs(stream[:i], stream[i:j], stream[j:]); !got.equal(want) {
			t.Errorf("%q cut at %d and %d reads as\n%v, whole as\n%v", stream, i, j, got, want)
		}
		if got := readAs(bytewise(stream)...); !got.equal(want) {
			t.Errorf("%q byte by byte reads as\n%v, whole as\n%v", stream, got, want)
		}
		if lineMax == 0 && eventMax == 0 && len(stream) < DefaultLineBytesMax {
			if naive := naiveReading(stream); !want.equal(naive) {
				t.Errorf("%q reads as\n%v, the naive twin says\n%v", stream, want, naive)
			}
		}
	})
}

func FuzzBoundary(f *testing.F) {
	f.Add([]byte("data: 1\n\n:\n\ndata: 22\n\n"), 8)
	f.Add([]byte(strings.Repeat("data:\n", 30)+"\n"), 1)
	f.Add([]byte("\n\n\n\n"), 3)
	f.Fuzz(func(t *testing.T, buf []byte, n int) {
		if got, want := Boundary(buf, n), naiveBoundary(buf, n); got != want {
			t.Errorf("Boundary(%q, %d) = %d, want %d", buf, n, got, want)
		}
	})
}
