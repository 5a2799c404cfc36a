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
	// interrupted before everything had arrived: what streams lack is not known to be lost
	away bool
	// something was held against what was published, or seen for as long as was asked
	shown bool
	// of r: a curve is drawn by a goroutine of its own, whose readings fail like any others
	notes sync.Mutex
}

func begin(name string, o Options, t Target, more map[string]any) *trial {
	settings := o.settings()
	maps.Copy(settings, more)
	return &trial{o: o, t: t, r: &result.Result{Scenario: name, Server: t.Name, Began: time.Now(),
		Settings: settings}}
}

// finish ends everything and completes the result. A run that was interrupted before it showed
// anything has not passed.
func (x *trial) finish(ctx context.Context) {
	if x.publisher != nil {
		x.publisher.Close()
	}
	if x.crowd != nil {
		x.crowd.Close()
	}
	x.r.Seconds = time.Since(x.r.Began).Seconds()
	x.r.Interrupted = ctx.Err() != nil
	if x.r.Interrupted && !x.shown && len(x.r.Faults) == 0 {
		x.r.Fault("interrupted before anything was shown")
	}
}

// open opens the streams, and notes what that came to. It fails if none is open.
func (x *trial) open(ctx context.Context, c load.Config) error {
	crowd, err := load.NewCrowd(c, x.o.Streams, x.o.Workers)
	if err != nil {
		return err
	}
	x.crowd = crowd
	stop := x.opening()
	err = crowd.Open(ctx, x.o.Streams, x.o.Ramp)
	stop()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return x.awaitOpened(ctx, c)
}

// sayAfter is how long nothing happens before the run says what it waits for.
const sayAfter = 2 * time.Second

// opening shows how far opening is until stop is called, and says so if no stream opens.
func (x *trial) opening() (stop func()) {
	x.o.Progress.Stage("opening", x.o.Streams)
	began, told := time.Now(), false
	return x.report(func(t load.Totals) int {
		if !told && t.Opened == 0 && time.Since(began) > sayAfter {
			told = true
			x.o.Progress.Note(
				fmt.Sprintf("no stream is open yet; waiting for %s to answer, for at most %v",
					x.t.Subscribe, x.o.OpenTimeout))
		}
		return int(t.Opened + t.Failed)
	})
}

// awaitOpened waits a while for streams that try again, and cancels those that are not open then,
// since they would miss what is published earlier. If no stream has opened at the first attempt, it
// does not wait. Then it adds the figures of opening.
func (x *trial) awaitOpened(ctx context.Context, c load.Config) error {
	now, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	if c.Retry > 0 && now.Opened > 0 && now.Live+now.Ended < uint64(x.o.Streams) &&
		ctx.Err() == nil {
		x.o.Progress.Note(fmt.Sprintf("%d of %d streams did not open at once (%s); waiting for them, for at most %v",
			uint64(x.o.Streams)-now.Live-now.Ended, x.o.Streams, x.cause(), c.OpenTimeout))
	}
	if c.Retry > 0 && now.Opened == 0 {
		if err := x.crowd.StopOpening(); err != nil {
			return err
		}
	} else if c.Retry > 0 {
		limited, cancel := context.WithTimeout(ctx, c.OpenTimeout)
		defer cancel()
		err := x.crowd.Wait(limited, func(t load.Totals) bool {
			return t.Live+t.Ended >= uint64(x.o.Streams)
		})
		if err != nil && limited.Err() == nil {
			return err
		}
		if err := x.crowd.StopOpening(); err != nil {
			return err
		}
	}
	return x.opened(ctx, c)
}

// cause is one of the reasons for which streams did not open.
func (x *trial) cause() string {
	causes, err := x.crowd.Causes()
	if err != nil || len(causes) == 0 {
		return "no answer yet"
	}
	return slices.Sorted(maps.Keys(causes))[0]
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
		return fmt.Errorf("%s: the server ended all %d streams that opened", x.t.Subscribe,
			totals.Opened)
	case totals.Failed == 0:
		return context.Canceled
	default:
		return fmt.Errorf("%s: no stream opened: %s", x.t.Subscribe,
			slices.Sorted(maps.Keys(causes))[0])
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
