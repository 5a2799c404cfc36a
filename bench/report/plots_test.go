package report

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"ssedge/bench/result"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// nasty is curves that a plot must survive.
var nasty = map[string][][2]float64{
	"empty":              nil,
	"one point":          {{3, 4}},
	"one at zero":        {{0, 0}},
	"one huge":           {{1e308, 1e308}},
	"not numbers":        {{nan, 1}, {1, nan}, {inf, 1}, {1, -inf}},
	"numbers among them": {{nan, 1}, {1, 2}, {2, inf}, {3, 4}},
	"all equal":          {{5, 5}, {5, 5}, {5, 5}},
	"the same y":         {{1, 7}, {2, 7}, {3, 7}},
	"the same x":         {{7, 1}, {7, 2}, {7, 3}},
	"nearly the same":    {{1, 1e15}, {math.Nextafter(1, 2), math.Nextafter(1e15, inf)}},
	"all zero":           {{0, 0}, {0, 0}},
	"below zero":         {{-3, -1}, {-2, -5}, {-1, -2}},
	"the same below":     {{-3, -3}, {-3, -3}},
	"around zero":        {{-1, -1}, {0, 0}, {1, 1}},
	"the largest": {{-math.MaxFloat64, -math.MaxFloat64},
		{math.MaxFloat64, math.MaxFloat64}},
	"x is huge":      {{1e308, 1}, {-1e308, 2}},
	"y is huge":      {{1, 1e308}, {2, -1e308}},
	"the smallest":   {{0, 0}, {math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat64}},
	"many decades":   {{1e-299, 1e-299}, {1e299, 1e299}},
	"a power of ten": {{0.1, 0.1}, {0.1, 0.1}},
	"percentiles":    {{1, 0}, {2, 50}, {3, 99.95}, {4, 100}},
	"all of 100 %":   {{1, 100}, {2, 100}},
	"backwards":      {{3, 1}, {2, 2}, {1, 3}},
}

func TestNoCurveIsTooNasty(t *testing.T) {
	for name, points := range nasty {
		for _, unit := range []string{"", result.Bytes, result.Percent} {
			for _, logs := range [][2]bool{{false, false}, {true, false}, {false, true},
				{true, true}} {
				x, y := result.Axis{Name: "x", Unit: unit, Log: logs[0]},
					result.Axis{Name: "y", Unit: unit, Log: logs[1]}
				curves := []result.Curve{{Title: name, Server: "a", X: x, Y: y, Points: points},
					{Title: name, Server: "b", X: x, Y: y, Points: points}}
				all := drawings(&result.Run{Results: []result.Result{{Curves: curves}}})
				if len(all) != 1 || len(all[0].Key) != 2 {
					t.Fatalf("%s %q %v: expected a plot of two servers, found %+v", name, unit,
						logs, all)
				}
				svg := string(all[0].SVG)
				for _, bad := range []string{"NaN", "Inf", "e+"} {
					if i := strings.Index(svg, bad); i >= 0 &&
						!strings.Contains(svg[i-5:i+6], ">") {
						t.Errorf("%s %q %v: %s is in the plot: %.60q", name, unit, logs, bad,
							svg[i-20:])
					}
				}
				if svg == "" && !strings.HasPrefix(all[0].Says, "No points to draw.") {
					t.Errorf("%s %q %v: nothing is drawn, and nothing said: %q", name, unit, logs,
						all[0].Says)
				}
				if svg != "" && strings.Count(svg, "<text") < 3 {
					t.Errorf("%s %q %v: there are hardly any labels", name, unit, logs)
				}
			}
		}
	}
}

// TestNastyCurvesAreWritten goes the whole way: JSON has no NaN.
func TestNastyCurvesAreWritten(t *testing.T) {
	r := result.Result{Scenario: "fanout", Figures: []result.Figure{{Name: "none", Value: nan},
		{Name: "endless", Value: inf}, {Name: "one", Value: 1}}}
	for name, points := range nasty {
		r.Curves = append(r.Curves, result.Curve{Title: name, Server: "s", Points: points})
	}
	run := &result.Run{Results: []result.Result{r}}
	page, _ := written(t, run)
	if got := strings.Count(page, "<figure>"); got != len(nasty) {
		t.Errorf("expected %d plots, found %d", len(nasty), got)
	}
	if strings.Contains(page, "endless") || !strings.Contains(page, ">one<") {
		t.Error("expected the figure that is a number, and no other")
	}
	if len(r.Figures) != 3 || len(nasty["not numbers"]) != 4 {
		t.Error("the caller's run was changed")
	}
}

func curve(title, server string, points ...[2]float64) result.Curve {
	return result.Curve{Title: title, Server: server, Points: points}
}

