package scenario

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

const (
	// retryAfter is how long a stream that was refused waits, as clients do.
	retryAfter = time.Second
	stormMax   = 10 * time.Minute
)

// Storm drops all streams at once, as when a balancer is started again, and resumes them, while
// events go on being published.
type Storm struct {
	Rate   float64       // events a second, over all topics
	Before time.Duration // of publishing, before the drop
	Away   time.Duration // between drop and return
	After  time.Duration // of publishing, when all are back
}

// Run measures how long it takes until all streams are open again, and until they have what they
// missed; loss and duplicates across the break; and what it costs the server.
func (s Storm) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("storm", o, t, map[string]any{"rate": s.Rate, "before": s.Before.String(),
		"away": s.Away.String(), "after": s.After.String()})
	defer x.finish(ctx)
	c := o.streams(&t, 0, o.Topics)
	c.KeepIDs, c.Retry = true, retryAfter
	if err := x.open(ctx, c); err != nil {
		return x.r, err
	}
	if err := x.connect(ctx, o.publishing(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	wait(ctx, o.Settle)

	publishing, stop := context.WithCancel(ctx)
	var report publish.Report
	ended := make(chan error, 1)
	go func() {
		var err error
		report, err = x.publisher.Run(publishing, publish.Schedule{Rate: s.Rate})
		ended <- err
	}()
	curve := x.over("live streams in a storm", result.Axis{Name: "live streams"}, x.live)
	wait(ctx, s.Before)
	err := x.storm(ctx, int(x.r.Value("streams")), func() error { wait(ctx, s.Away); return nil })
	if err == nil {
		wait(ctx, s.After)
	}
	curve()
	stop()
	if publishErr := <-ended; err == nil {
		err = publishErr
	}
	if err != nil {
		return x.r, err
	}
	if _, err := x.arrive(ctx); err != nil {
		return x.r, err
	}
	times, _, err := x.crowd.Times(false)
	if err != nil {
		return x.r, err
	}
	x.latency("", times, "from when an event was due to when it was read, the break included")
	x.addPublished(ctx, report)
	return x.r, x.judge()
}

func (x *trial) live() float64 {
	t, err := x.crowd.Totals()
	return x.seen(float64(t.Live), err)
}

// storm drops n streams and, when meanwhile returns, resumes them.
func (x *trial) storm(ctx context.Context, n int, meanwhile func() error) error {
	if ctx.Err() != nil {
		x.r.Fault("interrupted before the streams were dropped")
		return nil
	}
	x.o.Progress.Stage("resuming", n)
	if x.t.Server != nil {
		x.seen(0, x.t.Server.Settle())
	}
	idle := x.pss()
	before, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	cpu := x.cpu() // first: it may take a while
	dropped, err := x.crowd.Drop(n)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := meanwhile(); err != nil {
		return err
	}
	back := time.Now()
	if err := x.crowd.Reopen(0); err != nil {
		return err
	}
	stop := x.report(func(t load.Totals) int { return int(t.Opened - before.Opened) })
	defer stop()
	limited, cancel := context.WithTimeout(ctx, stormMax)
	defer cancel()
	opened, since, told := before.Opened, time.Now(), false
	err = x.crowd.Wait(limited, func(t load.Totals) bool {
		if t.Opened != opened {
			opened, since = t.Opened, time.Now()
		}
		if !told && time.Since(since) > sayAfter {
			told = true
			x.o.Progress.Note(
				fmt.Sprintf("streams do not come back (%s); waiting for more, for at most %v",
					x.cause(), x.o.OpenTimeout))
		}
		// A stream that the server ends meanwhile does not come again. When none came for so long,
		// none will.
		return t.Live+t.Ended-before.Ended >= before.Live || time.Since(since) > x.o.OpenTimeout
	})
	live := time.Since(back).Seconds()
	if err != nil {
		if limited.Err() == nil {
			return err
		}
		live, x.away = math.NaN(), ctx.Err() != nil
	}
	here, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	if here.Live < before.Live {
		live = math.NaN() // some were ended: they are never all there
	}
	whole, err := x.await(limited, x.publisher.Published()) // what they must have to be caught up
	if err != nil {
		return err
	}
	caught := math.NaN()
	if whole && !math.IsNaN(live) {
		caught = time.Since(back).Seconds()
	}
	after, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	x.r.Add("dropped", float64(dropped), "", "streams")
	x.r.Add("away", back.Sub(began).Seconds(), result.Seconds, "until the first came back")
	x.r.Add("live_seconds", live, result.Seconds, "from then until all were open again")
	x.r.Add("caught_up_seconds", caught, result.Seconds, "from then until all had what they missed")
	x.r.Add("refused_connects", float64(after.Failed-before.Failed), "",
		"attempts that failed meanwhile")
	perStream := math.NaN()
	if !math.IsNaN(live) {
		perStream = x.spent(cpu) * micros / float64(dropped)
	}
	x.r.Add("storm_cpu_per_stream", perStream, result.Microseconds,
		"of the server, for a stream that left and came back")
	x.r.Add("pss_before", idle, result.Bytes, "of the server, before")
	x.r.Add("rss_peak", x.peak(), result.Bytes, "of the server, the most meanwhile")
	ended := after.Ended - before.Ended
	if missing := before.Live - min(before.Live, after.Live+ended); missing > 0 &&
		ctx.Err() == nil {
		x.r.Fault("%d of %d streams did not come back within %v: %s", missing, dropped,
			time.Since(back).Round(time.Second), x.cause())
	}
	if ended > 0 {
		x.r.Fault("the server ended %d streams after they had come back", ended)
	}
	return nil
}

// resume drops n of the held streams, publishes to all topics while they are away, and has them
// resume.
func (x *trial) resume(ctx context.Context, n int) error {
	err := x.storm(ctx, n, func() error {
		report, err := x.publisher.Run(ctx, publish.Schedule{Count: x.o.Topics})
		wait(ctx, x.o.Settle)
		return errors.Join(err, checkAcknowledged(ctx, report))
	})
	if err != nil {
		return err
	}
	_, err = x.arrive(ctx)
	return err
}
