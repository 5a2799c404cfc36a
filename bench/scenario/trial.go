package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// trial is a scenario against one server, while it runs.
type trial struct {
	o         Options
	t         Target
	r         *result.Result
	crowd     *load.Crowd
	publisher *publish.Publisher
	away      bool       // interrupted before all dropped streams were back: what they lack is no fault
	notes     sync.Mutex // of r: a curve is drawn by a goroutine of its own, whose readings fail like any others
}

func begin(name string, o Options, t Target, more map[string]any) *trial {
	settings := o.settings()
	maps.Copy(settings, more)
	return &trial{o: o, t: t, r: &result.Result{Scenario: name, Server: t.Name, Began: time.Now(), Settings: settings}}
}

// finish ends everything and completes the result.
func (x *trial) finish(ctx context.Context) {
	if x.publisher != nil {
		x.publisher.Close()
	}
	if x.crowd != nil {
		x.crowd.Close()
	}
	x.r.Seconds = time.Since(x.r.Began).Seconds()
	x.r.Interrupted = ctx.Err() != nil
}

// open opens the streams, and notes what that came to. It fails if none is open.
func (x *trial) open(ctx context.Context, c load.Config) error {
	crowd, err := load.NewCrowd(c, x.o.Streams, x.o.Workers)
	if err != nil {
		return err
	}
	x.crowd = crowd
	x.o.Progress.Stage("opening", x.o.Streams)
	stop := x.report(func(t load.Totals) int { return int(t.Opened + t.Failed) })
	err = crowd.Open(ctx, x.o.Streams, x.o.Ramp)
	stop()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return x.gathered(ctx, c)
}

// gathered waits a while for streams that try again, and gives up those that are not open then: they would lack what is
// published before they are. Then it books what opening came to.
func (x *trial) gathered(ctx context.Context, c load.Config) error {
	if c.Retry > 0 {
		limited, cancel := context.WithTimeout(ctx, c.OpenTimeout)
		defer cancel()
		err := x.crowd.Wait(limited, func(t load.Totals) bool { return t.Live+t.Ended >= uint64(x.o.Streams) })
		if err != nil && limited.Err() == nil {
			return err
		}
		if err := x.crowd.Cease(); err != nil {
			return err
		}
	}
	return x.opened(ctx, c)
}

// opened books failures and says if there is nothing to go on with.
func (x *trial) opened(ctx context.Context, c load.Config) error {
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	causes, err := x.crowd.Causes()
	if err != nil {
		return err
	}
	x.r.Add("streams", float64(totals.Live), "", "open")
	failed := totals.Failed
	if c.Retry > 0 { // those are attempts
		if failed = 0; ctx.Err() == nil {
			failed = uint64(x.o.Streams) - min(uint64(x.o.Streams), totals.Live+totals.Ended)
		}
	}
	x.r.Add("failed", float64(failed), "", "did not open")
	for _, cause := range slices.Sorted(maps.Keys(causes)) {
		what := "streams"
		if c.Retry > 0 {
			what = "attempts"
		}
		x.r.Note("did not open: %d %s: %s", causes[cause], what, cause)
	}
	if n := x.crowd.Processes(); n > 1 {
		x.r.Note("the client is %d processes", n)
	}
	if failed > 0 {
		x.r.Fault("%d of %d streams did not open", failed, x.o.Streams)
	}
	switch {
	case totals.Live > 0:
	case totals.Opened > 0:
		return fmt.Errorf("%s: the server ended all %d streams that opened", x.t.Subscribe, totals.Opened)
	case totals.Failed == 0:
		return context.Canceled
	default:
		return fmt.Errorf("%s: no stream opened: %s", x.t.Subscribe, slices.Sorted(maps.Keys(causes))[0])
	}
	return nil
}

// report keeps the progress bar going from the crowd's totals until stop is called.
func (x *trial) report(done func(load.Totals) int) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(200 * time.Millisecond):
			}
			if t, err := x.crowd.Totals(); err == nil {
				x.o.Progress.At(done(t))
			}
		}
	}()
	return func() { close(end); <-ended }
}

// connect makes the publisher.
func (x *trial) connect(ctx context.Context, c publish.Config) error {
	if x.t.PublishURL == "" {
		return errNoPublish
	}
	p, err := publish.New(ctx, c)
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", c.URL, err)
	}
	x.publisher = p
	return nil
}
