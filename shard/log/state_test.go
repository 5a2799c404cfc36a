package log

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"ssedge/proto/eventid"
)

// goldenLog is a log and its bytes.
func goldenLog() (Log, string) {
	l := New(eventid.ID{MS: 1000})
	for n, id := range []eventid.ID{{MS: 1000, Seq: 1}, {MS: 1000, Seq: 7}, {MS: 1003}} {
		l.Append([]byte("data: "+string(rune('a'+n))+"\n"), id)
	}
	l.Trim(&Retention{Events: 2}, 0, 0)
	return l, "03" + "14" + "e807" + "01" + "02" + // after 20 bytes, 1000-1 and an overrun
		"00" + "05" + "08" + hex.EncodeToString([]byte("data: b\n")) +
		"03" + "00" + "08" + hex.EncodeToString([]byte("data: c\n"))
}

func TestTheBytesOfALog(t *testing.T) {
	l, want := goldenLog()
	got, err := l.AppendState([]byte("x"))
	if err != nil || hex.EncodeToString(got[1:]) != want {
		t.Errorf("found %x, %v: expected %s", got[1:], err, want)
	}
	empty := New(eventid.ID{MS: 3, Seq: 2})
	if got, err := empty.AppendState(nil); err != nil || hex.EncodeToString(got) != "0000030200" {
		t.Errorf("a log without events: found %x, %v", got, err)
	}
}

// reread is a log that was written and read again.
func reread(t *testing.T, l *Log) *Log {
	t.Helper()
	b, err := l.AppendState(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadState(b)
	if err != nil {
		t.Fatal(err)
	}
	if was, is := l.Held(), again.Held(); is > was {
		t.Fatalf("it takes %d bytes, it took %d", is, was)
	}
	return &again
}

// Whatever became of a log, the same log that was written and read answers as it does: at each
// position that there could be, and in each snapshot. It goes on doing so as both grow.
func TestALogThatWasReadIsTheSame(t *testing.T) {
	for seed := range uint64(80) {
		l, twin, now := grownLog(t, seed, []int{60, 5000}[seed%4/3])
		rng := rand.New(rand.NewPCG(seed, 4))
		if seed%3 == 0 { // nothing was ever lost, or there never was an event
			*l, *twin = New(eventid.ID{MS: 900, Seq: seed}), naiveLog{}
		}
		again := reread(t, l)
		checkSame(t, l, again, twin, now)
		for range 6 {
			now += uint64(rng.IntN(3))
			if rng.IntN(3) == 0 && l.events > 0 {
				l, to := reread(t, l), eventid.ID{MS: now + 20}
				l.Skip("a", l.Newest(), to)
				again.Skip("a", again.Newest(), to)
				checkSame(t, l, again, twin, now+30)
				again = reread(t, again)
				checkSame(t, l, again, twin, now+30)
				break
			}
			id := eventid.ID{MS: now}
			if newest := l.NewestID(); !newest.Less(id) {
				id = eventid.ID{MS: newest.MS, Seq: newest.Seq + 1}
			}
			b := body(1, 1+rng.IntN(90))
			r := Retention{Events: 1 + rng.IntN(20), AgeMS: int64(rng.IntN(2) * 40)}
			for _, l := range []*Log{l, again} {
				l.Append(b, id)
				l.Trim(&r, now, now)
			}
			twin.append(wire(1, len(b), id), id)
			checkSame(t, l, again, twin, now)
		}
	}
}

func checkSame(t *testing.T, l, again *Log, twin *naiveLog, now uint64) {
	t.Helper()
	same := func(of any, want, got any) {
		t.Helper()
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%v: the log that was read says %+v, the other %+v", of, got, want)
		}
	}
	same("live", l.Live(now), again.Live(now))
	same("malformed", l.Malformed(now), again.Malformed(now))
	same("earliest", l.Earliest(), again.Earliest())
	same("newest", l.NewestID(), again.NewestID())
	same("whole", l.events, again.events)
	positions := []eventid.Position{{}, eventid.PositionOf(l.lost)}
	for ms := uint64(895); ms < now+5; ms++ {
		positions = append(positions, eventid.At(ms))
	}
	for _, id := range twin.ids {
		for _, seq := range []uint64{0, 1, 1 << 40} {
			positions = append(positions, eventid.After(eventid.ID{MS: id.MS, Seq: id.Seq + seq}))
		}
	}
	r := Retention{Events: 7, AgeMS: 50}
	for _, p := range positions {
		same(p, l.Resume(p, now), again.Resume(p, now))
		seen, seenAgain := l.Resumable(&r, now), again.Resumable(&r, now)
		same(p, seen.Resume(p, now), seenAgain.Resume(p, now))
	}
	var s, sAgain Snapshot
	s.Take(l)
	sAgain.Take(again)
	same("snapshot", [2]uint64{s.Tail, s.Head}, [2]uint64{sAgain.Tail, sAgain.Head})
	for cursor := s.Tail; cursor < s.Head; {
		e := s.Event(cursor)
		same(cursor, e, sAgain.Event(cursor))
		same(cursor, bytes.Join(s.Behind(cursor), nil), bytes.Join(sAgain.Behind(cursor), nil))
		same(cursor, s.EventsBehind(), sAgain.EventsBehind())
		conflated, ok := s.Conflate(cursor, e.At)
		conflatedAgain, okAgain := sAgain.Conflate(cursor, e.At)
		same(cursor, []any{conflated, ok}, []any{conflatedAgain, okAgain})
		cursor = e.End
	}
	if s.Tail > 0 {
		same("overrun", s.Overrun(s.Tail-1, s.Last), sAgain.Overrun(s.Tail-1, s.Last))
	}
}

