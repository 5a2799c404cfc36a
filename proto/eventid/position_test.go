package eventid

import (
	"math"
	"testing"
)

var goldenPositions = []struct {
	text, base36 string
	p            Position
}{
	{"0-0", "0-0", Position{}},
	{"0", "0", At(0)},
	{"7", "7", At(7)},
	{"7-0", "7-0", After(ID{7, 0})},
	{"35-36", "z-10", After(ID{35, 36})},
	{"1753000000123-7", "mdbexsvv-7", After(ID{1753000000123, 7})},
	{"1753000000123", "mdbexsvv", At(1753000000123)},
	{"18446744073709551615", "3w5e11264sgsf", At(math.MaxUint64)},
	{
		"18446744073709551615-18446744073709551615", "3w5e11264sgsf-3w5e11264sgsf",
		After(ID{math.MaxUint64, math.MaxUint64}),
	},
}

func TestPositionTextRoundTrips(t *testing.T) {
	for _, g := range goldenPositions {
		if got := g.p.String(); got != g.text {
			t.Errorf("%#v is written %q, want %q", g.p, got, g.text)
		}
		if got := string(g.p.AppendBase36(nil)); got != g.base36 {
			t.Errorf("%#v is written %q in base 36, want %q", g.p, got, g.base36)
		}
		if p, ok := ParsePosition([]byte(g.text)); !ok || p != g.p {
			t.Errorf("ParsePosition(%q) = %#v, %v, want %#v", g.text, p, ok, g.p)
		}
		if p, ok := parsePosition([]byte(g.base36), 36); !ok || p != g.p {
			t.Errorf("parsePosition(%q, 36) = %#v, %v, want %#v", g.base36, p, ok, g.p)
		}
		if len(g.text) > MaxPositionBytes || len(g.base36) > position36Bytes {
			t.Errorf("%q, %q exceed MaxPositionBytes = %d, position36Bytes = %d",
				g.text, g.base36, MaxPositionBytes, position36Bytes)
		}
	}
}

func TestPositionRefusesEveryOtherSpelling(t *testing.T) {
	refused := []string{"01", "00", "+1", " 1", "1 ", "1\n", "a", "1a", "0x1",
		"18446744073709551616", "1.2"}
	for _, s := range notIDs {
		if s != "1" { // no ID, but a point in time
			refused = append(refused, s)
		}
	}
	for _, s := range refused {
		if p, ok := ParsePosition([]byte(s)); ok || p != (Position{}) {
			t.Errorf("ParsePosition(%q) = %#v, %v, want a refusal and the zero Position", s, p, ok)
		}
	}
}

// A time's Seq is not written, so it must not be invented when read back.
func TestTimeIgnoresSeq(t *testing.T) {
	odd := Position{ID: ID{7, 9}, Time: true}
	if got := odd.String(); got != "7" {
		t.Errorf("%#v is written %q, want %q", odd, got, "7")
	}
	if !odd.Precedes(ID{7, 0}) {
		t.Errorf("%#v does not precede 7-0", odd)
	}
}

func TestPositionStandsBetweenEvents(t *testing.T) {
	events := []ID{{0, 0}, {0, 1}, {6, math.MaxUint64}, {7, 0}, {7, 1}, {7, 2}, {8, 0},
		{math.MaxUint64, math.MaxUint64}}
	for _, c := range []struct {
		p     Position
		first int // index of the first event still to be sent
	}{
		{Position{}, 1}, // 0-0 is "no event": nothing is named so
		{At(0), 0},
		{After(ID{0, 1}), 2},
		{At(1), 2},
		{At(7), 3},
		{After(ID{7, 0}), 4},
		{After(ID{7, 1}), 5},
		{After(ID{7, 5}), 6}, // an event that is not in the log
		{At(8), 6},
		{After(ID{math.MaxUint64, math.MaxUint64}), 8},
	} {
		for i, id := range events {
			if got := c.p.Precedes(id); got != (i >= c.first) {
				t.Errorf("position %v precedes event %v: %v", c.p, id, got)
			}
		}
	}
}
