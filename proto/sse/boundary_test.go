package sse

import (
	"bytes"
	"testing"
)

// naiveBoundary is the definition of Boundary.
func naiveBoundary(buf []byte, n int) int {
	for k := max(n, 0); k <= len(buf); k++ {
		if k == 0 || bytes.HasSuffix(buf[:k], []byte("\n\n")) {
			return k
		}
	}
	return -1
}

func TestBoundaryGolden(t *testing.T) {
	const wire = "data: 1\n\n:\n\ndata: 22\n\n" // boundaries 0, 9, 12, 22
	for _, c := range []struct{ n, want int }{
		{-1, 0}, {0, 0},
		{1, 9}, {7, 9},
		{8, 9}, // between the two LF of the blank line
		{9, 9}, {10, 12}, {11, 12}, {12, 12}, {13, 22}, {21, 22}, {22, 22},
		{23, -1}, {1000, -1},
	} {
		if got := Boundary([]byte(wire), c.n); got != c.want {
			t.Errorf("Boundary(%q, %d) = %d, want %d", wire, c.n, got, c.want)
		}
	}
	for n, want := range []int{0, -1, -1} {
		if got := Boundary(nil, n); got != want {
			t.Errorf("Boundary(nil, %d) = %d, want %d", n, got, want)
		}
	}
	if got := Boundary([]byte("data: half an event\n"), 3); got != -1 {
		t.Errorf("Boundary of half an event = %d, want -1", got)
	}
}

// Every buffer of up to 10 bytes over {LF, other}, every n.
func TestBoundaryIsThatOfTheNaiveTwin(t *testing.T) {
	for size := range 11 {
		for bits := range 1 << size {
			buf := make([]byte, size)
			for i := range buf {
				buf[i] = "\nx"[bits>>i&1]
			}
			for n := -1; n <= size+2; n++ {
				if got, want := Boundary(buf, n), naiveBoundary(buf, n); got != want {
					t.Fatalf("Boundary(%q, %d) = %d, want %d", buf, n, got, want)
				}
			}
		}
	}
}
