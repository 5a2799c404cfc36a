package log

import (
	"fmt"
	"testing"

	"ssedge/proto/eventid"
)

// TestNewestIsFoundByTheIndex holds every number of newest events, in logs of several segments that
// have let some go, against a count from the end.
func TestNewestIsFoundByTheIndex(t *testing.T) {
	for _, events := range []int{0, 1, 2, 7, 300} {
		for dropped := 0; dropped <= events; dropped += 1 + events/3 {
			l := New(eventid.ID{MS: 1})
			body := fmt.Appendf(nil, "data: %0100d\n", 0)
			for n := range events {
				l.Append(body, eventid.ID{MS: uint64(100 + n)})
			}
			if left := events - dropped; left > 0 {
				r := Retention{Events: left}
				l.Trim(&r, 1000, 1000)
			} else {
				continue
			}
			var ends []uint64 // of the retained events, the newest first
			s := new(Snapshot)
			s.Take(&l)
			for cursor := s.Tail; cursor < s.Head; {
				ends = append([]uint64{cursor}, ends...)
				cursor = s.Event(cursor).End
			}
			for n := 1; n <= len(ends)+2; n++ {
				p := l.Rewound(n)
				first := min(n, len(ends)) - 1
				before := eventid.ID{MS: uint64(100 + events - first - 2)}
				if events-first-1 == 0 {
					before = eventid.ID{MS: 1}
				}
				if p.Cursor != ends[first] || p.At != eventid.PositionOf(before) ||
					p.Cause != GapNone {
					t.Fatalf("%d events, %d dropped: the newest %d at %+v, expected %d after %v",
						events, dropped, n, p, ends[first], before)
				}
			}
		}
	}
}
