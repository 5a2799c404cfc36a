package result

import (
	"fmt"
	"math"
	"slices"
)

// NaN stands for a missing measurement, and is left out of statistics.

// Spread is the middle and the ends of a few measurements.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func SpreadOf(values []float64) Spread {
	if values = measured(values); len(values) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	return Spread{Median: Median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

// Text is the spread as people read it.
func (s Spread) Text(unit string) string {
	if math.IsNaN(s.Median) {
		return "–"
	}
	if s.Min == s.Max {
		return Format(s.Median, unit)
	}
	if unit == Bytes {
		return fmt.Sprintf("%s (%s–%s)", Format(s.Median, unit), Format(s.Min, unit),
			Format(s.Max, unit))
	}
	return fmt.Sprintf("%s (%s–%s)", Format(s.Median, unit), Format(s.Min, ""), Format(s.Max, ""))
}

// Median is the middle one, or the mean of the two; NaN of none.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(measured(values)))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func measured(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}

// Ratio divides the medians; its ends are those of the ratios of single rounds.
func Ratio(values, base []float64) Spread {
	var rounds []float64
	for i := range min(len(values), len(base)) {
		if base[i] != 0 {
			// a trial too short for its clock costs nothing, and nothing can be divided by that
			rounds = append(rounds, values[i]/base[i])
		}
	}
	s := SpreadOf(rounds) // of two that are not both there it is NaN
	if middle := Median(base); middle != 0 {
		s.Median = Median(values) / middle
	}
	return s
}
