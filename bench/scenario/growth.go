package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ssedge/bench/publish"
	"ssedge/bench/result"
	"ssedge/bench/server"
)

// Growth measures one server at several sizes: how its costs grow with the streams, the topics, the
// history, the payload and the rate of publishes.
type Growth struct {
	Server server.Kind
	Start  server.Options
	Along  []string // names of the axes below
	For    time.Duration
}

// axis is one of the sizes.
type axis struct {
	name    string
	unit    string
	sizes   []int
	figures []string // of the results
	trial   func(g Growth, size int, o Options) (Scenario, Options)
}

// Axes are the names that Along takes.
func Axes() []string {
	var names []string
	for _, a := range axes() {
		names = append(names, a.name)
	}
	return names
}

// floodStreams get what axes vary that do not vary the streams.
const floodStreams = 1000

func axes() []axis {
	return []axis{
		{"streams", "", []int{1000, 2000, 4000, 8000, 12_000, 18_000},
			[]string{"pss_per_stream", "cpu_per_stream", "cpu_per_event", "kernel_per_stream"},
			func(g Growth, n int, o Options) (Scenario, Options) {
				o.Streams, o.Topics = n, 1
				return Hold{For: g.For, Broadcasts: broadcasts(n)}, o
			}},
		{"topics", "", []int{1, 10, 100, 1000, 18_000},
			[]string{"pss_per_stream", "cpu_per_stream", "cpu_per_event"},
			func(g Growth, n int, o Options) (Scenario, Options) {
				o.Streams, o.Topics = 18_000, n
				return Hold{For: g.For, Broadcasts: 5}, o
			}},
		{"history", "events kept", []int{1, 10, 100, 1000, 10_000},
			[]string{"pss", "storm_cpu_per_stream", "caught_up_seconds"},
			func(g Growth, n int, o Options) (Scenario, Options) {
				o.Streams, o.Topics = floodStreams, 1
				return history{events: n}, o
			}},
		{"payload", "B", []int{16, 100, 1000, 8000, 64_000},
			[]string{"cpu_per_event", "p50", "p99", "delivered_rate", "pss"},
			func(g Growth, n int, o Options) (Scenario, Options) {
				o.Streams, o.Topics, o.Payload = floodStreams, 1, n
				return Fanout{Rate: 10, For: g.For, Warm: 2}, o
			}},
		{"rate", "publishes/s", []int{3, 10, 30, 100, 300, 1000, 3000},
			[]string{"cpu_per_event", "cores", "p50", "p99", "delivered_rate"},
			func(g Growth, n int, o Options) (Scenario, Options) {
				o.Streams, o.Topics = floodStreams, 1
				return Fanout{Rate: float64(n), For: g.For, Warm: 2}, o
			}},
	}
}

// broadcasts are as many as make a few hundred thousand deliveries: a few say little about the cost
// of one.
func broadcasts(streams int) int { return max(5, 100_000/streams) }

// Run measures every size on a fresh server.
func (g Growth) Run(ctx context.Context, o Options, each func(*result.Result)) ([]result.Table,
	error) {
	var tables []result.Table
	for _, a := range axes() {
		if !slices.Contains(g.Along, a.name) {
			continue
		}
		t := result.Table{Title: "cost against " + a.name,
			Columns: append([]string{a.title()}, a.figures...)}
		sum := &result.Result{Scenario: "growth", Server: g.Server.String(), Began: time.Now(),
			Settings: map[string]any{"along": a.name}}
		curves := make([]result.Curve, len(a.figures))
		for _, size := range a.sizes {
			if ctx.Err() != nil {
				break
			}
			s, adapted := a.trial(g, size, o)
			r, err := Fresh(ctx, g.Server, g.Start, s, adapted)
			if err != nil {
				return tables, fmt.Errorf("%s %d: %w", a.name, size, err)
			}
			cells := []string{result.Format(float64(size), "")}
			for i, name := range a.figures {
				f, ok := r.Figure(name)
				if !ok {
					cells = append(cells, "–")
					continue
				}
				cells = append(cells, result.Format(f.Value, f.Unit))
				curves[i] = result.Curve{Title: name + " against " + a.name,
					Server: g.Server.String(),
					X:      result.Axis{Name: a.name, Unit: a.unit, Log: true},
					Y:      result.Axis{Name: name, Unit: f.Unit},
					Points: append(curves[i].Points, [2]float64{float64(size), f.Value})}
			}
			t.Rows = append(t.Rows, cells)
			r.Settings[a.name] = size
			r.Reference = false // whichever server it is, it is the one that is measured
			r.Curves = nil      // of single sizes: they would hide those of the growth
			each(r)
		}
		tables = append(tables, t)
		// not to be seen here
		curves = slices.DeleteFunc(curves, func(c result.Curve) bool { return len(c.Points) == 0 })
		sum.Curves, sum.Seconds = curves, time.Since(sum.Began).Seconds()
		each(sum)
	}
	return tables, nil
}

func (a axis) title() string {
	if a.unit == "" {
		return a.name
	}
	return a.name + ", " + a.unit
}

// history publishes so many events and then has all streams drop and resume from the newest.
type history struct{ events int }

func (h history) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("history", o, t, map[string]any{"events": h.events})
	defer x.finish(ctx)
	c := o.streams(&t, 0, o.Topics)
	c.KeepIDs, c.Retry = true, retryAfter
	if err := x.open(ctx, c); err != nil {
		return x.r, err
	}
	if err := x.connect(ctx, o.publishing(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	for sent := 0; sent < h.events && ctx.Err() == nil; sent += 100 {
		report, err := x.publisher.Run(ctx, publish.Schedule{Count: min(100, h.events-sent)})
		if err = errors.Join(err, checkAcknowledged(ctx, report)); err != nil {
			return x.r, err
		}
		if _, err := x.arrive(ctx); err != nil {
			return x.r, err
		}
	}
	x.r.Add("pss", x.pss(), result.Bytes, "of the server, with that history")
	if err := x.resume(ctx, o.Streams); err != nil {
		return x.r, err
	}
	return x.r, x.judge()
}
