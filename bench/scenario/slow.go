package scenario

import (
	"context"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// Slow has some of the streams read badly, and looks at what that does to the others.
type Slow struct {
	Rate    float64 // events a second, over all topics
	For     time.Duration
	Share   float64       // of the streams that are slow, 0 to 1
	Dribble int           // bytes they read at a time; 0: they never read
	Pause   time.Duration // between two reads
}

// Run publishes to streams that all read, and then to as many of which some do not. At the end the
// slow ones are let read, to see whether they were told what they missed.
func (s Slow) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("slow", o, t, map[string]any{"rate": s.Rate, "for": s.For.String(), "share": s.Share,
		"dribble": s.Dribble, "pause": s.Pause.String()})
	defer x.finish(ctx)
	schedule := publish.Schedule{Rate: s.Rate, For: s.For}
	without, err := Fanout{Rate: s.Rate, For: s.For, Warm: 1}.Run(ctx, o, t)
	if err != nil {
		return without, err
	}
	for _, f := range without.Figures {
		switch f.Name {
		case "p50", "p99", "p99.9", "max", "cpu_per_event":
			x.r.Add("without_"+f.Name, f.Value, f.Unit, "with no slow stream")
		}
	}
	x.r.Curves = rename(without.Curves, t.Name+", all read")
	x.r.Faults = append(x.r.Faults, without.Faults...)

	idle := x.pss()
	c := o.streams(&t, 0, o.Topics)
	c.Slow = load.Slow{Share: s.Share, Bytes: s.Dribble, Pause: s.Pause}
	if err := x.open(ctx, c); err != nil {
		return x.r, err
	}
	if err := x.connect(ctx, o.publishing(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	wait(ctx, o.Settle)
	if x.t.Server != nil {
		x.seen(0, x.t.Server.Settle())
	}
	pss := x.pss()
	memory := x.over("memory of the server with slow streams",
		result.Axis{Name: "memory", Unit: result.Bytes}, x.pss)
	delivered := x.over("delivered events a second",
		result.Axis{Name: "delivered", Unit: result.PerSecond}, x.overTime())
	cpu := x.cpu()
	report, err := x.publisher.Run(ctx, schedule)
	if err == nil {
		err = x.awaitReaders(ctx)
	}
	delivered()
	memory()
	if err != nil {
		return x.r, err
	}
	times, _, err := x.crowd.Times(false)
	if err != nil {
		return x.r, err
	}
	totals, err := x.crowd.Totals()
	if err != nil {
		return x.r, err
	}
	x.latency("", times, "from when an event was due to when it was read")
	x.r.Add("p99_ratio", x.r.Value("p99")/x.r.Value("without_p99"), result.Times,
		"with slow streams to without")
	x.r.Add("cpu_per_event", x.spent(cpu)*micros/float64(totals.Events), result.Microseconds,
		"of the server, for each event that was read")
	x.r.Add("pss_idle", idle, result.Bytes, "of the server, before")
	x.r.Add("pss_open", pss, result.Bytes, "with all streams open")
	x.r.Add("pss", x.pss(), result.Bytes, "after the load")
	x.r.Add("rss_peak", x.peak(), result.Bytes, "the most meanwhile")
	x.addPublished(ctx, report)
	return x.r, x.judgeSlow(ctx)
}

// awaitReaders waits until the streams that read have everything.
func (x *trial) awaitReaders(ctx context.Context) error {
	longer, cancel := graceContext(ctx, arriveMax)
	defer cancel()
	since, events := time.Now(), uint64(0)
	for longer.Err() == nil {
		v, err := x.crowd.Verify(x.publisher.Published())
		if err != nil || v.Normal.Exact == v.Normal.Streams {
			return err
		}
		t, err := x.crowd.Totals()
		if err != nil {
			return err
		}
		if now := t.Events - t.Duplicates; now != events {
			since, events = time.Now(), now
		}
		if time.Since(since) > lostAfter*x.o.Settle {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	x.away = ctx.Err() != nil
	return nil
}

// judgeSlow judges the streams that read like any others, and those that did not after they were
// let.
func (x *trial) judgeSlow(ctx context.Context) error {
	if err := x.crowd.ReadNormally(); err != nil {
		return err
	}
	quiet, cancel := graceContext(ctx, arriveMax)
	defer cancel()
	if err := x.crowd.WaitQuiet(quiet, lostAfter*x.o.Settle/2); err != nil {
		if quiet.Err() == nil {
			return err
		}
		x.away = x.away || ctx.Err() != nil
	}
	if x.away {
		return x.judge() // which says that there was no time
	}
	v, err := x.crowd.Verify(x.publisher.Published())
	if err != nil {
		return err
	}
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	totals.Ended -= uint64(v.Slow.Ended) // it may end those
	x.verdict(v.Normal, totals)
	s := v.Slow
	if s.Streams == 0 || v.Normal.Streams == 0 {
		x.r.Fault("of %d streams %d were slow: expected some that are and some that are not (--share, --streams)",
			s.Streams+v.Normal.Streams, s.Streams)
	}
	x.r.Add("slow_streams", float64(s.Streams), "", "that read badly, until the end")
	x.r.Add("slow_exact", float64(s.Exact), "", "of them had everything in the end")
	x.r.Add("slow_told", float64(s.Told), "", "of them were told of a gap")
	x.r.Add("slow_ended", float64(s.Ended), "", "of them the server ended")
	x.r.Add("slow_lost", float64(s.Lost), "", "events missing on slow streams in silence")
	if s.Exact == s.Streams {
		x.r.Note("no slow stream missed anything: buffers took it all (try more --rate, --payload or --for)")
	}
	if s.Short > 0 {
		x.r.Fault("%d of %d slow streams lost events in silence", s.Short, s.Streams)
	}
	if bad := s.Duplicate + s.Late + s.Unsorted + s.Misdelivered + s.Damaged + s.Over; bad > 0 {
		x.r.Fault("slow streams: %v", s)
	}
	return nil
}

func rename(curves []result.Curve, server string) []result.Curve {
	for i := range curves {
		curves[i].Server = server
	}
	return curves
}
