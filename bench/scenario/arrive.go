package scenario

import (
	"context"
	"time"

	"ssedge/bench/load"
)

const (
	// arriveMax is how long what was published may take to arrive everywhere, as long as something does arrive.
	arriveMax = 15 * time.Minute
	// lostAfter times the time to settle is how long nothing must arrive before what is missing counts as lost: a busy
	// machine is silent, too.
	lostAfter = 10
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

// arrive waits until every live stream has what was published, and says how long that took.
func (x *trial) arrive(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), arriveMax)
	defer cancel()
	began := time.Now()
	_, err := x.await(ctx, x.publisher.Published())
	return time.Since(began), err
}

// await waits until every live stream has what is due; what does not come before ctx ends, or after lostAfter of
// silence, will not come.
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
		if now := t.Events + t.Gaps; now != events || since.IsZero() {
			events, since = now, time.Now()
		}
		if time.Since(since) > lostAfter*x.o.Settle || ctx.Err() != nil {
			return false, nil
		}
		wait(ctx, pause)
	}
}

// behind is how many live streams lack something, and how long to wait before that is asked again: looking at a million
// streams takes time from receiving.
func behind(c *load.Crowd, due []load.Published) (streams int, pause time.Duration, err error) {
	began := time.Now()
	v, err := c.Verify(due)
	return v.Behind, max(2*time.Millisecond, 10*time.Since(began)), err
}
