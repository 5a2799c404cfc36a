package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ssedge/bench/load"
)

// quietEvents are sent before the broadcasts begin: what the same probe finds on a server with nothing else to do.
const quietEvents = 100

type isolationTrial struct {
	Streams    int          `json:"streams"`
	Every      string       `json:"broadcast_every"` // "0s": back to back
	Broadcasts uint64       `json:"broadcasts"`
	Quiet      quantiles    `json:"quiet"`
	Latency    quantiles    `json:"latency"`
	Late       quantiles    `json:"publisher_late"` // of the latency, what this process lost before it asked
	Lost       int          `json:"lost"`
	Repeated   int          `json:"repeated"`
	Priority   bool         `json:"probe_at_raised_priority"`
	Verdict    load.Verdict `json:"verdict"`
}

type isolationResult struct {
	P50   spread `json:"p50_ms"`
	P90   spread `json:"p90_ms"`
	P99   spread `json:"p99_ms"`
	Max   spread `json:"max_ms"`
	Quiet spread `json:"quiet_p99_ms"`
}

func (b *bench) isolation(ctx context.Context) error {
	specs := b.specs("ssedge", "twin") // the limit has one topic
	measured := make(map[string][]isolationTrial)
	err := b.alternate(ctx, specs, func(round int, s spec) error {
		return b.try(ctx, s, func(ctx context.Context, t *trial) error {
			one, err := t.isolation(ctx)
			if err != nil {
				return err
			}
			b.say("isolation %v: p50 %.2f, p99 %.2f, max %.2f ms (quiet p99 %.2f; publisher late p99 %.2f); %d broadcasts, %v", s,
				one.Latency.P50, one.Latency.P99, one.Latency.Max, one.Quiet.P99, one.Late.P99, one.Broadcasts, one.Verdict)
			measured[s.String()] = append(measured[s.String()], one)
			if err := b.report.trial("isolation", s, round, one); err != nil {
				return err
			}
			if one.Lost > 0 || one.Repeated > 0 {
				return fmt.Errorf("of the probe's events %d were lost and %d came twice: %w", one.Lost, one.Repeated, errNotExact)
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
		var p50, p90, p99, most, quiet []float64
		for _, one := range measured[s.String()] {
			p50, p90, p99 = append(p50, one.Latency.P50), append(p90, one.Latency.P90), append(p99, one.Latency.P99)
			most, quiet = append(most, one.Latency.Max), append(quiet, one.Quiet.P99)
		}
		r := isolationResult{spreadOf(p50), spreadOf(p90), spreadOf(p99), spreadOf(most), spreadOf(quiet)}
		if err := b.report.result("isolation", s.String(), r, "p50 %.2f, p90 %.2f, p99 %v, max %.2f ms; p99 %.2f ms without broadcasts",
			r.P50.Median, r.P90.Median, r.P99, r.Max.Max, r.Quiet.Median); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) isolation(ctx context.Context) (isolationTrial, error) {
	b := t.bench
	result := isolationTrial{Streams: b.streams, Every: b.broadcastEvery.String()}
	if _, err := t.open(ctx, b.streams, nil); err != nil {
		return result, err
	}
	probe := load.ProbeConfig{Target: t.target, Topic: "quiet", Every: b.probeEvery, Count: quietEvents, DataBytes: b.dataBytes}
	quiet, err := load.MeasureProbe(ctx, probe)
	if err != nil {
		return result, err
	}
	publisher, err := t.publisher(ctx, "/publish?topic=all", load.OneEvent)
	if err != nil {
		return result, err
	}
	defer publisher.Close()

	broadcasting, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- t.broadcast(broadcasting, publisher, &result.Broadcasts) }()
	probe.Topic, probe.Count = "one", max(1, int(b.isolationFor/b.probeEvery))
	busy, probeErr := load.MeasureProbe(ctx, probe)
	stop()
	if err := errors.Join(<-ended, probeErr); err != nil {
		return result, err
	}
	result.Quiet, result.Latency, result.Late = quantilesOf(quiet.Latency), quantilesOf(busy.Latency), quantilesOf(busy.Late)
	result.Lost, result.Repeated, result.Priority = busy.Lost+quiet.Lost, busy.Repeated+quiet.Repeated, busy.Priority
	result.Verdict, err = t.verify(ctx, result.Broadcasts)
	return result, err
}

// broadcast publishes to all streams until ctx ends: at fixed times, or each event when the one before has arrived.
// count belongs to the caller again when it returns.
func (t *trial) broadcast(ctx context.Context, publisher *load.Publisher, count *uint64) error {
	data := t.bench.data()
	for next := time.Now(); ctx.Err() == nil; {
		if err := publisher.Publish(data); err != nil {
			return err
		}
		*count++
		if every := t.bench.broadcastEvery; every > 0 {
			next = next.Add(every)
			select {
			case <-ctx.Done():
			case <-time.After(time.Until(next)):
			}
		} else if err := t.client.WaitEvents(ctx, *count*uint64(t.bench.streams)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
