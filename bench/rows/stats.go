package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// spread is the middle and the ends of a few measurements.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio divides the medians; its ends are those of the ratios of single rounds.
func ratio(values, base []float64) spread {
	var rounds []float64
	for i := range min(len(values), len(base)) {
		rounds = append(rounds, values[i]/base[i])
	}
	s := spreadOf(rounds)
	s.Median = median(values) / median(base)
	return s
}

// line is the least-squares line through points.
func line(x, y []float64) (slope, intercept float64) {
	var meanX, meanY, xx, xy float64
	for i := range x {
		meanX += x[i] / float64(len(x))
		meanY += y[i] / float64(len(y))
	}
	for i := range x {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - meanY)
	}
	slope = xy / xx
	return slope, meanY - slope*meanX
}

// quantiles of latencies, in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func quantilesOf(values []time.Duration) quantiles {
	if len(values) == 0 {
		return quantiles{}
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		rank := int(math.Ceil(q*float64(len(sorted)))) - 1
		return float64(sorted[max(0, rank)]) / float64(time.Millisecond)
	}
	return quantiles{P50: at(0.50), P90: at(0.90), P99: at(0.99), Max: at(1)}
}

func micros(d time.Duration, per float64) float64 {
	return float64(d) / float64(time.Microsecond) / per
}
