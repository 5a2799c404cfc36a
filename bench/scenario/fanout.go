package scenario

import (
	"context"
	"errors"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// Fanout publishes to streams: open loop at a rate, or flat out.
type Fanout struct {
	Rate float64       // events a second, over all topics; 0: flat out
	For  time.Duration // how long
	// events to each topic before the measured ones: the first to reach a socket grow its buffers
	Warm  int
	Batch int // events in one request
}

// Run measures deliveries a second, latency from when each event was due, loss, duplicates and
// disorder, and the server's time for each delivered event.
func (f Fanout) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("fanout", o, t, map[string]any{"rate": f.Rate, "for": f.For.String(),
		"batch": f.Batch, "publishers": o.Publishers})
	defer x.finish(ctx)
	c := o.publishing(&t, 0, o.Topics)
	c.Batch = f.Batch
	c.Shared = f.Rate == 0 && f.Batch <= 1
	streams := o.streams(&t, 0, o.Topics)
	if c.Shared {
		streams.Lanes = o.Publishers
	}
	if err := x.open(ctx, streams); err != nil {
		return x.r, err
	}
	if err := x.connect(ctx, c); err != nil {
		return x.r, err
	}
	if f.Warm > 0 {
		report, err := x.publisher.Run(ctx, publish.Schedule{Rate: 1000, Count: f.Warm * o.Topics})
		if err = errors.Join(err, checkAcknowledged(ctx, report)); err != nil {
			return x.r, err
		}
		if _, err := x.arrive(ctx); err != nil {
			return x.r, err
		}
	}
	wait(ctx, o.Settle)
	if _, _, err := x.crowd.Times(true); err != nil {
		return x.r, err
	}
	return x.r, x.fanout(ctx, publish.Schedule{Rate: f.Rate, For: f.For})
}

// fanout measures a run of the publisher.
func (x *trial) fanout(ctx context.Context, s publish.Schedule) error {
	cpu := x.cpu() // first: it may take a while
	before, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	x.o.Progress.Stage("publishing", int(s.For.Seconds()*10))
	began := time.Now()
	stopBar := x.report(func(load.Totals) int { return int(time.Since(began).Seconds() * 10) })
	stopCurve := x.over("delivered events a second",
		result.Axis{Name: "delivered", Unit: result.PerSecond}, x.overTime())
	report, err := x.publisher.Run(ctx, s)
	within, totalsErr := x.crowd.Totals()
	publishing := time.Since(began)
	stopCurve()
	stopBar()
	if err != nil {
		return err
	}
	if totalsErr != nil {
		return totalsErr
	}
	arriving := time.Now()
	behind, err := x.arrive(ctx)
	if err != nil {
		return err
	}
	took := publishing + time.Since(arriving)
	cpu = x.spent(cpu)
	after, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	delivered := float64(after.Events - before.Events)
	x.r.Add("delivered", delivered, "", "events received, over all streams")
	x.r.Add("delivered_rate", float64(within.Events-before.Events)/publishing.Seconds(),
		result.PerSecond, "while publishing")
	x.r.Add("behind", behind, result.Seconds, "from the end of publishing until all had arrived")
	times, _, err := x.crowd.Times(false)
	if err != nil {
		return err
	}
	x.latency("", times, "from when an event was due to when it was read")
	x.r.Add("cpu_per_event", cpu*micros/delivered, result.Microseconds,
		"of the server, for each delivered event")
	x.r.Add("cores", cpu/took.Seconds(), "", "that the server kept busy")
	x.r.Add("pss", x.pss(), result.Bytes, "of the server, after it")
	x.addPublished(ctx, report)
	return x.judge()
}
