package scenario

import (
	"context"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/result"
)

// Idle watches streams to which nothing is published.
type Idle struct {
	Interval time.Duration // of the server's heartbeats
	For      time.Duration // how long they are watched; 0: two intervals
}

// The load that a heartbeat's cost is extrapolated to.
const (
	millionStreams  = 1_000_000
	millionInterval = 30 * time.Second
)

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
	each := cpu * micros / beats
	x.r.Add("heartbeats", beats, "", "received, over all streams")
	x.r.Add("heartbeats_per_stream", beats/float64(before.Live)/(took/i.Interval.Seconds()), "", "and interval: 1 when none is missing")
	x.r.Add("cores", cpu/took, "", "that the server kept busy")
	x.r.Add("cpu_per_heartbeat", each, result.Microseconds, "of the server")
	x.r.Add("cores_for_a_million", each/micros*millionStreams/millionInterval.Seconds(), "", "streams with a heartbeat in 30 s, by this, fixed costs multiplied too")
	x.r.Add("pss", x.pss(), result.Bytes, "of the server")
	if beats == 0 && ctx.Err() == nil {
		x.r.Note("no heartbeat came within %v", i.For)
	}
	return x.r, x.still()
}
