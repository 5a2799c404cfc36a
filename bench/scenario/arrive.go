package scenario

import (
	"context"
	"math"
	"time"

	"ssedge/bench/load"
)

const (
	// arriveMax is how long what was published may take to arrive everywhere, as long as something
	// does arrive.
	arriveMax = 15 * time.Minute
	// lostAfter times the time to settle is how long nothing must arrive before what is missing
	// counts as lost: a busy machine is silent, too.
	lostAfter = 10
	// lingerMax is how long a run that was interrupted waits for what is on its way.
	lingerMax = 2 * time.Second
	// answerMax is how long single events may take to arrive.
	answerMax = 30 * time.Second
)

// wait sleeps, but not beyond the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// graceContext ends after most, or a moment after ctx: when a run is interrupted, events on their
// way should still arrive, but the wait after Ctrl-C is short.
func graceContext(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lingerMax, cancel) })
	return longer, func() { stop(); cancel() }
}

// arrive waits until every live stream has what was published, and says how long that took; NaN
// seconds if something did not come.
func (x *trial) arrive(ctx context.Context) (seconds float64, err error) {
	longer, cancel := graceContext(ctx, arriveMax)
	defer cancel()
	began := time.Now()
	whole, err := x.await(longer, x.publisher.Published())
	if !whole {
		x.away = x.away || ctx.Err() != nil
		return math.NaN(), err
	}
	took := time.Since(began).Seconds()
	if t, err := x.crowd.Totals(); err != nil || t.Live == 0 {
		return math.NaN(), err // no stream is left to receive it
	}
	return took, nil
}

// await waits until every live stream has what is due; what does not come before ctx ends, or after
// lostAfter of silence, will not come.
func (x *trial) await(ctx context.Context, due []load.Published) (whole bool, err error) {
	var events uint64
	var since time.Time
	for {
		behind, pause, err := behind(x.crowd, due)
		if err != nil || behind == 0 {
			return err == nil, err
		}
		t, err := x.crowd.Totals()
		if err != nil {
			return false, err
		}
		if now := t.Events - t.Duplicates + t.Gaps; now != events || since.IsZero() {
			events, since = now, time.Now()
		}
		if time.Since(since) > lostAfter*x.o.Settle || ctx.Err() != nil {
			return false, nil
		}
		wait(ctx, pause)
	}
}

// behind is how many live streams lack something, and how long to wait before that is asked again:
// looking at a million streams takes time from receiving.
func behind(c *load.Crowd, due []load.Published) (streams int, pause time.Duration, err error) {
	began := time.Now()
	v, err := c.Verify(due)
	return v.Behind, max(2*time.Millisecond, 10*time.Since(began)), err
}
