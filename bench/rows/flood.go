package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/bench/load"
)

type floodTrial struct {
	Mode            string       `json:"mode"`
	Streams         int          `json:"streams"`
	Publishers      int          `json:"publishers"`
	Seconds         float64      `json:"seconds"`
	Published       uint64       `json:"published"` // events acknowledged
	Refused         uint64       `json:"refused"`   // requests answered with another status than 200
	DeliveredPerSec float64      `json:"delivered_per_s"`
	PublishedPerSec float64      `json:"published_per_s"`
	Cores           float64      `json:"server_cores"`
	MicrosPerItem   float64      `json:"us_per_event"`
	Gaps            uint64       `json:"gaps"`
	Verdict         load.Verdict `json:"verdict"`
}

type floodResult struct {
	Mode            string `json:"mode"`
	DeliveredPerSec spread `json:"delivered_per_s"`
	PublishedPerSec spread `json:"published_per_s"`
	MicrosPerItem   spread `json:"us_per_event"`
	MissedShare     spread `json:"missed_share"` // of the events published, on streams that were told of a gap
}

func (b *bench) flood(ctx context.Context) error {
	for _, mode := range []string{"single", "ndjson"} {
		servers := []string{"ssedge", "twin"}
		if mode == "ndjson" {
			servers = servers[:1] // the twin does not know it
		}
		if err := b.floodMode(ctx, mode, b.specs(servers...)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) floodMode(ctx context.Context, mode string, specs []spec) error {
	measured := make(map[string][]floodTrial)
	err := b.alternate(ctx, specs, func(round int, s spec) error {
		return b.try(ctx, s, func(ctx context.Context, t *trial) error {
			one, err := t.flood(ctx, mode)
			if err != nil {
				return err
			}
			b.say("flood %v, %s: %.0f delivered/s, %.0f published/s, %.2f cores; %v", s, mode,
				one.DeliveredPerSec, one.PublishedPerSec, one.Cores, one.Verdict)
			measured[s.String()] = append(measured[s.String()], one)
			if err := b.report.trial("flood", s, round, one); err != nil {
				return err
			}
			if !one.Verdict.Told() {
				return errNotExact
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, s := range specs {
		var delivered, published, each, missed []float64
		for _, one := range measured[s.String()] {
			delivered = append(delivered, one.DeliveredPerSec)
			published = append(published, one.PublishedPerSec)
			each = append(each, one.MicrosPerItem)
			missed = append(missed, float64(one.Verdict.Missed)/max(1, float64(one.Published)*float64(one.Streams)))
		}
		r := floodResult{mode, spreadOf(delivered), spreadOf(published), spreadOf(each), spreadOf(missed)}
		err := b.report.result("flood", s.String(), r,
			"%s: %.0f (%.0f–%.0f) delivered events/s, %.0f published/s, %.3f us of CPU per event, %.2f %% missed and told so", mode,
			r.DeliveredPerSec.Median, r.DeliveredPerSec.Min, r.DeliveredPerSec.Max, r.PublishedPerSec.Median, r.MicrosPerItem.Median,
			100*r.MissedShare.Median)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) flood(ctx context.Context, mode string) (floodTrial, error) {
	b := t.bench
	result := floodTrial{Mode: mode, Streams: b.floodStreams, Publishers: b.publishers}
	if _, err := t.open(ctx, b.floodStreams, nil); err != nil {
		return result, err
	}
	path, contentType, body, perRequest := "/publish?topic=all", load.OneEvent, b.data(), uint64(1)
	if mode == "ndjson" {
		path, contentType, perRequest = "/publish", load.NDJSON, uint64(b.batch)
		body = bytes.Repeat(fmt.Appendf(nil, "{\"topic\":\"all\",\"data\":\"%s\"}\n", b.data()), b.batch)
	}
	publishers := make([]*load.Publisher, b.publishers)
	for i := range publishers {
		p, err := t.publisher(ctx, path, contentType)
		if err != nil {
			return result, err
		}
		defer p.Close()
		publishers[i] = p
	}
	time.Sleep(b.settle)

	before, err := t.cpu()
	if err != nil {
		return result, err
	}
	started := time.Now()
	published, refused, err := publishFor(publishers, body, started.Add(b.floodFor))
	took := time.Since(started)
	delivered := t.client.Totals().Events
	after, cpuErr := t.cpu()
	if err := errors.Join(err, cpuErr); err != nil {
		return result, err
	}
	result.Seconds = took.Seconds()
	result.Published, result.Refused = published*perRequest, refused
	result.DeliveredPerSec = float64(delivered) / took.Seconds()
	result.PublishedPerSec = float64(result.Published) / took.Seconds()
	result.Cores = (after - before).Seconds() / took.Seconds()
	result.MicrosPerItem = micros(after-before, max(1, float64(delivered)))
	result.Verdict, err = t.verify(ctx, result.Published)
	result.Gaps = t.client.Totals().Gaps
	return result, err
}

// publishFor has every publisher post body again and again until the time is over, and returns the requests that were
// accepted and those that were answered with another status.
func publishFor(publishers []*load.Publisher, body []byte, until time.Time) (accepted, refused uint64, err error) {
	var done, not atomic.Uint64
	var workers sync.WaitGroup
	faults := make(chan error, len(publishers))
	for _, p := range publishers {
		workers.Go(func() {
			for time.Now().Before(until) {
				err := p.Publish(body)
				if status := new(load.StatusError); errors.As(err, &status) {
					not.Add(1)
				} else if err != nil {
					faults <- err
					return
				} else {
					done.Add(1)
				}
			}
		})
	}
	workers.Wait()
	close(faults)
	return done.Load(), not.Load(), <-faults
}
