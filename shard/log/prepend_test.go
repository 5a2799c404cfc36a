package log

import (
	"math/rand/v2"
	"testing"

	"ssedge/proto/eventid"
)

// Random appends, trims and extensions, against a list: every place is found, every byte is
// where it belongs.
func TestPrependAgainstAList(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		twin := &naiveLog{} // of everything there ever was
		for n := range 200 {
			at := id(uint64(10 + 3*n))
			twin.append(wire(n, 1+n*37%900, at), at)
		}
		first, last := 100, 100 // what the log has: [first, last) of the twin's
		l := placedAfter(twin.ids[first-1])
		held, trimmed := int64(0), false
		for step := range 60 {
			switch rng.IntN(3) {
			case 0:
				for range rng.IntN(8) {
					if last < len(twin.ids) {
						held += l.Append(body(last, 1+last*37%900), twin.ids[last])
						last++
					}
				}
			case 1:
				if trimmed {
					continue
				}
				n := rng.IntN(max(1, min(first-2, 12)))
				var older []Older
				for k := first - n; k < first; k++ {
					older = append(older, Older{twin.ids[k], body(k, 1+k*37%900)})
				}
				if n > 0 {
					first -= n
					held += l.Prepend("a", older, twin.ids[first-1])
				}
			case 2:
				if last > first && step > 30 {
					trimmed = true
					keep := 1 + rng.IntN(last-first)
					held -= l.Trim(&Retention{Events: keep}, 0, 0)
					first = last - keep
				}
			}
			var s Snapshot
			s.Take(l)
			var got []byte
			if s.Tail < s.Head {
				for _, p := range s.Behind(s.Tail) {
					got = append(got, p...)
				}
			}
			want := ""
			for k := first; k < last; k++ {
				want += string(twin.wire[k])
			}
			if string(got) != want || l.events != last-first {
				t.Fatalf("seed %d, step %d: %d events of %d bytes, expected %d of %d", seed, step,
					l.events, len(got), last-first, len(want))
			}
			sum := int64(0)
			for _, g := range l.segments {
				sum += g.held()
			}
			if sum != held {
				t.Fatalf("seed %d, step %d: %d bytes held, counted %d", seed, step, sum, held)
			}
			for k := first - 1; k < last; k++ {
				p := l.Resume(eventid.After(twin.ids[k]), 0)
				if p.Cause != GapNone || p.Cursor != s.Tail+twin.endOf(k+1)-twin.endOf(first) {
					t.Fatalf("seed %d, step %d: resume after event %d of %d to %d: %+v", seed, step,
						k, first, last, p)
				}
			}
			if p := l.Resume(eventid.After(twin.ids[first-2]), 0); p.Cause != GapExpired ||
				p.Cursor != s.Tail {
				t.Fatalf("seed %d, step %d: resume from before: %+v", seed, step, p)
			}
		}
	}
}
