package main

import (
	"context"
	"time"

	"ssedge/bench/load"
)

// fanoutWarm broadcasts come before the measured ones: the first to reach a socket makes the kernel grow its buffers.
const fanoutWarm = 2

type fanoutTrial struct {
	Streams       int          `json:"streams"`
	Broadcasts    int          `json:"broadcasts"`
	CPUSeconds    float64      `json:"cpu_seconds"`
	Seconds       float64      `json:"seconds"` // pauses included
	MicrosPerItem float64      `json:"us_per_event"`
	Verdict       load.Verdict `json:"verdict"`
}

func (b *bench) fanout(ctx context.Context) error {
	return b.compare(ctx, "fanout", "delivered event", func(ctx context.Context, t *trial) (any, float64, error) {
		if _, err := t.open(ctx, b.streams, nil); err != nil {
			return nil, 0, err
		}
		publisher, err := t.publisher(ctx, "/publish?topic=all", load.OneEvent)
		if err != nil {
			return nil, 0, err
		}
		defer publisher.Close()
		time.Sleep(b.settle)

		var before time.Duration
		var started time.Time
		data := b.data()
		for i := range fanoutWarm + b.fanoutEvents {
			if i == fanoutWarm {
				if before, err = t.cpu(); err != nil {
					return nil, 0, err
				}
				started = time.Now()
			}
			if err := publisher.Publish(data); err != nil {
				return nil, 0, err
			}
			if err := arrive(ctx, t.client, i+1, b.streams); err != nil {
				return nil, 0, err
			}
			time.Sleep(b.fanoutPause)
		}
		took := time.Since(started)
		after, err := t.cpu()
		if err != nil {
			return nil, 0, err
		}
		verdict, err := t.verify(ctx, uint64(fanoutWarm+b.fanoutEvents))
		if err != nil {
			return nil, 0, err
		}
		cpu := after - before
		each := micros(cpu, float64(b.fanoutEvents*b.streams))
		b.say("fanout %v: %.2f us of CPU per event; %v", t.spec, each, verdict)
		if !verdict.OK() {
			return nil, 0, errNotExact
		}
		return fanoutTrial{b.streams, b.fanoutEvents, cpu.Seconds(), took.Seconds(), each, verdict}, each, nil
	})
}
