package eventid

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const testCheck = 35*36 + 1 // "z1"

func TestVectorGolden(t *testing.T) {
	positions := []Position{After(ID{1753000000123, 0}), At(1753000000123), {}}
	for n, want := range []string{
		"1.z1",
		"1.z1.mdbexsvv-0",
		"1.z1.mdbexsvv-0.mdbexsvv",
		"1.z1.mdbexsvv-0.mdbexsvv.0-0",
	} {
		if got := string(appendVector(nil, testCheck, positions[:n]...)); got != want {
			t.Errorf("vector of %d positions is %q, want %q", n, got, want)
		}
		dst := make([]Position, n)
		got, ok := ParseVector([]byte(want), testCheck, dst)
		if !ok || len(got) != n || fmt.Sprint(got) != fmt.Sprint(positions[:n]) {
			t.Errorf("ParseVector(%q) = %v, %v, want %v", want, got, ok, positions[:n])
		}
		if n > 0 && &got[0] != &dst[0] {
			t.Errorf("ParseVector(%q) did not use the slice it was given", want)
		}
	}
}

func TestVectorBytesMaxIsReachedAndNotExceeded(t *testing.T) {
	longest := After(ID{math.MaxUint64, math.MaxUint64})
	var positions []Position
	for n := range 20 {
		if got := len(appendVector(nil, math.MaxUint32, positions...)); got != VectorBytesMax(n) {
			t.Errorf("the longest vector of %d topics has %d bytes, VectorBytesMax says %d", n, got,
				VectorBytesMax(n))
		}
		positions = append(positions, longest)
	}
}

func TestVectorRefuses(t *testing.T) {
	for why, s := range map[string]string{
		"empty":                  "",
		"a plain id":             "1-0",
		"a plain time":           "1",
		"version alone":          "1.",
		"no version":             ".z1.1-0.2",
		"version 0":              "0.z1.1-0.2",
		"version 2":              "2.z1.1-0.2",
		"version 01":             "01.z1.1-0.2",
		"no check":               "1..1-0.2",
		"another check":          "1.z2.1-0.2",
		"check with a zero":      "1.0z1.1-0.2",
		"check in upper case":    "1.Z1.1-0.2",
		"check beyond uint32":    "1.1z141z4.1-0.2",
		"check equal mod 2^32":   "1.1z142y5.1-0.2",
		"no positions":           "1.z1",
		"one position":           "1.z1.1-0",
		"three positions":        "1.z1.1-0.2.3",
		"dot at the end":         "1.z1.1-0.2.",
		"empty position":         "1.z1.1-0.",
		"empty first position":   "1.z1..2",
		"dot at the start":       ".1.z1.1-0.2",
		"position with a zero":   "1.z1.01-0.2",
		"sequence with a zero":   "1.z1.1-00.2",
		"upper case":             "1.z1.1-0.A",
		"sign":                   "1.z1.1-0.-2",
		"two dashes":             "1.z1.1-0-0.2",
		"dash at the end":        "1.z1.1-.2",
		"overflow":               "1.z1.1-0.3w5e11264sgsg",
		"overflow of a sequence": "1.z1.1-3w5e11264sgsg.2",
		"space before":           " 1.z1.1-0.2",
		"space after":            "1.z1.1-0.2 ",
		"NUL":                    "1.z1.1-0.2\x00",
	} {
		if got, ok := ParseVector([]byte(s), testCheck, make([]Position, 2)); ok || got != nil {
			t.Errorf("%s: ParseVector(%q) = %v, %v, want a refusal and nil", why, s, got, ok)
		}
	}
	if _, ok := ParseVector([]byte("1.z1.1-0.2"), testCheck, make([]Position, 2)); !ok {
		t.Error("the vector that all of these spoil is refused itself")
	}
}

// Every prefix, and every text with one byte changed, is either refused or is
// the text of what was read.
func TestVectorDamagedIsRefusedOrCanonical(t *testing.T) {
	whole := appendVector(nil, testCheck, After(ID{1753000000123, 5}), At(42), After(ID{1, 0}))
	dst := make([]Position, 3)
	for n := range whole {
		if p, ok := ParseVector(whole[:n], testCheck, dst); ok &&
			string(appendVector(nil, testCheck, p...)) != string(whole[:n]) {
			t.Errorf("prefix %q accepted as %v", whole[:n], p)
		}
		for c := range 256 {
			damaged := append([]byte(nil), whole...)
			damaged[n] = byte(c)
			if p, ok := ParseVector(damaged, testCheck, dst); ok &&
				string(appendVector(nil, testCheck, p...)) != string(damaged) {
				t.Errorf("%q accepted as %v", damaged, p)
			}
		}
	}
}

// checkOf folds a list of topics the way a stream does.
func checkOf(topics ...string) uint32 {
	c := uint32(0)
	for _, topic := range topics {
		c = Check(c, topic)
	}
	return c
}

func TestCheckTellsTopicListsApart(t *testing.T) {
	seen := map[uint32]string{}
	for _, topics := range [][]string{
		{}, {""}, {"", ""}, {"", "", ""},
		{"a"}, {"b"}, {"a", ""}, {"", "a"},
		{"ab"}, {"a", "b"}, {"b", "a"}, {"ba"},
		{"ab", "c"}, {"a", "bc"}, {"abc"}, {"a", "b", "c"},
		{"\x00"}, {"\x00", "\x00"}, {"\x00\x00"}, {"\x01"}, {"a\x01b"},
		{"orders/1", "orders/2"}, {"orders/2", "orders/1"},
	} {
		c := checkOf(topics...)
		if other, ok := seen[c]; ok {
			t.Errorf("%q and %s have the same check %d", topics, other, c)
		}
		seen[c] = fmt.Sprintf("%q", topics)
	}
	// Many short names, as a site would have them: 32 bits make a collision
	// among 3,000 lists a one in a thousand affair, and the hash is fixed.
	all := map[uint32]bool{}
	for i := range 3000 {
		all[checkOf("user", fmt.Sprint(i))] = true
	}
	if len(all) != 3000 {
		t.Errorf("3000 lists gave %d checks", len(all))
	}
}

// Clients hold vectors across an upgrade of the server, so the values are part of the format.
func TestCheckGolden(t *testing.T) {
	for _, c := range []struct {
		topics []string
		want   uint32
	}{
		{nil, 0},
		{[]string{""}, 84696351},
		{[]string{"news"}, 2121547120},
		{[]string{"news", "orders/1"}, 3873483670},
		{[]string{strings.Repeat("x", 300), "é"}, 2242766228},
	} {
		if got := checkOf(c.topics...); got != c.want {
			t.Errorf("check of %.40q is %d, want %d", c.topics, got, c.want)
		}
	}
}
