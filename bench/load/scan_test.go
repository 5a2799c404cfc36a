package load

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"ssedge/bench/mark"
)

// testsBegan is before every event of these tests.
var testsBegan = mark.Now().Add(-time.Minute)

// still is a loop with streams and no thread: what scans, fed by hand.
func still(t testing.TB, streams int) *loop {
	t.Helper()
	p, err := Config{Subscribe: "http://127.0.0.1:1/", KeepIDs: true}.plan()
	if err != nil {
		t.Fatal(err)
	}
	return &loop{
		plan: p, began: testsBegan, now: mark.Now().Add(time.Minute),
		streams: make([]stream, streams),
		cut:     make(map[int32]*event), ids: newIDTable(), latency: newHistogram(),
	}
}

// everything has all that a stream may carry.
var everything = "event: ssedge\nretry: 3000\ndata: {\"state\":\"resumed\"}\nid: 5-0\n\n:\nid: 5-0\n\n" +
	eventWith(0, 1, "5-1") +
	":\r\n\r\n" +
	"event: note\n" + eventWith(0, 2, "6-0") +
	"event: gap\ndata: {\"topic\":\"t\"}\nid: 9-9\n\n" +
	"event: gaping\r\n" + strings.ReplaceAll(eventWith(0, 3, "10"), "\n", "\r\n") +
	"data: no mark, no id\n\n" +
	"data: {\"pub\":{\"data\":" + strings.TrimPrefix(eventWith(0, 4, "12-0"), "data: ") +
	"data:" + strings.TrimPrefix(eventWith(0, 6, "13:7"), "data: ") +
	"data:" + string(mark.Append(nil, mark.Mark{Topic: 0, Seq: 5, Due: mark.Now()}, 64<<10)) +
	"\nid:14-1\n\n" +
	"what is this\n" +
	"id: 15-0\n\n" +
	eventWith(3, 1, "16-0")

var everythingCounts = Totals{Events: 6, Others: 1, Comments: 2, Gaps: 1, Late: 1, Damaged: 1,
	Misdelivered: 1}

func checkEverything(t *testing.T, l *loop, what string) {
	t.Helper()
	if l.tally != everythingCounts {
		t.Fatalf("%s: expected %+v, found %+v", what, everythingCounts, l.tally)
	}
	s := &l.streams[0]
	if s.received != 6 || s.id != (position{16, 0}) || l.ids.text(s.heldID) != "16-0" ||
		len(l.cut) != 0 || s.cut {
		t.Fatalf("%s: found %+v, %d cut", what, *s, len(l.cut))
	}
}

func TestScanFindsTheSameAtEverySplit(t *testing.T) {
	t.Parallel()
	body := []byte(everything)
	for split := range body {
		if split > 2000 && split < len(body)-500 && split%97 != 0 {
			continue // inside of the long line
		}
		l := still(t, 1)
		l.scan(0, body[:split])
		l.scan(0, body[split:])
		checkEverything(t, l, fmt.Sprintf("split at %d", split))
	}
}

func TestScanByteByByte(t *testing.T) {
	t.Parallel()
	l := still(t, 1)
	for i := range len(everything) {
		l.scan(0, []byte(everything[i:i+1]))
	}
	checkEverything(t, l, "byte by byte")
}

