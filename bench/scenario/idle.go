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

// Run measures the server's CPU time over heartbeat intervals, and whether each stream gets its heartbeats.
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
	before, err := x.crowd.Totals()
	if err != nil {
		return x.r, err
	}
	if _, err := x.crowd.Silent(0); err != nil {
		return x.r, err
	}
	cpu, began := x.cpu(), time.Now()
	stop := x.report(func(load.Totals) int { return int(time.Since(began).Seconds() * 10) })
	wait(ctx, i.For)
	took := time.Since(began).Seconds()
	stop()
	after, err := x.crowd.Totals()
	if err != nil {
		return x.r, err
	}
	cpu = x.cpu() - cpu
	beats := float64(after.Comments + after.Others - before.Comments - before.Others) // some servers ping with events
	x.r.Add("heartbeats", beats, "", "received, over all streams")
	x.r.Add("heartbeats_per_stream", beats/float64(before.Live)/(took/i.Interval.Seconds()), "", "and interval: 1 when none is missing")
	x.r.Add("cores", cpu/took, "", "that the server kept busy")
	x.r.Add("cpu_per_heartbeat", cpu*micros/beats, result.Microseconds, "of the server")
	x.r.Add("pss", x.pss(), result.Bytes, "of the server")
	least := min(int(i.For/i.Interval)/2, math.MaxUint8) // servers are late by their batches
	silent, err := x.crowd.Silent(least)
	switch {
	case err != nil:
		return x.r, err
	case ctx.Err() != nil:
	case beats == 0:
		x.r.Fault("no heartbeat came within %v", i.For)
	case silent > 0:
		x.r.Fault("%d of %d streams had fewer than %d heartbeats within %v", silent, after.Live, least, i.For)
	}
	return x.r, x.still()
}
