package log

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// body is an event of about size bytes without its id; it says which one it is.
func body(n, size int) []byte {
	data := append(strconv.AppendInt(nil, int64(n), 10), '|')
	for len(data) < size {
		data = append(data, byte('a'+len(data)%26))
	}
	return sse.AppendBody(nil, &sse.Event{Data: data})
}

// wire is an event as it stands in a log.
func wire(n, size int, id eventid.ID) []byte {
	return sse.AppendID(body(n, size), id.Append(nil))
}

// naiveLog is a log as one would define it: all events, the number of those that
// are gone, and where each ends.
type naiveLog struct {
	ids  []eventid.ID
	wire [][]byte
	ends []uint64
	gone int
}

func (l *naiveLog) append(b []byte, id eventid.ID) {
	l.ids, l.wire = append(l.ids, id), append(l.wire, b)
	l.ends = append(l.ends, l.head()+uint64(len(b)))
}

func (l *naiveLog) head() uint64 { return l.endOf(len(l.ends)) }
func (l *naiveLog) tail() uint64 { return l.endOf(l.gone) }

// endOf is where the first n events end.
func (l *naiveLog) endOf(n int) uint64 {
	if n == 0 {
		return 0
	}
	return l.ends[n-1]
}

func (l *naiveLog) trim(r *Retention, now uint64) {
	for l.gone < len(l.ids) {
		left := len(l.ids) - l.gone
		over := r.Events > 0 && left > r.Events || r.Bytes > 0 && int64(l.head()-l.tail()) > r.Bytes
		old := r.AgeMS > 0 && l.ids[l.gone].MS+uint64(r.AgeMS) < now
		if !old && (!over || left == 1) {
			return
		}
		l.gone++
	}
}

// grownLog is a log and its twin that went through the same random events, retentions and clears.
func grownLog(t *testing.T, seed uint64, sizeMax int) (*Log, *naiveLog, uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := Retention{Events: rng.IntN(40), Bytes: int64(rng.IntN(40 * sizeMax)),
		AgeMS: int64(rng.IntN(300))}
	l, twin := &Log{}, &naiveLog{}
	now, held := uint64(1000), int64(0)
	for n := range 30 + rng.IntN(200) {
		now += uint64(rng.IntN(10))
		id := eventid.ID{MS: now}
		if !l.last.Less(id) {
			id = eventid.ID{MS: l.last.MS, Seq: l.last.Seq + 1}
		}
		size := 1 + rng.IntN(sizeMax)
		held += l.Append(body(n, size), id)
		twin.append(wire(n, size, id), id)
		held -= l.Trim(&r, now, now)
		twin.trim(&r, now)
		if rng.IntN(60) == 0 {
			held -= l.Clear()
			twin.gone = len(twin.ids)
		}
		checkLog(t, l, twin, held)
	}
	return l, twin, now
}

func checkLog(t *testing.T, l *Log, twin *naiveLog, held int64) {
	t.Helper()
	if l.head != twin.head() || l.tail != twin.tail() || l.events != len(twin.ids)-twin.gone {
		t.Fatalf("tail %d head %d events %d, want %d %d %d", l.tail, l.head, l.events, twin.tail(),
			twin.head(), len(twin.ids)-twin.gone)
	}
	sum := int64(0)
	for _, g := range l.segments {
		sum += g.held()
	}
	if sum != held {
		t.Fatalf("%d bytes held by account, %d in the segments", held, sum)
	}
	var lost eventid.ID
	if twin.gone > 0 {
		lost = twin.ids[twin.gone-1]
	}
	if l.lost != lost || l.last != twin.ids[len(twin.ids)-1] {
		t.Fatalf("lost %v last %v, want %v %v", l.lost, l.last, lost, twin.ids[len(twin.ids)-1])
	}
}

