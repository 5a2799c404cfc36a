package scenario

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/observe"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// Hold opens streams and holds them; then, if asked to, shows that they live.
type Hold struct {
	For        time.Duration // how long they are held before memory is taken
	Broadcasts int           // then events to every topic
	Beats      int           // then heartbeats on every stream
	Drop       int           // then so many streams are dropped and resumed
}

const (
	// beatMax is how long one heartbeat of every stream may take to come …
	beatMax = 20 * time.Minute
	// … and beatQuiet how long there may be none at all.
	beatQuiet = 3 * time.Minute
)

// rampParts is into how many parts the ramp is cut, between which the server's memory is read.
const rampParts = 20

// Run measures connects a second, time to the first byte, failures by cause, and what a held stream
// costs.
func (h Hold) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("hold", o, t, map[string]any{"for": h.For.String(), "broadcasts": h.Broadcasts,
		"beats": h.Beats, "drop": h.Drop})
	defer x.finish(ctx)
	c := o.streams(&t, 0, o.Topics)
	if c.KeepIDs = h.Drop > 0; c.KeepIDs {
		c.Retry = retryAfter
	}
	pss, kernel, cpu := x.pss(), x.kernel(), x.cpu()
	if err := x.ramp(ctx, c, pss); err != nil {
		return x.r, err
	}
	opened := ctx.Err() == nil
	// what the server still does for streams that have their head is part of the price
	wait(ctx, o.Settle)
	accepted := x.cpu()
	x.r.Add("cpu_per_stream", x.difference(accepted, cpu)*micros/x.r.Value("streams"),
		result.Microseconds, "of the server, to accept it")
	began := time.Now()
	o.Progress.Stage("holding", int(h.For.Seconds()*10))
	stop := x.report(func(load.Totals) int { return int(time.Since(began).Seconds() * 10) })
	wait(ctx, h.For)
	stop()
	if h.For > 0 && ctx.Err() == nil {
		x.r.Add("cores_idle", x.spent(accepted)/time.Since(began).Seconds(), "",
			"that the server kept busy meanwhile")
	}
	x.memory(pss, kernel)
	publishes := t.PublishURL != "" && h.Broadcasts+h.Drop > 0 && ctx.Err() == nil
	if publishes {
		if err := x.connect(ctx, o.publishing(&t, 0, o.Topics)); err != nil {
			return x.r, err
		}
	} else if h.Broadcasts+h.Drop > 0 && ctx.Err() == nil {
		x.r.Note("nothing was broadcast: there is no --publish-url")
		h.Broadcasts, h.Drop = 0, 0
	}
	// otherwise what was asked for has yet to be seen
	x.shown = opened && h.Broadcasts+h.Beats+h.Drop == 0
	if ctx.Err() == nil {
		if err := h.alive(ctx, x); err != nil {
			return x.r, err
		}
	}
	if publishes {
		return x.r, x.judge()
	}
	return x.r, x.checkAlive()
}

// ramp opens the streams in parts and reads the server's memory after each.
func (x *trial) ramp(ctx context.Context, c load.Config, idle float64) error {
	crowd, err := load.NewCrowd(c, x.o.Streams, x.o.Workers)
	if err != nil {
		return err
	}
	x.crowd = crowd
	stop := x.opening()
	grown := result.Curve{Title: "memory of the server against streams", Server: x.t.Name,
		X: result.Axis{Name: "streams"}, Y: result.Axis{Name: "more than idle", Unit: result.Bytes}}
	var took time.Duration
	for part, opened := 1, 0; part <= rampParts && err == nil; part++ {
		n := x.o.Streams*part/rampParts - opened
		opened += n
		began := time.Now()
		err = crowd.Open(ctx, n, x.o.Ramp)
		took += time.Since(began)
		if now, totalsErr := crowd.Totals(); n > 0 && (totalsErr != nil || now.Opened == 0) {
			err = errors.Join(err, totalsErr)
			break // each further part would take as long to fail
		}
		if pss := x.pss(); !math.IsNaN(pss) && n > 0 {
			grown.Points = append(grown.Points, [2]float64{float64(opened), pss - idle})
		}
	}
	stop()
	if err != nil && ctx.Err() == nil {
		return err
	}
	opened, err := crowd.Totals()
	if err != nil {
		return err
	}
	if err := x.awaitOpened(ctx, c); err != nil {
		return err
	}
	_, first, err := crowd.Times(false)
	if err != nil {
		return err
	}
	x.r.Add("connect_rate", float64(opened.Opened)/took.Seconds(), result.PerSecond,
		"streams opened, without those that had to try again")
	x.latency("first_byte_", first, "from connect to the first byte")
	if len(grown.Points) > 0 {
		x.r.Curves = append(x.r.Curves, grown)
	}
	return nil
}

