package main

import (
	"context"
	"fmt"
	"time"

	"ssedge/bench/load"
)

// drainMax is how long what was published may take to arrive everywhere after the load has ended.
const drainMax = 30 * time.Second

// lostAfter is how long nothing must arrive before what is missing counts as lost: a busy machine is silent, too.
const lostAfter = 3 * time.Second

// trial is one server started afresh, and the load on it.
type trial struct {
	*child
	bench  *bench
	client *load.Client
}

// try starts a server, warms it up, runs f and ends everything.
func (b *bench) try(ctx context.Context, s spec, f func(context.Context, *trial) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, trialMax, fmt.Errorf("a trial may take %v", trialMax))
	defer cancel()
	c, err := b.launcher.start(ctx, s)
	if err != nil {
		return err
	}
	defer c.stop()
	t := &trial{child: c, bench: b}
	if err := t.warm(ctx); err != nil {
		return fmt.Errorf("%v: warming up: %w", s, err)
	}
	defer func() {
		if t.client != nil {
			t.client.Close()
		}
	}()
	if err := f(ctx, t); err != nil {
		if said := c.said.String(); said != "" {
			return fmt.Errorf("%v: %w; the server said:\n%s", s, err, said)
		}
		return fmt.Errorf("%v: %w", s, err)
	}
	return nil
}

// warm has streams come, get an event and go, on a topic of their own.
func (t *trial) warm(ctx context.Context) error {
	client, err := t.newClient(func(int) string { return "warm" })
	if err != nil {
		return err
	}
	defer time.Sleep(t.bench.settle)
	defer client.Close()
	if _, err := client.Open(ctx, t.bench.warmStreams); err != nil {
		return err
	}
	publisher, err := t.publisher(ctx, "/publish?topic=warm", load.OneEvent)
	if err != nil {
		return err
	}
	defer publisher.Close()
	if err := publisher.Publish(t.bench.data()); err != nil {
		return err
	}
	return arrive(ctx, client, 1, t.bench.warmStreams)
}

// arrive waits until every stream has its events, for drainMax at most, and otherwise tells what is missing.
func arrive(ctx context.Context, client *load.Client, events, streams int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, drainMax, fmt.Errorf("after %v", drainMax))
	defer cancel()
	err := client.WaitEvents(ctx, uint64(events*streams))
	if err != nil {
		return fmt.Errorf("%w; %v", err, client.Verify(uint64(events)))
	}
	return nil
}

func (t *trial) newClient(topic func(int) string) (*load.Client, error) {
	return load.NewClient(load.Config{Target: t.target, Threads: t.bench.clientThreads, InFlight: t.bench.inFlight, Topic: topic})
}

// open opens the trial's streams and returns how long that took. topic nil: all on "all".
func (t *trial) open(ctx context.Context, n int, topic func(int) string) (time.Duration, error) {
	client, err := t.newClient(topic)
	if err != nil {
		return 0, err
	}
	t.client = client
	return client.Open(ctx, n)
}

func (t *trial) publisher(ctx context.Context, path, contentType string) (*load.Publisher, error) {
	deadline, _ := ctx.Deadline()
	return load.NewPublisher(t.target, path, contentType, deadline)
}

// verify waits until all is delivered and holds every stream against the number published.
func (t *trial) verify(ctx context.Context, published uint64) (load.Verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, drainMax, fmt.Errorf("after %v", drainMax))
	defer cancel()
	err := t.client.WaitQuiet(ctx, t.bench.settle)
	v := t.client.Verify(published)
	if err == nil && v.Short > 0 {
		err = t.client.WaitQuiet(ctx, lostAfter)
		v = t.client.Verify(published)
	}
	return v, err
}

func (s *settings) data() []byte {
	data := make([]byte, s.dataBytes)
	for i := range data {
		data[i] = 'x'
	}
	return data
}

// alternate runs every spec once per round, beginning with another one each time.
func (b *bench) alternate(ctx context.Context, specs []spec, f func(round int, s spec) error) error {
	for round := range b.rounds {
		for i := range specs {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := f(round, specs[(i+round)%len(specs)]); err != nil {
				return err
			}
		}
	}
	return nil
}
