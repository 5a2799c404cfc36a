package sse

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// payload is text of that many bytes in lines of lineBytes; 0 means one line.
func payload(size, lineBytes int) []byte {
	s := bytes.Repeat([]byte("x"), size)
	for i := lineBytes; lineBytes > 0 && i < size; i += lineBytes {
		s[i] = '\n'
	}
	return s
}

func BenchmarkAppendBody(b *testing.B) {
	for _, size := range []int{100, 4096, 65536} {
		for _, line := range []int{0, 40} {
			b.Run(fmt.Sprintf("size=%d/line=%d", size, line), func(b *testing.B) {
				e := &Event{Name: []byte("price"), Data: payload(size, line)}
				buf := make([]byte, 0, BodyBytesMax(e))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					buf = AppendBody(buf[:0], e)
				}
			})
		}
	}
}

// The place in the buffer must not matter, only what remains of the event.
func BenchmarkBoundary(b *testing.B) {
	for _, size := range []int{100, 4096} {
		event := AppendID(AppendBody(nil, &Event{Data: payload(size, 0)}),
			[]byte("1753000000123-0"))
		log := bytes.Repeat(event, 256)
		for _, events := range []int{0, 255} {
			b.Run(fmt.Sprintf("size=%d/before=%d", size, events), func(b *testing.B) {
				n := events*len(event) + 1
				for b.Loop() {
					if Boundary(log, n) != (events+1)*len(event) {
						b.Fatal("wrong boundary")
					}
				}
			})
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	for _, size := range []int{100, 4096} {
		for _, chunk := range []int{512, 16384} {
			b.Run(fmt.Sprintf("size=%d/chunk=%d", size, chunk), func(b *testing.B) {
				event := AppendID(AppendBody(nil, &Event{Data: payload(size, 0)}),
					[]byte("1753000000123-0"))
				stream := bytes.Repeat(event, 256)
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				var d Decoder
				for b.Loop() {
					for s := range slices.Chunk(stream, chunk) {
						if err := d.Feed(s, func(Message) {}); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