// memory adds what the streams take, of the server and of the kernel.
func (x *trial) memory(idle float64, before observe.Kernel) {
	streams := x.r.Value("streams")
	pss := x.pss()
	x.r.Add("pss_idle", idle, result.Bytes, "of the server, before the first stream")
	x.r.Add("pss", pss, result.Bytes, "of the server, holding them")
	x.r.Add("pss_per_stream", (pss-idle)/streams, result.Bytes, "more than idle")
	if !x.t.Local {
		return
	}
	now := x.kernel()
	x.r.Add("sockets", float64(now.Sockets-before.Sockets), "",
		"of the kernel, both ends of the streams")
	x.r.Add("kernel_per_stream", float64(now.Objects-before.Objects)/streams, result.Bytes,
		"of the kernel's objects, for both ends")
	x.r.Add("buffers_per_stream", float64(now.Buffers-before.Buffers)/streams, result.Bytes,
		"queued in sockets, both ends")
	for _, name := range slices.Sorted(maps.Keys(now.Caches)) {
		if grown := now.Caches[name] - before.Caches[name]; grown > int64(streams) {
			x.r.Add(slab+name, float64(grown)/streams, result.Bytes, "of that per stream")
		}
	}
}

// checkAlive fails if streams have ended.
func (x *trial) checkAlive() error {
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	x.unexpected(totals)
	return nil
}

// unexpected says what streams had that they should not, though nothing was published.
func (x *trial) unexpected(t load.Totals) {
	x.r.Add("ended", float64(t.Ended), "", "streams that the server ended")
	for _, f := range []struct {
		n    uint64
		what string
	}{
		{t.Ended, "streams were ended by the server"}, {t.Damaged, "damaged lines came"},
		{t.Misdelivered, "events of other topics came"},
		{t.Duplicates, "events came twice"}, {t.Late + t.Unsorted, "events came out of order"},
	} {
		if f.n > 0 {
			x.r.Fault("%d %s", f.n, f.what)
		}
	}
}

// alive shows that the held streams live: a broadcast reaches them, heartbeats come, some resume.
func (h Hold) alive(ctx context.Context, x *trial) error {
	if h.Broadcasts > 0 {
		if err := x.broadcast(ctx, h.Broadcasts); err != nil {
			return err
		}
	}
	if h.Beats > 0 {
		if err := x.beats(ctx, h.Beats); err != nil {
			return err
		}
	}
	if h.Drop > 0 {
		return x.resume(ctx, h.Drop)
	}
	return nil
}

// broadcast sends events to every topic, each when the one before has arrived everywhere.
func (x *trial) broadcast(ctx context.Context, n int) error {
	x.o.Progress.Stage("broadcasting", n)
	if _, _, err := x.crowd.Times(true); err != nil {
		return err
	}
	cpu, began := x.cpu(), time.Now()
	before, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	for i := range n {
		report, err := x.publisher.Run(ctx, publish.Schedule{Rate: 0, Count: x.o.Topics})
		if err = errors.Join(err, checkAcknowledged(ctx, report)); err != nil {
			return err
		}
		if _, err := x.arrive(ctx); err != nil {
			return err
		}
		x.o.Progress.At(i + 1)
	}
	took := time.Since(began)
	after, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	delivered := float64(after.Events - before.Events)
	latency, _, err := x.crowd.Times(true)
	if err != nil {
		return err
	}
	x.r.Add("delivered", delivered, "", "events of the broadcasts, over all streams")
	x.r.Add("broadcast_seconds", took.Seconds()/float64(n), result.Seconds,
		"for each, until the last stream had it")
	x.r.Add("cpu_per_event", x.spent(cpu)*micros/delivered, result.Microseconds,
		"of the server, for each delivered event")
	x.latency("broadcast_", latency, "from when a broadcast was due to when it was read")
	return nil
}

// beats waits for heartbeats on every stream.
func (x *trial) beats(ctx context.Context, n int) error {
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	want := int(totals.Live) * n
	x.o.Progress.Stage("awaiting heartbeats", want)
	from := totals.Comments
	stop := x.report(func(t load.Totals) int { return int(t.Comments - from) })
	defer stop()
	cpu := x.cpu()
	if _, err := x.crowd.Silent(0); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(n)*beatMax)
	defer cancel()
	began := time.Now()
	seen, since := from, began
	err = x.crowd.Wait(limited, func(t load.Totals) bool {
		if t.Comments != seen {
			seen, since = t.Comments, time.Now()
		}
		return t.Comments-from >= uint64(want) || time.Since(since) > beatQuiet
	})
	if err != nil && limited.Err() == nil {
		return err
	}
	silent, err := x.crowd.Silent(1)
	if err != nil {
		return err
	}
	now, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	beats := float64(now.Comments - from)
	x.r.Add("heartbeats", beats, "", "comments received, over all streams")
	x.r.Add("heartbeat_seconds", time.Since(began).Seconds(), result.Seconds,
		"until there were as many as streams, for each asked for")
	x.r.Add("cpu_per_heartbeat", x.spent(cpu)*micros/beats, result.Microseconds, "of the server")
	switch {
	case ctx.Err() != nil && (beats < float64(want) || silent > 0):
		x.r.Fault("interrupted before every stream had its heartbeats")
	case beats < float64(want):
		x.r.Fault("%d heartbeats came, %d were expected", int(beats), want)
	case silent > 0:
		x.r.Fault("%d streams had no heartbeat while others had more than theirs", silent)
	default:
		x.shown = true
	}
	return nil
}
