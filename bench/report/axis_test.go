package report

import (
	"math"
	"strings"
	"testing"

	"ssedge/bench/result"
)

// labelsOf is what is written along an axis.
func labelsOf(s scale) string {
	var all []string
	for _, t := range s.ticks {
		if t.label != "" {
			all = append(all, t.label)
		}
	}
	return strings.Join(all, " ")
}

func TestLinearTicks(t *testing.T) {
	for _, c := range []struct {
		unit      string
		low, high float64
		whole     bool
		ends      [2]float64
		label     string
		want      string
	}{
		{"ms", 12, 47, true, [2]float64{0, 50}, "x (ms)", "0 10 20 30 40 50"},
		{"", 1000, 18000, false, [2]float64{0, 18000}, "x", "0 5k 10k 15k"},
		{"s", 0, 29.9, false, [2]float64{0, 30}, "x (s)", "0 5 10 15 20 25 30"},
		{"", 0, 5600, true, [2]float64{0, 6000}, "x", "0 1,000 2,000 3,000 4,000 5,000 6,000"},
		{"/s", 0, 298_000, true, [2]float64{0, 300_000}, "x/s", "0 50k 100k 150k 200k 250k 300k"},
		{"/s", 0, 11_800_000, true, [2]float64{0, 12_000_000}, "x/s", "0 2M 4M 6M 8M 10M 12M"},
		{"", 0, 2.4e6, true, [2]float64{0, 2.5e6}, "x", "0 0.5M 1.0M 1.5M 2.0M 2.5M"},
		{"B", 0, 500 << 20, true, [2]float64{0, 500 << 20}, "x (MiB)", "0 100 200 300 400 500"},
		{"B", 0, 700, true, [2]float64{0, 800}, "x (B)", "0 200 400 600 800"},
		{"B", 0, 3 << 30, true, [2]float64{0, 3 << 30}, "x (GiB)", "0 0.5 1.0 1.5 2.0 2.5 3.0"},
		{"×", 0.86, 1.04, true, [2]float64{0, 1.2}, "x (×)", "0 0.2 0.4 0.6 0.8 1.0 1.2"},
		{"", -7, 12, true, [2]float64{-10, 15}, "x", "-10 -5 0 5 10 15"},
		{"", 0.00011, 0.00052, true, [2]float64{0, 0.0006}, "x",
			"0 0.0001 0.0002 0.0003 0.0004 0.0005 0.0006"},
		{"", 100, 110, false, [2]float64{100, 110}, "x", "100 102 104 106 108 110"},
		{"", 100.3, 109.8, false, [2]float64{100, 110}, "x", "100 102 104 106 108 110"},
		{"", 101.5, 108.5, false, [2]float64{101.5, 108.5}, "x", "102 104 106 108"},
		{"", 0, 0, true, [2]float64{0, 1}, "x", "0 0.2 0.4 0.6 0.8 1.0"},
	} {
		s := linear(result.Axis{Name: "x", Unit: c.unit}, c.low, c.high, c.whole)
		if labelsOf(s) != c.want || s.label != c.label || math.Abs(s.low-c.ends[0]) > 1e-9 ||
			math.Abs(s.high-c.ends[1]) > 1e-9*c.ends[1] {
			t.Errorf("%v to %v %q: expected %v %q %s, found %v to %v %q %s", c.low, c.high, c.unit,
				c.ends, c.label, c.want, s.low, s.high, s.label, labelsOf(s))
		}
	}
}

func TestLogarithmicTicks(t *testing.T) {
	for _, c := range []struct {
		unit      string
		low, high float64
		ends      [2]float64
		want      string
	}{
		{"ms", 0.27, 1300, [2]float64{0.2, 2000}, "1 10 100 1,000"},
		{"", 1000, 18000, [2]float64{1000, 20000}, "1,000 2,000 5,000 10k 20k"},
		{"ms", 0.1, 0.1, [2]float64{0.05, 0.2}, "0.05 0.1 0.2"},
		{"", 1, 2e6, [2]float64{1, 2e6}, "1 10 100 1,000 10k 100k 1M"},
		{"", 3, 3e12, [2]float64{2, 5e12}, "100 10k 1M 100M 10G 1,000G"},
		{"B", 80, 90_000, [2]float64{64, 1 << 17}, "64 B 256 B 1 KiB 4 KiB 16 KiB 64 KiB"},
		{"B", 1 << 20, 1 << 20, [2]float64{1 << 19, 1 << 21}, "512 KiB 1 MiB 2 MiB"},
	} {
		s := logarithmic(result.Axis{Name: "x", Unit: c.unit}, c.low, c.high)
		if got := labelsOf(s); got != c.want || s.low != c.ends[0] || s.high != c.ends[1] {
			t.Errorf("%v to %v %q: expected %v %s, found %v to %v %s", c.low, c.high, c.unit,
				c.ends, c.want, s.low, s.high, got)
		}
	}
}

func TestPercentilesHaveRoomForTheTail(t *testing.T) {
	axis := result.Axis{Name: "percentile", Unit: result.Percent}
	for want, points := range map[string][][2]float64{
		"0 50 90 99 99.9 99.99": {{1, 0}, {2, 99.99}},
		"0 50 90 99 99.9 100":   {{1, 0}, {2, 99.95}, {3, 100}},
		"0 50 90 99 100":        {{1, 0}, {2, 99}, {3, 100}},
		"0 50 90 99":            nil,
	} {
		s := percentileScale(axis, [][][2]float64{points})
		if got := labelsOf(s); got != want {
			t.Errorf("expected %s, found %s", want, got)
		}
		before := -1.0
		for _, tick := range s.ticks {
			at := s.part(tick.value)
			if at <= before || at > 1 {
				t.Errorf("%s: %v is at %v, after %v", want, tick.value, at, before)
			}
			before = at
		}
		if before != 1 {
			t.Errorf("%s: the last tick is at %v", want, before)
		}
	}
}

func TestOnlyDistributionsAreDrawnAsPercentiles(t *testing.T) {
	g := group{x: result.Axis{Unit: "ms", Log: true}, y: result.Axis{Unit: result.Percent}}
	for name, c := range map[string]struct {
		points [][2]float64
		want   bool
	}{
		"distribution": {[][2]float64{{1, 0}, {2, 50}, {2, 90}, {5, 100}}, true},
		"falls":        {[][2]float64{{1, 0}, {2, 50}, {3, 40}, {5, 100}}, false},
		"goes back":    {[][2]float64{{1, 0}, {2, 50}, {1.5, 60}, {5, 100}}, false},
		"ends low":     {[][2]float64{{1, 0}, {2, 50}, {3, 60}}, false},
		"goes past":    {[][2]float64{{1, 0}, {2, 50}, {3, 140}}, false},
		"begins below": {[][2]float64{{1, -1}, {2, 50}, {5, 100}}, false},
		"nothing":      {nil, false},
	} {
		if got := percentiles(g, []result.Curve{{Points: c.points}}); got != c.want {
			t.Errorf("%s: expected %v, found %v", name, c.want, got)
		}
	}
	g.x.Log = false
	if percentiles(g, []result.Curve{{Points: [][2]float64{{1, 0}, {2, 100}}}}) {
		t.Error("expected a series over time to stay linear")
	}
}
