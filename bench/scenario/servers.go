package scenario

import (
	"context"
	"errors"
	"fmt"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
	"ssedge/bench/server"
)

const (
	// warmStreams come, get an event and go before anything is measured, so that a server's code
	// and pools are warm.
	warmStreams = 500
	// warmRest times the time to settle is how long the warmed-up server rests then, before its own
	// memory is taken.
	warmRest = 10
)

// Scenario is any of them.
type Scenario interface {
	Run(context.Context, Options, Target) (*result.Result, error)
}

// Fresh runs a scenario against a server of the given kind that is started for it, and warm.
func Fresh(ctx context.Context, k server.Kind, start server.Options, s Scenario,
	o Options) (*result.Result, error) {
	o.Progress.Stage("starting "+k.String(), 0)
	child, err := server.Start(ctx, k, start)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	t := Child(child)
	if err := Warm(ctx, o, t); err != nil {
		return nil, fmt.Errorf("%v: warming up: %w", k, err)
	}
	r, err := s.Run(ctx, o, t)
	if r != nil {
		r.Reference = k.Name != server.Ssedge
	}
	if err != nil {
		if said := child.Output(); said != "" {
			return r, fmt.Errorf("%v: %w; the server said:\n%s", k, err, said)
		}
		return r, fmt.Errorf("%v: %w", k, err)
	}
	return r, nil
}

// Child is a server of our own as a target.
func Child(c *server.Child) Target {
	base := "http://" + c.Listen.String()
	return Target{
		Name: c.Kind.String(), Subscribe: base + "/events?topic=t{topic}",
		PublishURL:     base + "/publish?topic=t{topic}",
		PublishHeaders: []string{"Content-Type: application/octet-stream"},
		PublishBody:    "{payload}", Server: c.Process(), Local: true,
	}
}

// Warm has streams come, get an event and go, on a topic behind those that are measured.
func Warm(ctx context.Context, o Options, t Target) error {
	c := o.streams(&t, o.Topics+1, 1)
	crowd, err := load.NewCrowd(c, warmStreams, load.Workers{})
	if err != nil {
		return err
	}
	defer crowd.Close()
	if err := crowd.Open(ctx, warmStreams, 0); err != nil {
		return err
	}
	p, err := publish.New(ctx, o.publishing(&t, o.Topics+1, 1))
	if err != nil {
		return err
	}
	defer p.Close()
	report, err := p.Run(ctx, publish.Schedule{Count: 1})
	if err = errors.Join(err, checkAcknowledged(ctx, report)); err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, answerMax,
		fmt.Errorf("not every stream has its event after %v", answerMax))
	defer cancel()
	if err := crowd.Wait(limited,
		func(t load.Totals) bool { return t.Events >= warmStreams }); err != nil {
		return err
	}
	if err := crowd.Close(); err != nil {
		return err
	}
	wait(ctx, warmRest*o.Settle)
	return context.Cause(ctx)
}

// Beside runs a scenario against a target and, before and after it, against the baseline with one
// thread, and adds to the target's result how often each cost is the baseline's.
func Beside(ctx context.Context, start server.Options, s Scenario, o Options,
	t Target) ([]*result.Result, error) {
	k := server.Kind{Name: server.Baseline, Shards: 1}
	before, err := Fresh(ctx, k, start, s, o)
	if err != nil {
		return nil, err
	}
	of, err := s.Run(ctx, o, t)
	if of == nil {
		return nil, err
	}
	results := []*result.Result{of, before}
	if err != nil || ctx.Err() != nil {
		return results, err
	}
	after, err := Fresh(ctx, k, start, s, o)
	if err != nil {
		return results, err
	}
	if before.Value("ended")+after.Value("ended") > 0 {
		of.Note("no ratios: the bare send loop had to end streams, and has not done the same work")
		return append(results, after), nil
	}
	for _, name := range []string{"cpu_per_stream", "cpu_per_event", "cpu_per_heartbeat",
		"storm_cpu_per_stream", "p50", "p99", "delivered_rate"} {
		base := []float64{before.Value(name), after.Value(name)}
		of.Add(name+"_of_baseline", of.Value(name)/result.Median(base), result.Times,
			"of the bare send loop's, one thread")
	}
	return append(results, after), nil
}