func TestCurvesOfATitleShareAPlot(t *testing.T) {
	a, b := [2]float64{1, 2}, [2]float64{2, 3}
	run := &result.Run{Results: []result.Result{
		{Scenario: "fanout", Server: "x", Curves: []result.Curve{curve("one", "x", a, b),
			curve("one", "x", b, a), {}, curve("two", "x", a, b)}},
		{Scenario: "fanout", Server: "y",
			Curves: []result.Curve{curve("one", "", a, b), curve("three", "y", a, b)}},
		{Scenario: "flood", Server: "y", Curves: []result.Curve{curve("two", "y", a, b)}},
	}}
	all := drawings(run)
	var titles []string
	for _, d := range all {
		titles = append(titles, d.Title)
	}
	if got := strings.Join(titles, "|"); got != "one|fanout: two|three|flood: two" {
		t.Fatalf("found %s", got)
	}
	if k := all[0].Key; len(k) != 2 || k[0].Name != "x" || k[1].Name != "y" {
		t.Errorf("expected x and y once each, found %+v", k)
	}
	if n := strings.Count(string(all[0].SVG), "stroke:var(--s0)"); n != 2 {
		t.Errorf("expected two lines of the first server, found %d", n)
	}
	if k := all[2].Key; len(k) != 1 || k[0].Name != "y" ||
		!strings.Contains(string(all[2].SVG), "stroke:var(--s1)") {
		t.Errorf("expected the second server alone, in its colour, found %+v", k)
	}
	all = drawings(&result.Run{Results: run.Results[2:]})
	if len(all) != 1 || len(all[0].Key) != 0 {
		t.Errorf("expected a plot without a key, since there is one server, found %+v", all)
	}
}

func TestServersPastTheColoursAreDashed(t *testing.T) {
	seen := make(map[string]bool)
	for i := range 24 {
		look := lineStyle(i).Dash() + string(rune('0'+lineStyle(i).Colour()))
		if seen[look] {
			t.Errorf("server %d looks like an earlier one", i)
		}
		seen[look] = true
	}
	var r result.Result
	for i := range 8 {
		r.Curves = append(r.Curves,
			curve("t", strconv.Itoa(i), [2]float64{0, 1}, [2]float64{1, float64(i)}))
	}
	page, _ := written(t, &result.Run{Results: []result.Result{r}})
	for want, n := range map[string]int{`stroke-dasharray="6 3"`: 2, "stroke-dasharray:6 3": 2,
		"ZgotmplZ": 0} {
		if got := strings.Count(page, want); got != n {
			t.Errorf("expected %s %d times, found it %d times", want, n, got)
		}
	}
}

func TestFewPointsAreShown(t *testing.T) {
	for n, glyphs := range map[int]int{1: 1, 20: 20, 21: 0} {
		var points [][2]float64
		for i := range n {
			points = append(points, [2]float64{float64(i), float64(i % 3)})
		}
		all := drawings(
			&result.Run{
				Results: []result.Result{{Curves: []result.Curve{curve("t", "s", points...)}}}})
		if got := strings.Count(string(all[0].SVG), "fill:var(--s0)"); got != glyphs {
			t.Errorf("%d points: expected %d glyphs, found %d", n, glyphs, got)
		}
	}
}

func TestPointsWithoutAPlaceAreSaid(t *testing.T) {
	c := curve("t", "s", [2]float64{0, 1}, [2]float64{-1, 1}, [2]float64{1, 0}, [2]float64{10, 1})
	c.X.Log = true
	all := drawings(&result.Run{Results: []result.Result{{Curves: []result.Curve{c}}}})
	if !strings.HasSuffix(all[0].Says, "logarithmic axis: 2.") {
		t.Errorf("found %+v", all[0].Says)
	}
	c = curve("t", "s", [2]float64{1, 0}, [2]float64{2, 50}, [2]float64{3, 100})
	c.X.Log, c.Y.Log, c.Y.Unit = true, true, result.Percent
	all = drawings(&result.Run{Results: []result.Result{{Curves: []result.Curve{c}}}})
	if all[0].Says != "" {
		t.Errorf("0 %% has a place among percentiles; found %+v", all[0].Says)
	}
}

func TestThinningKeepsTheExtremes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 599, 600, 601, 602, 1000, 100_003} {
		var points [][2]float64
		for i := range n {
			points = append(points, [2]float64{float64(i), math.Sin(float64(i))})
		}
		if n > 600 {
			points[n/3][1], points[n/2][1] = 9, -9
		}
		kept := thin(points)
		if len(kept) > pointsMax || n <= pointsMax && len(kept) != n {
			t.Errorf("%d points: %d are left", n, len(kept))
		}
		if n <= 600 {
			continue
		}
		if len(kept) < pointsMax/2 || kept[0] != points[0] || kept[len(kept)-1] != points[n-1] {
			t.Errorf("%d points: expected the ends and many between, found %d", n, len(kept))
		}
		high, low := 0, 0
		for i, p := range kept {
			if i > 0 && p[0] <= kept[i-1][0] {
				t.Fatalf("%d points: %v comes after %v", n, p, kept[i-1])
			}
			if p[1] == 9 {
				high++
			}
			if p[1] == -9 {
				low++
			}
		}
		if high != 1 || low != 1 {
			t.Errorf("%d points: a peak is lost", n)
		}
	}
}
