package eventid

import (
	"fmt"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 0, MaxPositionBytes)
	id := ID{1753000000123, 7}
	b.ReportAllocs()
	for b.Loop() {
		buf = id.Append(buf[:0])
	}
}

func BenchmarkParse(b *testing.B) {
	s := []byte("1753000000123-7")
	b.ReportAllocs()
	for b.Loop() {
		Parse(s)
	}
}

func BenchmarkVector(b *testing.B) {
	for _, topics := range []int{2, 8, 32} {
		positions := make([]Position, topics)
		for i := range positions {
			positions[i] = After(ID{1753000000123 + uint64(i), uint64(i)})
		}
		text := appendVector(nil, testCheck, positions...)
		b.Run(fmt.Sprintf("op=append/topics=%d", topics), func(b *testing.B) {
			buf := make([]byte, 0, VectorBytesMax(topics))
			b.ReportAllocs()
			for b.Loop() {
				buf = appendVector(buf[:0], testCheck, positions...)
			}
		})
		b.Run(fmt.Sprintf("op=parse/topics=%d", topics), func(b *testing.B) {
			dst := make([]Position, topics)
			b.ReportAllocs()
			for b.Loop() {
				ParseVector(text, testCheck, dst)
			}
		})
	}
}
