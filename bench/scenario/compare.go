package scenario

import (
	"context"
	"fmt"
	"math"
	"time"

	"ssedge/bench/result"
	"ssedge/bench/server"
)

// Compare holds servers of our own beside each other.
type Compare struct {
	Servers   []server.Kind
	Rounds    int
	Start     server.Options
	Flood     int           // streams when publishers run flat out
	IdleWait  time.Duration // between the last accept and the reading of memory
	Events    int           // broadcasts, each complete before the next
	For       time.Duration // of isolation; flooding takes half of it
	Heartbeat time.Duration // interval that servers are given where heartbeats are measured
}

// part is a scenario of a comparison.
type part struct {
	name   string
	what   Scenario
	adapt  func(Options) Options
	start  server.Options
	rounds int
	takes  func(server.Kind) bool
}

func every(server.Kind) bool { return true }

func (c Compare) parts() []part {
	same := func(o Options) Options { return o }
	beating := c.Start
	beating.Heartbeat = c.Heartbeat
	return []part{
		{"hold", Hold{For: c.IdleWait, Broadcasts: c.Events}, same, c.Start, c.Rounds, every},
		{"own", Hold{For: c.IdleWait}, func(o Options) Options { o.Topics = o.Streams; return o },
			c.Start, 1,
			func(k server.Kind) bool { return k.Name != server.Baseline }},
		{"flood", Fanout{For: c.For / 2},
			func(o Options) Options {
				o.Streams, o.AllowGaps = c.Flood, true
				return o
			}, c.Start, c.Rounds,
			func(k server.Kind) bool { return k.Name != server.Baseline }},
		{"isolation", Isolation{For: c.For, Every: 250 * time.Millisecond,
			Probe: 10 * time.Millisecond}, same, c.Start, c.Rounds, every},
		{"idle", Idle{Interval: c.Heartbeat, For: 5 * c.Heartbeat}, same, beating, 1, every},
	}
}

// measured is what all trials gave: by part and server, a result for each round.
type measured map[string]map[string][]*result.Result

// values are a figure's, by round; NaN where it was not measured.
func (m measured) values(part, server, figure string) []float64 {
	var values []float64
	for _, r := range m[part][server] {
		v := r.Value(figure)
		if len(r.Faults) > 0 {
			// a server that lost something, or a baseline that cut a stream, has not done the work
			v = math.NaN()
		}
		values = append(values, v)
	}
	return values
}

// Run runs every part on every server in turn, beginning with another one each round. each is
// called with every result, so that what was measured survives whatever comes after.
func (c Compare) Run(ctx context.Context, o Options, each func(*result.Result)) (result.Table,
	error) {
	all := make(measured)
	var failed error
	for round := range c.Rounds {
		for _, p := range c.parts() {
			for i := range c.Servers {
				k := c.Servers[(i+round)%len(c.Servers)]
				if round >= p.rounds || !p.takes(k) || ctx.Err() != nil {
					continue
				}
				r, err := Fresh(ctx, k, p.start, p.what, p.adapt(o))
				if r != nil {
					r.Settings["round"] = round + 1
					each(r)
				}
				if err != nil {
					if failed == nil && ctx.Err() == nil {
						failed = err
					}
					r = new(result.Result) // an hour of measuring is not thrown away for one trial
				}
				if all[p.name] == nil {
					all[p.name] = make(map[string][]*result.Result)
				}
				all[p.name][k.String()] = append(all[p.name][k.String()], r)
			}
		}
	}
	return c.table(all, o), failed
}

// row is a figure of the table.
type row struct {
	title, part, figure, unit string
	// the figure is divided by this one's; nil: as it is
	baseline func(server.Kind) server.Kind
}

func asMany(k server.Kind) server.Kind {
	return server.Kind{Name: server.Baseline, Shards: max(1, k.Shards)}
}
func one(server.Kind) server.Kind { return server.Kind{Name: server.Baseline, Shards: 1} }

func (c Compare) table(all measured, o Options) result.Table {
	streams, flood := result.Format(float64(o.Streams), ""), result.Format(float64(c.Flood), "")
	t := result.Table{
		Title:   title(c.Rounds),
		Columns: []string{""},
		Notes: []string{"memory is PSS, less the idle server's; the baseline is a bare send loop that parses nothing but the topic",
			"ratios are of the medians; their brackets are the ratios of single rounds"},
	}
	for _, k := range c.Servers {
		t.Columns = append(t.Columns, k.String())
	}
	for _, r := range []row{
		{"memory per idle stream of " + streams + ", one shared topic", "hold", "pss_per_stream",
			result.Bytes, nil},
		{"memory per idle stream of " + streams + ", one own topic each", "own", "pss_per_stream",
			result.Bytes, nil},
		{"CPU per accepted stream", "hold", "cpu_per_stream", result.Microseconds, nil},
		{"… of the baseline's with as many threads", "hold", "cpu_per_stream", result.Times,
			asMany},
		{"CPU per delivered event, " + streams + " streams", "hold", "cpu_per_event",
			result.Microseconds, nil},
		{"… of the baseline's with as many threads", "hold", "cpu_per_event", result.Times, asMany},
		{"… of the baseline's with one thread", "hold", "cpu_per_event", result.Times, one},
		{"delivered events/s, " + flood + " streams, publishers flat out", "flood",
			"delivered_rate", result.PerSecond, nil},
		{"p99 of a one-subscriber event during broadcasts to " + streams, "isolation", "p99",
			result.Milliseconds, nil},
		{"CPU per heartbeat, " + streams + " streams", "idle", "cpu_per_heartbeat",
			result.Microseconds, nil},
		{"… of the baseline's with as many threads", "idle", "cpu_per_heartbeat", result.Times,
			asMany},
	} {
		cells := []string{r.title}
		for _, k := range c.Servers {
			cells = append(cells, r.cell(all, k))
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func (r row) cell(all measured, k server.Kind) string {
	values := all.values(r.part, k.String(), r.figure)
	if r.baseline == nil {
		return result.SpreadOf(values).Text(r.unit)
	}
	base := all.values(r.part, r.baseline(k).String(), r.figure)
	if k.Name == server.Baseline && r.baseline(k) == k || math.IsNaN(result.Median(values)) ||
		!(result.Median(base) > 0) {
		return "–"
	}
	return result.Ratio(values, base).Text(r.unit)
}

func title(rounds int) string {
	if rounds == 1 {
		return "one round"
	}
	return fmt.Sprintf("medians of %d rounds, in brackets the least and the most", rounds)
}
