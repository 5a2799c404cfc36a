package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// body has everything a stream may carry; the counts are what scan must find in it.
const (
	body = ":\nretry: 3000\nid: 5-0\n\n" +
		"data: one\nid: 5-1\n\n" +
		":\n\n" +
		"event: note\ndata: two\ndata: lines\nid: 6-0\n\n" +
		"event: gap\ndata: {\"topic\":\"t\"}\nid: 9-9\n\n" +
		"event: gaping\ndata:three\nid: 10-0\n\n" +
		"data: no id\n\n" +
		"id: 11-0\n\n" +
		"data: four\nid:12\n\n"
	bodyEvents, bodyComments, bodyGaps = 5, 2, 1
)

func TestScanFindsTheSameAtEverySplit(t *testing.T) {
	for split := range len(body) + 1 {
		var s scanner
		var counted tally
		s.scan([]byte(body[:split]), &counted)
		s.scan([]byte(body[split:]), &counted)
		if counted.events != bodyEvents || counted.comments != bodyComments || counted.gaps != bodyGaps {
			t.Fatalf("split at %d: %+v", split, counted)
		}
		if s.unsorted != 0 || s.damaged != 0 || s.last != (position{12, 0}) || s.events != bodyEvents || s.gaps != bodyGaps {
			t.Fatalf("split at %d: %+v", split, s)
		}
	}
}

func TestScanByteByByte(t *testing.T) {
	var s scanner
	var counted tally
	for i := range len(body) {
		s.scan([]byte(body[i:i+1]), &counted)
	}
	if counted.events != bodyEvents || s.unsorted != 0 || s.damaged != 0 {
		t.Fatalf("%+v %+v", counted, s)
	}
}

func TestScanNoticesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		body              string
		unsorted, damaged uint32
	}{
		"same id again":       {"data: a\nid: 5-1\n\ndata: a\nid: 5-1\n\n", 1, 0},
		"id goes back":        {"data: a\nid: 5-1\n\ndata: a\nid: 4-9\n\n", 1, 0},
		"before the baseline": {"id: 7-0\n\ndata: a\nid: 6-0\n\n", 1, 0},
		"behind a gap":        {"event: gap\ndata: {}\nid: 7-0\n\ndata: a\nid: 7-0\n\n", 1, 0},
		"half an event":       {"data: a\nxxxx\nid: 5-1\n\n", 0, 1},
		"id is no number":     {"data: a\nid: 5-x\n\n", 0, 1},
		"chunk framing":       {"data: a\nid: 5-1\n\n\r\n1f\r\ndata: b\nid: 5-2\n\n", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var s scanner
			s.scan([]byte(c.body), new(tally))
			if s.unsorted != c.unsorted || s.damaged != c.damaged {
				t.Errorf("expected %d unsorted and %d damaged, found %d and %d", c.unsorted, c.damaged, s.unsorted, s.damaged)
			}
		})
	}
}

// TestScanAgainstNaive cuts random bodies at random places and compares with strings.Split.
func TestScanAgainstNaive(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var b strings.Builder
		var want, unsorted int
		last := 0
		for range random.IntN(20) {
			switch random.IntN(4) {
			case 0:
				b.WriteString(":\n\n")
			case 1:
				last += random.IntN(3)
				fallthrough
			default:
				fmt.Fprintf(&b, "data: %s\nid: 17-%d\n\n", strings.Repeat("y", random.IntN(50)), last)
			}
		}
		previous := 0
		for _, block := range strings.Split(b.String(), "\n\n") {
			_, id, found := strings.Cut(block, "\nid: 17-")
			if !found {
				continue
			}
			var seq int
			fmt.Sscan(id, &seq)
			if want > 0 && seq <= previous {
				unsorted++
			}
			previous = seq
			want++
		}
		var s scanner
		var counted tally
		for rest := []byte(b.String()); len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			s.scan(rest[:n], &counted)
			rest = rest[n:]
		}
		if counted.events != uint64(want) || int(s.unsorted) != unsorted {
			t.Fatalf("seed %d: expected %d events, %d unsorted; found %d, %d in %q", seed, want, unsorted, counted.events, s.unsorted, b.String())
		}
	}
}

func BenchmarkScan(b *testing.B) {
	const events = 1000
	var text strings.Builder
	for i := range events {
		fmt.Fprintf(&text, "data: %s\nid: 1763880000123-%d\n\n", strings.Repeat("x", 100), i)
	}
	bytes := []byte(text.String())
	var s scanner
	var counted tally
	b.ReportAllocs()
	for b.Loop() {
		s.scan(bytes, &counted)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(counted.events), "ns/event")
}
