package scenario

import (
	"context"
	"math"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/result"
)

// Idle watches streams to which nothing is published.
type Idle struct {
	Interval time.Duration // of the server's heartbeats
	For      time.Duration // how long they are watched; 0: two intervals
}

// Over beatsTold intervals and more fewer heartbeats than beatsLeast for each stream and interval
// are too few: over fewer, one that comes a little late may miss the end.
const (
	beatsTold  = 4
	beatsLeast = 0.75
)

// Run measures the server's CPU time over heartbeat intervals, and whether each stream gets its
// heartbeats.
func (i Idle) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	if i.For == 0 {
		i.For = 2 * i.Interval
	}
	x := begin("idle", o, t, map[string]any{"interval": i.Interval.String(), "for": i.For.String()})
	defer x.finish(ctx)
	if err := x.open(ctx, o.streams(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	o.Progress.Stage("settling", 0)
	wait(ctx, i.Interval*3/2) // the first beats are spread; then each stream has its own rhythm
	o.Progress.Stage("watching", int(i.For.Seconds()*10))
	cpu := x.cpu() // first: it may take a while
	before, err := x.crowd.Totals()
	if err != nil {
		return x.r, err
	}
	if _, err := x.crowd.Silent(0); err != nil {
		return x.r, err
	}
	began := time.Now()
	stop := x.report(func(load.Totals) int { return int(time.Since(began).Seconds() * 10) })
	wait(ctx, i.For)
	took := time.Since(began).Seconds()
	after, err := x.crowd.Totals()
	stop()
	if err != nil {
		return x.r, err
	}
	// servers are late by their batches
	least := max(1, min(int(i.For/i.Interval)/2, math.MaxUint8))
	silent, err := x.crowd.Silent(least)
	if err != nil {
		return x.r, err
	}
	cpu = x.spent(cpu)
	each := float64(after.Comments+after.Others-before.Comments-before.Others) /
		float64(before.Live) / (took / i.Interval.Seconds())
	// some servers ping with events
	beats := float64(after.Comments + after.Others - before.Comments - before.Others)
	x.r.Add("heartbeats", beats, "", "received, over all streams")
	x.r.Add("heartbeats_per_stream", each, "", "and interval: 1 when none is missing")
	x.r.Add("cores", cpu/took, "", "that the server kept busy")
	x.r.Add("cpu_per_heartbeat", cpu*micros/beats, result.Microseconds, "of the server")
	x.r.Add("pss", x.pss(), result.Bytes, "of the server")
	x.shown = beats > 0
	switch {
	case ctx.Err() != nil:
	case beats == 0:
		x.r.Fault("no heartbeat came within %v (is the server's interval %v? --interval)", i.For,
			i.Interval)
	case silent > 0:
		x.r.Fault("%d of %d streams had fewer than %d heartbeats within %v (is the server's interval %v? --interval)",
			silent, after.Live, least, i.For, i.Interval)
	case each < beatsLeast && i.For >= beatsTold*i.Interval:
		x.r.Fault("%.2f heartbeats came for each stream and interval", each)
	}
	return x.r, x.checkAlive()
}
