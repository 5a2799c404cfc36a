package shard

import (
	"math/rand/v2"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/sys/fake"
)

// Random appends, trims and extensions, against a list: every place is found, every byte is
// where it belongs.
func TestPrependAgainstAList(t *testing.T) {
	oneGoroutine(t)
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		twin := &naiveLog{} // of everything there ever was
		for n := range 200 {
			at := id(uint64(10 + 3*n))
			twin.append(wire(n, 1+n*37%900, at), at)
		}
		first, last := 100, 100 // what the log has: [first, last) of the twin's
		l := &log{foreign: true, placed: true, head: foreignHead, tail: foreignHead, lowest: foreignHead, lost: twin.ids[first-1]}
		held, trimmed := int64(0), false
		for step := range 60 {
			switch rng.IntN(3) {
			case 0:
				for range rng.IntN(8) {
					if last < len(twin.ids) {
						held += l.append(body(last, 1+last*37%900), twin.ids[last])
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
					held += l.prepend(older, twin.ids[first-1])
				}
			case 2:
				if last > first && step > 30 {
					trimmed = true
					keep := 1 + rng.IntN(last-first)
					held -= l.trim(&Retention{Events: keep}, 0, 0)
					first = last - keep
				}
			}
			var s snapshot
			s.take(l)
			var got []byte
			if s.tail < s.head {
				for _, p := range s.behind(s.tail) {
					got = append(got, p...)
				}
			}
			want := ""
			for k := first; k < last; k++ {
				want += string(twin.wire[k])
			}
			if string(got) != want || l.events != last-first {
				t.Fatalf("seed %d, step %d: %d events of %d bytes, expected %d of %d", seed, step, l.events, len(got), last-first, len(want))
			}
			sum := int64(0)
			for _, g := range l.segments {
				sum += g.held()
			}
			if sum != held {
				t.Fatalf("seed %d, step %d: %d bytes held, counted %d", seed, step, sum, held)
			}
			for k := first - 1; k < last; k++ {
				p := l.resume(eventid.After(twin.ids[k]), 0)
				if p.cause != gapNone || p.cursor != s.tail+twin.endOf(k+1)-twin.endOf(first) {
					t.Fatalf("seed %d, step %d: resume after event %d of %d to %d: %+v", seed, step, k, first, last, p)
				}
			}
			if p := l.resume(eventid.After(twin.ids[first-2]), 0); p.cause != GapExpired || p.cursor != s.tail {
				t.Fatalf("seed %d, step %d: resume from before: %+v", seed, step, p)
			}
		}
	}
}

// A log that has let events go takes no older ones: streams have stood at their positions, and may still. Nor does one
// that does not begin where the reader thought.
func TestPositionsAreNotGivenTwice(t *testing.T) {
	r, u := fed(t, patient(), TableConfig{Retention: Retention{Events: 3}})
	_, feed := placed(r, u)
	below, _, _ := feed.Span()
	older := []Older{{id(95), eventBody(95)}, {id(100), eventBody(100)}}
	feed.add(101)
	if feed.Prepend(older, id(90), id(99)) {
		t.Error("it was extended from where it does not begin")
	}
	if !feed.Prepend(older, id(90), below) {
		t.Error("it was not extended")
	}
	slow := r.join("a", "90-0", fake.Unlimited)
	r.settle()
	slow.want("95", "100", "101")
	slow.sock.Room = 0
	feed.add(102)
	r.settle()
	feed.AppendRaw(eventBody(1))
	feed.add(103, 104, 105) // the slow one is overrun
	lost, _, _ := feed.Span()
	if feed.Prepend([]Older{{id(90), eventBody(90)}}, id(80), lost) {
		t.Error("it was extended though events are gone")
	}
	slow.sock.Free(fake.Unlimited)
	r.settle()
	slow.want("95", "100", "101", "gap:overrun", "103", "104", "105")
}
