package eventid

import (
	"math"
	"testing"
)

// goldenIDs are the texts of ids, in the order of the ids.
var goldenIDs = []struct {
	text string
	id   ID
}{
	{"0-0", ID{}},
	{"0-1", ID{0, 1}},
	{"0-18446744073709551615", ID{0, math.MaxUint64}},
	{"1-0", ID{1, 0}},
	{"9-10", ID{9, 10}},
	{"10-9", ID{10, 9}},
	{"1753000000123-0", ID{1753000000123, 0}},
	{"1753000000123-7", ID{1753000000123, 7}},
	{"18446744073709551615-0", ID{math.MaxUint64, 0}},
	{"18446744073709551615-18446744073709551615", ID{math.MaxUint64, math.MaxUint64}},
}

// notIDs are texts that no ID is written as.
var notIDs = []string{
	"", "-", "1", "1-", "-1", "--", "1--1", "1-1-1", "1-1-", "-1-1",
	"01-1", "1-01", "00-0", "0-00", "+1-1", "1-+1", "1--0",
	" 1-1", "1-1 ", "1 -1", "1- 1", "1-1\n", "1-1\x00", "\x001-1",
	"0x1-1", "1_0-1", "1.0-1", "1e3-1", "a-1", "1-a", "1/2", "1–1", "١-1",
	"18446744073709551616-0", "0-18446744073709551616", "99999999999999999999-0",
	"28446744073709551615-0", "184467440737095516150-0", "0-100000000000000000000",
}

func TestIDTextRoundTrips(t *testing.T) {
	for _, g := range goldenIDs {
		if got := g.id.String(); got != g.text {
			t.Errorf("%#v is written %q, want %q", g.id, got, g.text)
		}
		if got := string(g.id.Append([]byte("id: "))); got != "id: "+g.text {
			t.Errorf("Append(%#v) gave %q, want the prefix kept and %q", g.id, got, g.text)
		}
		if id, ok := Parse([]byte(g.text)); !ok || id != g.id {
			t.Errorf("Parse(%q) = %#v, %v, want %#v", g.text, id, ok, g.id)
		}
		if len(g.text) > MaxPositionBytes {
			t.Errorf("%q is longer than MaxPositionBytes = %d", g.text, MaxPositionBytes)
		}
	}
}

func TestIDRefusesEveryOtherSpelling(t *testing.T) {
	for _, s := range notIDs {
		if id, ok := Parse([]byte(s)); ok || id != (ID{}) {
			t.Errorf("Parse(%q) = %#v, %v, want a refusal and the zero ID", s, id, ok)
		}
	}
}

func TestIDOrder(t *testing.T) {
	for i, a := range goldenIDs {
		for j, b := range goldenIDs {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.id.Compare(b.id); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", a.id, b.id, got, want)
			}
			if got := a.id.Less(b.id); got != (want < 0) {
				t.Errorf("%v.Less(%v) = %v", a.id, b.id, got)
			}
		}
		if got := a.id.IsZero(); got != (i == 0) {
			t.Errorf("%v.IsZero() = %v", a.id, got)
		}
	}
}

func TestNumbersAreWithinUint64InEveryBase(t *testing.T) {
	for _, c := range []struct {
		text string
		base uint64
		want uint64
		ok   bool
	}{
		{"18446744073709551615", 10, math.MaxUint64, true},
		{"18446744073709551616", 10, 0, false},
		{"18446744073709551620", 10, 0, false},
		{"3w5e11264sgsf", 36, math.MaxUint64, true},
		{"3w5e11264sgsg", 36, 0, false},
		{"3w5e11264sgt0", 36, 0, false},
		{"zzzzzzzzzzzzz", 36, 0, false},
		{"10000000000000", 36, 0, false},
		{"z", 36, 35, true},
		{"z", 10, 0, false},
		{"a", 10, 0, false},
		{"Z", 36, 0, false},
	} {
		if got, ok := parseUint([]byte(c.text), c.base); got != c.want || ok != c.ok {
			t.Errorf("parseUint(%q, %d) = %d, %v, want %d, %v", c.text, c.base, got, ok, c.want,
				c.ok)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	id := ID{math.MaxUint64, math.MaxUint64}
	buf := make([]byte, 0, VectorBytesMax(2))
	for name, f := range map[string]func(){
		"ID.Append":             func() { buf = id.Append(buf[:0]) },
		"Position.Append":       func() { buf = After(id).Append(buf[:0]) },
		"Position.Append time":  func() { buf = At(id.MS).Append(buf[:0]) },
		"Position.AppendBase36": func() { buf = After(id).AppendBase36(buf[:0]) },
		"vector of two topics": func() {
			buf = appendVector(buf[:0], math.MaxUint32, After(id), After(id))
		},
		"Check of a long string": func() {
			sink = Check(1, "a/topic/name/of/more/than/thirty-two/bytes")
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	id, bad := []byte("1753000000123-7"), []byte("1753000000123-07")
	vector := appendVector(nil, 5, After(ID{1, 2}), At(3))
	dst := make([]Position, 2)
	for name, f := range map[string]func(){
		"Parse":               func() { Parse(id) },
		"Parse refused":       func() { Parse(bad) },
		"ParsePosition":       func() { ParsePosition(id) },
		"ParseVector":         func() { ParseVector(vector, 5, dst) },
		"ParseVector refused": func() { ParseVector(vector, 6, dst) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

var sink uint32

func appendVector(dst []byte, check uint32, positions ...Position) []byte {
	dst = AppendVectorHeader(dst, check)
	for _, p := range positions {
		dst = AppendVectorPosition(dst, p)
	}
	return dst
}
