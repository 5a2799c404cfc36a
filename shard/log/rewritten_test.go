package log

import (
	"math/rand/v2"
	"testing"

	"ssedge/proto/eventid"
)

// Ids are found whatever was let go before them, and whatever order they have.
func TestFindInARewrittenLog(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		l := placedAfter(id(1))
		var ids []eventid.ID
		end := map[int]uint64{}
		for next := uint64(100); len(ids) < 30; next++ {
			switch rng.IntN(12) {
			case 0:
				next = uint64(90 + rng.IntN(20))
			case 1:
				l.Fork(id(next - uint64(rng.IntN(5))))
			case 2:
				l.lose(id(next), false)
			}
			l.Append(eventBody(next*1_000_000_000), id(next))
			ids, end[len(ids)] = append(ids, id(next)), l.head
		}
		if rng.IntN(3) == 0 {
			l.Prepend("a", []Older{{id(60), eventBody(60)}, {id(61), eventBody(61)}}, id(50))
			ids = append([]eventid.ID{id(60), id(61)}, ids...)
			for n := len(ids) - 1; n >= 2; n-- {
				end[n] = end[n-2]
			}
			end[1], end[0] = foreignHead, l.tail+uint64(l.segments[0].index[0].end)
		}
		gone := rng.IntN(len(ids))
		for range gone {
			l.drop(l.segments[0].index[l.first])
		}
		for ms := uint64(55); ms < 140; ms++ {
			want, ok := uint64(0), false
			for n := gone; n < len(ids); n++ {
				if ids[n] == id(ms) {
					want, ok = end[n], true
				}
			}
			if at, found := l.Find(id(ms)); found != ok || ok && at != want {
				t.Fatalf("of %v the first %d were let go: %d is found at %d, %t; expected %d, %t",
					ids, gone, ms, at, found, want, ok)
			}
		}
	}
}

// Losses are kept no longer than a stream can resume at them.
func TestLossesAreBounded(t *testing.T) {
	for _, evict := range []bool{false, true} {
		l := placedAfter(id(100))
		for ms := uint64(1000); ms < 2000; ms += 2 {
			l.Lose("a", id(ms), false)
			if evict {
				l.Clear()
			}
			l.Append(eventBody(ms+1), id(ms+1))
			l.Trim(&Retention{Events: 10}, ms, ms)
			if r := l.rewritten; len(r.losses) > 10 || len(r.runs) > 12 {
				t.Fatalf("%d losses and %d runs are kept of 10 events", len(r.losses), len(r.runs))
			}
		}
	}
}
