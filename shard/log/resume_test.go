package log

import (
	"slices"
	"testing"

	"ssedge/proto/eventid"
)

// logs calls f with logs that went through random retention, and their twins.
func logs(t *testing.T, f func(l *Log, twin *naiveLog, now uint64)) {
	for seed := range uint64(80) {
		l, twin, now := grownLog(t, seed, 60)
		f(l, twin, now)
	}
}

// checkExact demands the place right behind the first n events, without a gap.
func checkExact(t *testing.T, l *Log, twin *naiveLog, p eventid.Position, now uint64, n int) {
	t.Helper()
	got := l.Resume(p, now)
	if got.Cause != GapNone || got.Cursor != twin.endOf(n) || got.At != p {
		t.Fatalf("resume at %v of %v (gone %d) at %d: %+v, want cursor %d and no gap", p, twin.ids,
			twin.gone, now, got, twin.endOf(n))
	}
}

// checkGap demands a gap with that cause, from p to an event, and a cursor and a
// position that agree on what follows.
func checkGap(t *testing.T, l *Log, twin *naiveLog, p eventid.Position, now uint64,
	cause GapCause) {
	t.Helper()
	got := l.Resume(p, now)
	n := len(twin.ids) // goes on live …
	to := l.last
	switch cause {
	case GapExpired, GapEvicted: // … or with the oldest event there is …
		n, to = twin.gone, l.lost
	case GapUnknown: // … or with what has a higher id
		for n > 0 && p.Precedes(twin.ids[n-1]) {
			n--
		}
		to = twin.ids[n-1]
	}
	known := cause != GapUnknown && cause != GapFuture
	if got.Cause != cause || got.Cursor != twin.endOf(n) || got.Known != known || known &&
		got.From != p || got.To != eventid.After(to) {
		t.Fatalf("resume at %v of %v (gone %d) at %d: %+v, want %v to %v, cursor %d", p, twin.ids,
			twin.gone, now, got, cause, to, twin.endOf(n))
	}
	checkExact(t, l, twin, got.At, now, n) // the gap is told once
}

func (l *Log) expiredCause() GapCause {
	if l.cause == GapEvicted {
		return GapEvicted
	}
	return GapExpired
}

func TestEveryIDEverGivenResumesExactlyOrIsToldTheGap(t *testing.T) {
	logs(t, func(l *Log, twin *naiveLog, now uint64) {
		for n, id := range twin.ids {
			if p := eventid.After(id); n+1 >= twin.gone {
				checkExact(t, l, twin, p, now, n+1)
			} else {
				checkGap(t, l, twin, p, now, l.expiredCause())
			}
		}
	})
}

func TestAnIDNeverGivenIsNeverTakenForOne(t *testing.T) {
	logs(t, func(l *Log, twin *naiveLog, now uint64) {
		for _, id := range append([]eventid.ID{{MS: 3}}, twin.ids...) {
			for _, id := range []eventid.ID{{MS: id.MS, Seq: id.Seq + 1}, {MS: id.MS + 1},
				{MS: id.MS, Seq: 1 << 60}, {MS: id.MS + 1, Seq: 77}, {MS: now + 10}} {
				if slices.Contains(twin.ids, id) {
					continue
				}
				want := GapUnknown
				switch {
				case l.last.Less(id):
					want = GapFuture
				case id.Less(l.lost):
					want = l.expiredCause()
				}
				checkGap(t, l, twin, eventid.After(id), now, want)
			}
		}
	})
}

func TestATimeResumesWithTheFirstEventOfItsMillisecond(t *testing.T) {
	logs(t, func(l *Log, twin *naiveLog, now uint64) {
		for ms := uint64(990); ms <= now+3; ms++ {
			n := slices.IndexFunc(twin.ids, func(id eventid.ID) bool { return id.MS >= ms })
			if n < 0 {
				n = len(twin.ids)
			}
			switch p := eventid.At(ms); {
			case ms > now:
				checkGap(t, l, twin, p, now, GapFuture)
			case n < twin.gone:
				checkGap(t, l, twin, p, now, l.expiredCause())
			default:
				checkExact(t, l, twin, p, now, n)
			}
		}
	})
}

func TestTheBeginningOfTimeIsBeforeEveryEvent(t *testing.T) {
	l, twin := &Log{}, &naiveLog{}
	for n := range 3 {
		id := eventid.ID{MS: uint64(n)}
		if n == 0 {
			id.Seq = 1
		}
		l.Append(body(n, 9), id)
		twin.append(wire(n, 9, id), id)
	}
	checkExact(t, l, twin, eventid.At(0), 5, 0)
	checkExact(t, l, twin, eventid.After(eventid.ID{}), 5, 0)
}
