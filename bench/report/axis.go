package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"ssedge/bench/result"
)

// tick is a mark on an axis. Without a label it is small.
type tick struct {
	value float64
	label string
}

// scale is an axis as it is drawn: what lies between its ends, how, and what is written along it.
type scale struct {
	low, high float64
	// of the axis, up to a value: 0 at its beginning, 1 at its end
	part  func(value float64) float64
	ticks []tick
	label string
}

const (
	steps  = 6 // there are about as many labels along a linear axis
	labels = 7 // there are at most about as many along a logarithmic one

	nearTick = 0.05 // of its length: an axis is made longer by so much to end at a tick
)

// linear is a scale that holds the values. It begins at 0 if they do not go below it and from is 0
// or lies near: what is measured upwards shall not look like more than it is. A whole scale ends at
// ticks, another one if they are near.
func linear(axis result.Axis, low, high float64, whole bool) scale {
	if low >= 0 && (whole || low <= high/4) {
		low = 0
	}
	low, high = widen(low, high)
	unit, divisor := inUnit(axis.Unit, max(math.Abs(low), math.Abs(high)))
	step := stepOf((high-low)/divisor/steps) * divisor
	first, last := math.Ceil(low/step-1e-9), math.Floor(high/step+1e-9)
	before, after := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	if whole || low-before*step < (high-low)*nearTick {
		first, low = before, min(low, before*step)
	}
	if whole || after*step-high < (high-low)*nearTick {
		last, high = after, max(high, after*step)
	}
	s := scale{low: low, high: high, label: named(axis.Name, unit)}
	// the difference may be no float64
	s.part = func(v float64) float64 { return (v/2 - low/2) / (high/2 - low/2) }
	for i := range int(last-first) + 1 {
		at := (first + float64(i)) * step
		s.ticks = append(s.ticks,
			tick{value: at,
				label: evenly(at/divisor, step/divisor,
					max(math.Abs(low), math.Abs(high))/divisor)})
	}
	return s
}

// widen makes room around values that are equal, or so near to each other that float64 hardly tells
// them apart.
func widen(low, high float64) (float64, float64) {
	size := max(math.Abs(low), math.Abs(high))
	switch {
	case high-low > size*1e-9 && size > slightest:
		return low, high
	case size <= slightest:
		return 0, 1
	}
	return low - size/10, high + size/10
}

// stepOf is the smallest of 1, 2, 5, 10, 20, … and their decimal fractions that is not less.
func stepOf(least float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*decade >= least*(1-1e-9) {
			return m * decade
		}
	}
	return 10 * decade
}

// logarithmic is a scale that holds the values, of which none is less than slightest: decades, with
// a label at each or, of few, at 1, 2 and 5; bytes go by powers of two.
func logarithmic(axis result.Axis, low, high float64) scale {
	s := scale{label: named(axis.Name, axis.Unit)}
	if axis.Unit == result.Bytes {
		s.label = axis.Name
		s.octaves(low, high)
	} else {
		s.decades(low, high)
	}
	from, to := math.Log(s.low), math.Log(s.high)
	s.part = func(v float64) float64 { return (math.Log(v) - from) / (to - from) }
	return s
}

// octaves goes by powers of two.
func (s *scale) octaves(low, high float64) {
	first, last := math.Floor(math.Log2(low)+1e-9), math.Ceil(math.Log2(high)-1e-9)
	if first >= last {
		first, last = first-1, first+1
	}
	s.low, s.high = math.Exp2(first), math.Exp2(last)
	every := math.Ceil((last - first) / labels)
	for e := math.Ceil(first/every) * every; e <= last; e += every {
		s.ticks = append(s.ticks, tick{value: math.Exp2(e), label: inBytes(math.Exp2(e))})
	}
}

// decades goes by powers of ten. It begins and ends at the next 1, 2 or 5 of one.
func (s *scale) decades(low, high float64) {
	var marks []mark
	for e := int(math.Floor(math.Log10(low))) - 1; e <= int(math.Ceil(math.Log10(high)))+1; e++ {
		for m := 1; m < 10; m++ {
			marks = append(marks, mark{m, e})
		}
	}
	s.low, s.high = marks[0].value(), marks[len(marks)-1].value()
	same := high <= low*(1+1e-9)
	for _, m := range marks {
		// A hair's breadth is nothing: with the same value at both ends there must be room around
		// it.
		if v := m.value(); m.round() && (v < low*(1-1e-9) || !same && v <= low*(1+1e-9)) {
			s.low = v
		}
	}
	for _, m := range slices.Backward(marks) {
		if v := m.value(); m.round() && (v > high*(1+1e-9) || !same && v >= high*(1-1e-9)) {
			s.high = v
		}
	}
	span := math.Log10(s.high) - math.Log10(s.low)
	every := int(math.Ceil(span / labels))
	for _, m := range marks {
		t := tick{value: m.value()}
		if t.value < s.low || t.value > s.high {
			continue
		}
		switch {
		case m.times == 1 && m.power%every == 0, span <= 2.1 && m.round():
			t.label = plain(t.value)
		case m.times > 1 && span > labels:
			continue
		}
		s.ticks = append(s.ticks, t)
	}
}