// TestChunksAreTakenApart wherever they begin and end, and however they arrive.
func TestChunksAreTakenApart(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 60 {
		var body bytes.Buffer
		for rest := everything; rest != ""; {
			n := min(len(rest), 1+random.IntN([]int{1, 3, 50, 5000, 100_000}[round%5]))
			if round%5 == 0 && len(rest) < len(everything)-300 && len(rest) > 500 {
				n = len(rest) - 400 // chunks of one byte, but for the long line
			}
			fmt.Fprintf(&body, []string{"%x\r\n", "%X;name=value\r\n", "%04x\r\n"}[random.IntN(3)],
				n)
			body.WriteString(rest[:n] + "\r\n")
			rest = rest[n:]
		}
		l := still(t, 1)
		l.streams[0].body = chunkSize
		for rest := body.Bytes(); len(rest) > 0; {
			n := min(len(rest), 1+random.IntN([]int{50, 500, 5000, 100_000}[round%4]))
			if round < 2 {
				n = 1
			}
			if err := l.body(0, rest[:n]); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			rest = rest[n:]
		}
		checkEverything(t, l, fmt.Sprintf("seed %d, round %d", seed, round))
		if err := l.body(0, []byte("0\r\n\r\n")); err != errLastChunk {
			t.Fatalf("seed %d: expected the end, found %v", seed, err)
		}
	}
	for _, bad := range []string{"x\r\n", "-1\r\n", "fffffffff\r\n", "1\r\nab\r\n"} {
		l := still(t, 1)
		l.streams[0].body = chunkSize
		if err := l.body(0, []byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestSequenceAgainstASet knows of each number whether it has come.
func TestSequenceAgainstASet(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var q sequence
		seen := map[uint32]bool{}
		high := uint32(0)
		for range 200 {
			seq := uint32(max(1, int(high)+random.IntN(80)-63)) // within what is known exactly
			want := inOrder
			switch {
			case seen[seq]:
				want = duplicate
			case seq < high:
				want = late
			}
			if high-min(high, seq) >= 64 {
				want = duplicate
			}
			if got := q.take(seq); got != want {
				t.Fatalf("seed %d: %d after %d: expected %v, found %v", seed, seq, high, want, got)
			}
			seen[seq], high = true, max(high, seq)
		}
	}
}

// TestIDTableAgainstAMap: the table has each id once, for as long as a stream refers to it.
func TestIDTableAgainstAMap(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	table := newIDTable()
	held := make([]uint32, 50)
	want := make([]string, len(held))
	for range 20_000 {
		i := random.IntN(len(held))
		want[i] = fmt.Sprint("id", random.IntN(60))
		table.hold(&held[i], []byte(want[i]))
		if j := random.IntN(len(held)); table.text(held[j]) != want[j] {
			t.Fatalf("seed %d: expected %q, found %q", seed, want[j], table.text(held[j]))
		}
	}
	different := map[string]bool{}
	for _, id := range want {
		if id != "" {
			different[id] = true
		}
	}
	if len(table.at) != len(different) || len(table.entries) > 1+len(held)+1 {
		t.Errorf("seed %d: expected %d ids, found %d in %d places: %v", seed, len(different),
			len(table.at), len(table.entries), maps.Keys(table.at))
	}
	for i := range held {
		table.release(held[i])
	}
	if len(table.at) != 0 {
		t.Errorf("seed %d: %v are left", seed, table.at)
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, next string
		rises       bool
	}{
		{"1", "2", true}, {"2", "2", false}, {"10", "9", false}, {"5-1", "5-2", true},
		{"5-2", "5-1", false}, {"5-9", "6-0", true}, {"5:1", "5:2", true},
		{"urn:1", "urn:0", true}, {"urn:1", "urn:1", false}, {"5-1", "5-x", true},
		{"1-2-3", "1-2-4", true},
	} {
		first, next := parsePosition([]byte(c.first)), parsePosition([]byte(c.next))
		if got := next.follows(first); got != c.rises {
			t.Errorf("%q, %q: found %v", c.first, c.next, got)
		}
	}
}

func TestAStreamTakesOneCacheLine(t *testing.T) {
	if n := unsafe.Sizeof(stream{}); n > 64 {
		t.Errorf("a stream takes %d bytes", n)
	}
}

// run is a thousand events of 100 bytes, numbered from first on.
func run(first int) []byte {
	var b []byte
	for seq := first; seq < first+1000; seq++ {
		b = append(b, "data: "...)
		b = mark.Append(b, mark.Mark{Seq: uint32(seq), Due: mark.Now()}, 100)
		b = fmt.Appendf(b, "\nid: 1763880000123-%d\n\n", seq)
	}
	return b
}

func TestScanningDoesNotAllocate(t *testing.T) {
	l := still(t, 1)
	l.plan.KeepIDs = false
	bodies := [][]byte{}
	for i := range 12 {
		bodies = append(bodies, run(1+1000*i))
	}
	at := 0
	if n := testing.AllocsPerRun(10, func() { l.scan(0, bodies[at]); at++ }); n != 0 {
		t.Errorf("%v allocations for a thousand events", n)
	}
	if l.tally.Events != 11_000 || l.tally.Duplicates+l.tally.Late+l.tally.Unsorted != 0 {
		t.Errorf("found %+v", l.tally)
	}
}

func BenchmarkScan(b *testing.B) {
	l := still(b, 1)
	l.plan.KeepIDs = false
	body := run(1)
	b.ReportAllocs()
	for b.Loop() {
		l.streams[0] = stream{}
		l.scan(0, body)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(l.tally.Events), "ns/event")
}

// TestAnIDIsKeptWholeWhereverItIsCut: it is given back to the server, which takes no half of one.
func TestAnIDIsKeptWholeWhereverItIsCut(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("1.104oyx3-", 100) // as of a stream of many topics
	body := []byte(eventWith(0, 1, id))
	for split := range body {
		l := still(t, 1)
		l.scan(0, body[:split])
		l.scan(0, body[split:])
		if got := l.ids.text(l.streams[0].heldID); got != id {
			t.Fatalf("split at %d: kept %d bytes of %d", split, len(got), len(id))
		}
	}
}

// TestAnEventDueJustNowIsNotOfBefore: the clocks of two processes need not agree to the
// microsecond.
func TestAnEventDueJustNowIsNotOfBefore(t *testing.T) {
	t.Parallel()
	l := still(t, 1)
	l.scan(0,
		fmt.Appendf(nil, "data: %s\n\n", mark.Append(nil, mark.Mark{Seq: 1, Due: l.now + 20}, 16)))
	if want := (Totals{Events: 1}); l.tally != want || l.latency.Max() != 0 {
		t.Errorf("expected %+v, found %+v with a latency of %d us", want, l.tally, l.latency.Max())
	}
}

// TestNumbersAgainstStrconv: of a text that begins with digits those are read that make a number
// below 10^19.
func TestNumbersAgainstStrconv(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		text := make([]byte, random.IntN(24))
		for i := range text {
			text[i] = '0' + byte(random.IntN(10))
		}
		if len(text) > 0 && random.IntN(2) == 0 {
			text[random.IntN(len(text))] = []byte{'-', ':', '/', '0' - 1, '9' + 1, '?', 'a', 0,
				0x80, 0xb5, 0xff, byte(random.IntN(256))}[random.IntN(12)]
		}
		digits := len(text) - len(bytes.TrimLeft(text, "0123456789"))
		digits = min(digits, 19)
		want, _ := strconv.ParseUint(string(text[:digits]), 10, 64)
		if value, n := number(text); value != want || n != digits {
			t.Fatalf("seed %d: %q: expected %d in %d digits, found %d in %d", seed, text, want,
				digits, value, n)
		}
	}
}
