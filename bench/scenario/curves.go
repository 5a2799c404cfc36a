package scenario

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ssedge/bench/result"
)

// curveEvery is the time between two points of what is drawn over time.
const curveEvery = 250 * time.Millisecond

// latency adds quantiles under their usual names, behind a prefix, and the curve.
func (x *trial) latency(prefix string, h *hdrhistogram.Histogram, says string) {
	if h.TotalCount() == 0 {
		return
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}} {
		x.r.Add(prefix+q.name, millis(h, q.at), result.Milliseconds, says)
	}
	x.r.Curves = append(x.r.Curves, distribution(says, x.t.Name, h))
}

// millis is a quantile in milliseconds.
func millis(h *hdrhistogram.Histogram, percentile float64) float64 {
	if h.TotalCount() == 0 {
		return math.NaN()
	}
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

// ticks are the points of a distribution for each halving of what is left to 100 %.
const ticks = 8

func distribution(title, server string, h *hdrhistogram.Histogram) result.Curve {
	c := result.Curve{Title: title, Server: server,
		X: result.Axis{Name: "latency", Unit: result.Milliseconds, Log: true},
		Y: result.Axis{Name: "share", Unit: result.Percent}}
	for _, b := range h.CumulativeDistributionWithTicks(ticks) {
		c.Points = append(c.Points, [2]float64{float64(b.ValueAt) / 1000, b.Quantile})
	}
	return c
}

// over records a curve over time until stop is called, which adds it.
func (x *trial) over(title string, y result.Axis, value func() float64) (stop func()) {
	c := result.Curve{Title: title, Server: x.t.Name,
		X: result.Axis{Name: "time", Unit: result.Seconds}, Y: y}
	end, ended := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(curveEvery):
			}
			if v := value(); !math.IsNaN(v) {
				c.Points = append(c.Points, [2]float64{time.Since(began).Seconds(), v})
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		x.r.Curves = append(x.r.Curves, c)
	}
}

// overTime is the rate at which events arrive, for over.
func (x *trial) overTime() func() float64 {
	var events uint64
	at := time.Now()
	if t, err := x.crowd.Totals(); err == nil {
		events = t.Events
	}
	return func() float64 {
		t, err := x.crowd.Totals()
		if err != nil {
			return math.NaN()
		}
		now := time.Now()
		rate := float64(t.Events-events) / now.Sub(at).Seconds()
		events, at = t.Events, now
		return rate
	}
}