// mark is a number with one significant digit: times × 10^power.
type mark struct{ times, power int }

// value is read as a decimal: 10^-1 by multiplication is not always 0.1.
func (m mark) value() float64 {
	v, _ := strconv.ParseFloat(fmt.Sprintf("%de%d", m.times, m.power), 64)
	return v
}

func (m mark) round() bool { return m.times == 1 || m.times == 2 || m.times == 5 }

const ninesMost = 6 // 99.9999 %: the end for any curve

// percentileScale is that of a distribution: as far from 99 to 99.9 as from 90 to 99, since such a
// plot is read for its tail. The axis ends at 100 %. It leaves room for the last percentile below
// 100, and for 100 if the curves get there.
func percentileScale(axis result.Axis, curves [][][2]float64) scale {
	last, reached := 0.0, false
	for _, points := range curves {
		for _, p := range points {
			if p[1] >= 100 {
				reached = true
			} else {
				last = max(last, -math.Log10(1-p[1]/100))
			}
		}
	}
	most := math.Ceil(last - 1e-9)
	if reached {
		most = math.Floor(last+1e-9) + 1
	}
	most = min(max(most, 2), ninesMost)
	s := scale{low: 0, high: 100, label: named(axis.Name, axis.Unit)}
	s.part = func(percent float64) float64 {
		if percent >= 100 {
			return 1
		}
		return min(1, max(0, -math.Log10(1-percent/100)/most))
	}
	for _, at := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if -math.Log10(1-at/100) < most-1e-9 {
			s.ticks = append(s.ticks, tick{value: at, label: strconv.FormatFloat(at, 'f', -1, 64)})
		}
	}
	end := "100"
	if !reached {
		end = strconv.FormatFloat(100-math.Pow(10, 2-most), 'f', int(most-2), 64)
	}
	s.ticks = append(s.ticks, tick{value: 100, label: end})
	return s
}

// named is what is written beside an axis.
func named(name, unit string) string {
	switch {
	case unit == "", unit == name:
		return name
	case unit == result.PerSecond:
		return name + unit
	case name == "":
		return unit
	}
	return name + " (" + unit + ")"
}

// inUnit is the unit, and by what values are divided to be in it: bytes go in the one that fits the
// largest.
func inUnit(unit string, largest float64) (string, float64) {
	if unit != result.Bytes {
		return unit, 1
	}
	divisor := 1.0
	for _, larger := range []string{"KiB", "MiB", "GiB"} {
		if largest < divisor*(1<<10) {
			break
		}
		unit, divisor = larger, divisor*(1<<10)
	}
	return unit, divisor
}

// suffixes shorten what is written at ticks, from 10,000 on.
var suffixes = []struct {
	from, divisor float64
	letter        string
}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}}

// Numbers outside these are written with an exponent.
const (
	plainLeast = 1e-6
	plainMost  = 1e13
)

// evenly writes a value of an axis whose ticks are step apart and go up to largest, all with the
// same suffix and number of decimals.
func evenly(value, step, largest float64) string {
	if value == 0 {
		return "0"
	}
	if largest >= plainMost || step < plainLeast {
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
	letter := ""
	for _, s := range suffixes {
		if largest >= s.from {
			value, step, letter = value/s.divisor, step/s.divisor, s.letter
			break
		}
	}
	places := int(max(0, -math.Floor(math.Log10(step)+1e-9)))
	if places == 0 {
		return result.Format(math.Round(value), "") + letter
	}
	return strconv.FormatFloat(value, 'f', places, 64) + letter
}

// plain writes a value by itself.
func plain(value float64) string {
	if value < plainLeast || value >= plainMost {
		return strconv.FormatFloat(value, 'g', 3, 64)
	}
	letter := ""
	for _, s := range suffixes {
		if value >= s.from {
			value, letter = value/s.divisor, s.letter
			break
		}
	}
	if value == math.Trunc(value) {
		return result.Format(value, "") + letter
	}
	return strconv.FormatFloat(value, 'f', -1, 64) + letter
}

// inBytes writes a power of two.
func inBytes(value float64) string {
	if value < 1 || value >= plainMost {
		return strconv.FormatFloat(value, 'g', 3, 64) + " B"
	}
	return result.Format(value, result.Bytes)
}