func TestLogHoldsWhatTheNaiveTwinHolds(t *testing.T) {
	for seed := range uint64(60) {
		for _, sizeMax := range []int{30, 700, 100_000}[:2+seed%20/19] {
			l, twin, _ := grownLog(t, seed, sizeMax)
			var s Snapshot
			s.Take(l)
			var got []byte
			if s.Tail < s.Head {
				got = bytes.Join(s.Behind(s.Tail), nil)
				if events := s.EventsBehind(); events != l.events {
					t.Fatalf("seed %d: %d events behind, want %d", seed, events, l.events)
				}
			}
			if want := bytes.Join(twin.wire[twin.gone:], nil); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: the log holds\n%q, want\n%q", seed, got, want)
			}
		}
	}
}

func TestHeldBytesReturnToZero(t *testing.T) {
	for seed := range uint64(30) {
		l, _, now := grownLog(t, seed, 500)
		held := int64(0)
		for _, g := range l.segments {
			held += g.held()
		}
		if seed%2 == 0 {
			held -= l.Clear()
		} else {
			held -= l.Trim(&Retention{AgeMS: 1}, now+10, now+10)
		}
		if held != 0 || l.events != 0 || len(l.segments) != 0 || l.tail != l.head {
			t.Fatalf("seed %d: %d bytes, %d events, %d segments left", seed, held, l.events,
				len(l.segments))
		}
	}
}

func TestTheNewestEventGoesOnlyByAge(t *testing.T) {
	l := &Log{}
	l.Append(body(0, 5000), eventid.ID{MS: 10})
	if l.Trim(&Retention{Events: 1, Bytes: 1, AgeMS: 5}, 15, 15); l.events != 1 {
		t.Error("went by size, or at its age")
	}
	if l.Trim(&Retention{AgeMS: 5}, 16, 16); l.events != 0 {
		t.Error("outlived its age")
	}
}

func TestSegmentsBeginSmallAndDouble(t *testing.T) {
	l := &Log{}
	l.Append(body(0, 10), eventid.ID{MS: 1})
	if got := l.segments[0].held(); got > 512 {
		t.Errorf("a topic with one short event holds %d bytes", got)
	}
	for n := range 10_000 {
		l.Append(body(n, 100), eventid.ID{MS: 2, Seq: uint64(n)})
	}
	for i, g := range l.segments[1:] {
		if want := min(max(int(g.base), segmentBytesMin), segmentBytesMax); cap(g.buf) != want {
			t.Fatalf("segment %d, after %d bytes, takes %d, want %d", i+1, g.base, cap(g.buf), want)
		}
	}
	l.Append(body(0, 1<<20), eventid.ID{MS: 3})
	if g := l.newest(); len(g.index) != 1 || cap(g.buf) != len(g.buf) {
		t.Errorf("an event larger than any segment shares one of %d bytes", cap(g.buf))
	}
}

// However much has gone through it, a log that keeps little takes little.
func TestALogTakesWhatItKeeps(t *testing.T) {
	for _, keep := range []int{1, 5, 50, 5000} {
		for _, size := range []int{1, 20, 100, 1000} {
			l := &Log{}
			held, most := int64(0), int64(0)
			for n := range 20_000 {
				held += l.Append(body(n, size), eventid.ID{MS: 2, Seq: uint64(n)})
				held -= l.Trim(&Retention{Events: keep}, 2, 2)
				most = max(most, held)
			}
			if kept := int64(l.head - l.tail); most > 6*kept+2*segmentBytesMin {
				t.Errorf("%d events of %d bytes: %d bytes are kept, %d held", keep, size, kept,
					most)
			}
		}
	}
}

// What was lent out in a snapshot stays as it was, whatever becomes of the log.
func TestSnapshotBytesDoNotChange(t *testing.T) {
	l := &Log{}
	for n := range 20 {
		l.Append(body(n, 50), eventid.ID{MS: 1, Seq: uint64(n)})
	}
	var s Snapshot
	s.Take(l)
	pieces := s.Behind(0)
	was := bytes.Join(pieces, nil)
	for n := range 1000 {
		l.Append(body(n, 70), eventid.ID{MS: 2, Seq: uint64(n)})
		l.Trim(&Retention{Events: 3}, 2, 2)
	}
	l.Clear()
	if !bytes.Equal(was, bytes.Join(pieces, nil)) {
		t.Error("bytes of a snapshot changed")
	}
}