// A log of many segments is packed, and an event longer than any has one of its own.
func TestALongLogIsReadInSegments(t *testing.T) {
	l, twin := New(id(5)), &naiveLog{}
	for n := range 3000 {
		size := 100 + n%50
		if n%1000 == 999 {
			size = 3 * segmentBytesMax
		}
		at := id(uint64(10 + n))
		l.Append(body(n, size), at)
		twin.append(wire(n, size, at), at)
	}
	again := reread(t, &l)
	var s, sAgain Snapshot
	s.Take(&l)
	sAgain.Take(again)
	if !bytes.Equal(bytes.Join(s.Behind(0), nil), bytes.Join(sAgain.Behind(0), nil)) ||
		again.events != l.events || len(again.segments) < 5 {
		t.Errorf("%d events in %d segments are read, expected %d", again.events,
			len(again.segments), l.events)
	}
	for n, at := range twin.ids {
		checkExact(t, again, twin, eventid.After(at), 5000, n+1)
	}
}

// A frozen log is written as it was, whatever becomes of the other.
func TestAFrozenLogStays(t *testing.T) {
	for seed := range uint64(20) {
		l, _, now := grownLog(t, seed, 300)
		want, _ := l.AppendState(nil)
		frozen := l.Freeze()
		for n := range 40 {
			now++
			l.Append(body(n, 200), eventid.ID{MS: now + 1000})
			l.Trim(&Retention{Events: 1 + n%5}, now, now)
		}
		if got, err := frozen.AppendState(nil); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: it has changed, %v", seed, err)
		}
	}
}

// What is no whole log is refused, and so is one of an upstream.
func TestNoHalfLogIsRead(t *testing.T) {
	l, _ := goldenLog()
	whole, _ := l.AppendState(nil)
	for n := range whole {
		if _, err := ReadState(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(whole))
		}
	}
	for name, b := range map[string]string{
		"bytes behind it":           string(whole) + "\x00",
		"another cause":             "\x06\x00\x01\x00\x00",
		"events, but never one":     "\x00\x00\x01\x00\x01\x01\x00\x02a\n",
		"ids that do not rise":      "\x01\x00\x00\x00\x02\x01\x00\x02a\n\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02a\n",
		"ids beyond all":            "\x01\x00\x05\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x02a\n",
		"an id that is a time":      "\x01\x00\x00\x00\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02a\n",
		"an event without lines":    "\x01\x00\x00\x00\x01\x01\x00\x01a",
		"two events in one":         "\x01\x00\x00\x00\x01\x01\x00\x05a\n\nb\n",
		"an event without bytes":    "\x01\x00\x00\x00\x01\x01\x00\x00",
		"a number that is too long": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a cursor beyond all":       "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00",
	} {
		if l, err := ReadState([]byte(b)); err == nil {
			t.Errorf("%s: read as %+v", name, l)
		}
	}
	foreign := placedAfter(id(1))
	if _, err := foreign.AppendState(nil); !errors.Is(err, ErrNotOwn) {
		t.Errorf("a log of an upstream is written: %v", err)
	}
}

func FuzzReadState(f *testing.F) {
	l, _ := goldenLog()
	for n := range 5 {
		b, err := l.AppendState(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		ms := 2000 * uint64(n+1)
		l.Append(body(n, 50*n), eventid.ID{MS: ms, Seq: 1})
		l.Skip("a", l.Newest(), eventid.ID{MS: ms + 1000})
		l.Trim(&Retention{Events: 3}, 0, 0)
	}
	f.Add([]byte("\x00\x00\x03\x02\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ReadState(b)
		if held := l.Held(); held > 64*int64(len(b))+1024 {
			t.Errorf("%d bytes are held of %d", held, len(b))
		}
		if err != nil {
			return
		}
		written, err := l.AppendState(nil)
		if err != nil {
			t.Fatalf("a log that was read cannot be written: %v", err)
		}
		again, err := ReadState(written)
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Errorf("written and read again it is %+v, %v; it was %+v", again, err, l)
		}
	})
}

// Between a snapshot and its being read again events may have come that are lost: a client that is
// not before that hole is told of it once, from where it is, and goes on behind it.
func TestAHoleIsToldOnceAndInItsPlace(t *testing.T) {
	l := New(id(1))
	for _, ms := range []uint64{10, 20} {
		l.Append(eventBody(ms), id(ms))
	}
	before := l.head
	l.Skip("a", id(20), id(100))
	behind := l.head
	l.Append(eventBody(110), id(110))
	for _, c := range []struct {
		at   eventid.Position
		want Place
	}{
		{eventid.After(id(20)), Place{Cursor: before, At: eventid.After(id(20))}},
		{eventid.At(15), Place{Cursor: l.endOf(t, 10), At: eventid.At(15)}},
		{eventid.At(50), Place{Cursor: before, At: eventid.At(50)}},
		{eventid.After(id(50)), Place{Cursor: behind, At: eventid.After(id(100)), Cause: GapMissed,
			From: eventid.After(id(50)), Known: true, To: eventid.After(id(100))}},
		{eventid.After(id(100)), Place{Cursor: behind, At: eventid.After(id(100))}},
		{eventid.At(105), Place{Cursor: behind, At: eventid.At(105)}},
		{eventid.After(id(110)), Place{Cursor: l.head, At: eventid.After(id(110))}},
	} {
		if got := l.Resume(c.at, 200); got != c.want {
			t.Errorf("at %v: %+v, expected %+v", c.at, got, c.want)
		}
	}
}

// endOf is where the event of a millisecond ends.
func (l *Log) endOf(t *testing.T, ms uint64) uint64 {
	t.Helper()
	cursor, ok := l.Find(id(ms))
	if !ok {
		t.Fatalf("there is no event %d", ms)
	}
	return cursor
}
