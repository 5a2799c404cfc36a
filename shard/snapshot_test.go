package shard

import (
	"bytes"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// snapshots calls f with snapshots of logs of several segments, trimmed and not,
// and their twins.
func snapshots(t *testing.T, f func(s *snapshot, twin *naiveLog)) {
	for seed := range uint64(25) {
		l, twin, _ := grownLog(t, seed, 200)
		var s snapshot
		s.take(l)
		f(&s, twin)
	}
}

func TestBehindIsTheLogFromEveryCursor(t *testing.T) {
	snapshots(t, func(s *snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			for range 2 { // the second time from the cache
				if got, want := bytes.Join(s.behind(twin.endOf(n)), nil), bytes.Join(twin.wire[n:], nil); !bytes.Equal(got, want) {
					t.Fatalf("behind event %d: %q, want %q", n, got, want)
				}
				if events := s.eventsBehind(); events != len(twin.ids)-n {
					t.Fatalf("behind event %d: %d events, want %d", n, events, len(twin.ids)-n)
				}
			}
		}
	})
}

func TestEventIsTheOneAtEveryCursor(t *testing.T) {
	snapshots(t, func(s *snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			body, id, end := s.event(twin.endOf(n))
			if id != eventid.After(twin.ids[n]) || end != twin.endOf(n+1) {
				t.Fatalf("event %d is %v and ends at %d, want %v, %d", n, id, end, twin.ids[n], twin.endOf(n+1))
			}
			if got := sse.AppendID(bytes.Clone(body), id.Append(nil)); !bytes.Equal(got, twin.wire[n]) {
				t.Fatalf("event %d is %q, want %q", n, got, twin.wire[n])
			}
		}
	})
}

// A send that stopped after any byte stopped in the event that a naive parse
// finds there, with the rest of exactly that event.
func TestHalfSentAtEveryByte(t *testing.T) {
	snapshots(t, func(s *snapshot, twin *naiveLog) {
		for n := twin.gone; n < len(twin.ids); n++ {
			for off := 1; off <= len(twin.wire[n]); off++ {
				end, id, rest := s.halfSent(twin.endOf(n) + uint64(off))
				if end != twin.endOf(n+1) || id != eventid.After(twin.ids[n]) || !bytes.Equal(rest, twin.wire[n][off:]) {
					t.Fatalf("%d bytes into event %d: ends at %d, is %v, rest %q; want %d, %v, %q",
						off, n, end, id, rest, twin.endOf(n+1), twin.ids[n], twin.wire[n][off:])
				}
			}
		}
	})
}

func TestNewestIsTheLastOfAtLeastTwo(t *testing.T) {
	snapshots(t, func(s *snapshot, twin *naiveLog) {
		cursor, before, ok := s.newest()
		left := len(twin.ids) - twin.gone
		if left >= 2 && !ok || left == 0 && ok {
			t.Fatalf("with %d events newest says %v", left, ok)
		}
		if n := len(twin.ids) - 1; ok && (cursor != twin.endOf(n) || before != eventid.After(twin.ids[n-1])) {
			t.Fatalf("newest begins at %d after %v, want %d, %v", cursor, before, twin.endOf(n), twin.ids[n-1])
		}
	})
}

// Each event in a segment of its own: the event before the newest lies in
// another one.
func TestNewestAcrossSegments(t *testing.T) {
	l := &log{}
	for n := range 3 {
		l.append(body(n, 100_000), eventid.ID{MS: uint64(n + 1)})
	}
	var s snapshot
	s.take(l)
	if cursor, before, ok := s.newest(); !ok || cursor != l.segments[2].base || before.ID.MS != 2 {
		t.Errorf("newest is at %d after %v, %v", cursor, before, ok)
	}
	l.trim(&Retention{Events: 1}, 0, 0)
	s.take(l)
	if _, _, ok := s.newest(); ok {
		t.Error("a single event is taken for the last of two")
	}
}
