package log

import (
	"bytes"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// snapshots calls f with snapshots of logs of several segments, trimmed and not, and their twins.
func snapshots(t *testing.T, f func(s *Snapshot, twin *naiveLog)) {
	for seed := range uint64(25) {
		l, twin, _ := grownLog(t, seed, 200)
		var s Snapshot
		s.Take(l)
		f(&s, twin)
	}
}

func TestBehindIsTheLogFromEveryCursor(t *testing.T) {
	snapshots(t, func(s *Snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			for range 2 { // the second time from the cache
				if got, want := bytes.Join(s.Behind(twin.endOf(n)), nil),
					bytes.Join(twin.wire[n:], nil); !bytes.Equal(got, want) {
					t.Fatalf("behind event %d: %q, want %q", n, got, want)
				}
				if events := s.EventsBehind(); events != len(twin.ids)-n {
					t.Fatalf("behind event %d: %d events, want %d", n, events, len(twin.ids)-n)
				}
			}
		}
	})
}

func TestEventIsTheOneAtEveryCursor(t *testing.T) {
	snapshots(t, func(s *Snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			e := s.Event(twin.endOf(n))
			if e.At != eventid.After(twin.ids[n]) || e.End != twin.endOf(n+1) {
				t.Fatalf("event %d is %v and ends at %d, want %v, %d", n, e.At, e.End, twin.ids[n],
					twin.endOf(n+1))
			}
			if got := sse.AppendID(bytes.Clone(e.Body), e.At.Append(nil)); !bytes.Equal(got,
				twin.wire[n]) || !bytes.Equal(e.Text, got) {
				t.Fatalf("event %d is %q, %q, want %q", n, got, e.Text, twin.wire[n])
			}
		}
	})
}

// A send that stopped after any byte stopped in the event that a naive parse
// finds there, with the rest of exactly that event.
func TestHalfSentAtEveryByte(t *testing.T) {
	snapshots(t, func(s *Snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			for off := 1; off <= len(twin.wire[n]); off++ {
				half := s.HalfSent(twin.endOf(n) + uint64(off))
				if half.End != twin.endOf(n+1) || half.At != eventid.After(twin.ids[n]) ||
					!bytes.Equal(half.Text, twin.wire[n][off:]) {
					t.Fatalf("%d bytes into event %d: ends at %d, is %v, rest %q; want %d, %v, %q",
						off, n, half.End, half.At, half.Text, twin.endOf(n+1), twin.ids[n],
						twin.wire[n][off:])
				}
			}
		}
	})
}

func TestNewestIsTheLastOfAtLeastTwo(t *testing.T) {
	snapshots(t, func(s *Snapshot, twin *naiveLog) {
		cursor, before, ok := s.newestEvent()
		left := len(twin.ids) - twin.gone
		if left >= 2 && !ok || left == 0 && ok {
			t.Fatalf("with %d events newest says %v", left, ok)
		}
		if n := len(twin.ids) - 1; ok &&
			(cursor != twin.endOf(n) || before != eventid.After(twin.ids[n-1])) {
			t.Fatalf("newest begins at %d after %v, want %d, %v", cursor, before, twin.endOf(n),
				twin.ids[n-1])
		}
	})
}

// Each event in a segment of its own: the event before the newest lies in another one.
func TestNewestAcrossSegments(t *testing.T) {
	l := &Log{}
	for n := range 3 {
		l.Append(body(n, 100_000), eventid.ID{MS: uint64(n + 1)})
	}
	var s Snapshot
	s.Take(l)
	if cursor, before, ok := s.newestEvent(); !ok || cursor != l.segments[2].base ||
		before.ID.MS != 2 {
		t.Errorf("newest is at %d after %v, %v", cursor, before, ok)
	}
	l.Trim(&Retention{Events: 1}, 0, 0)
	s.Take(l)
	if _, _, ok := s.newestEvent(); ok {
		t.Error("a single event is taken for the last of two")
	}
}

// A run is as many whole events as fit, but at least one, and ends with its segment.
func TestRunsOfEverySize(t *testing.T) {
	snapshots(t, func(s *Snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			for _, most := range []int{1, len(twin.wire[n]) - 1, len(twin.wire[n]),
				len(twin.wire[n]) + 1, 300, 1000, 1 << 20} {
				run := s.Run(twin.endOf(n), most)
				k := n
				for k < len(twin.ids) && twin.endOf(k+1) <= run.End {
					k++
				}
				if run.End != twin.endOf(k) || run.At != eventid.After(twin.ids[k-1]) ||
					!bytes.Equal(run.Text, bytes.Join(twin.wire[n:k], nil)) {
					t.Fatalf("the run of %d bytes at event %d ends at %d after %v: %q", most, n,
						run.End, run.At, run.Text)
				}
				segment := s.segments[s.segmentAt(twin.endOf(n))]
				end := segment.base + uint64(len(segment.buf))
				if len(run.Text) > most && k != n+1 || run.End < end &&
					twin.endOf(k+1)-twin.endOf(n) <= uint64(most) {
					t.Fatalf("the run of %d bytes at event %d has %d events, %d bytes", most, n,
						k-n, len(run.Text))
				}
				if got := s.EventsBetween(twin.endOf(n), run.End); got != k-n {
					t.Fatalf("%d events between %d and %d, expected %d", got, twin.endOf(n),
						run.End, k-n)
				}
			}
		}
	})
}
