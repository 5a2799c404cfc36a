package main

import (
	"context"
	"time"
)

type acceptTrial struct {
	Streams       int     `json:"streams"`
	CPUSeconds    float64 `json:"cpu_seconds"`
	Seconds       float64 `json:"seconds"`
	MicrosPerItem float64 `json:"us_per_stream"`
}

func (b *bench) accept(ctx context.Context) error {
	return b.compare(ctx, "accept", "stream", func(ctx context.Context, t *trial) (any, float64, error) {
		before, err := t.cpu()
		if err != nil {
			return nil, 0, err
		}
		took, err := t.open(ctx, b.streams, nil)
		if err != nil {
			return nil, 0, err
		}
		time.Sleep(b.settle) // what the server still does for streams that already have their head is part of the price
		after, err := t.cpu()
		if err != nil {
			return nil, 0, err
		}
		cpu := after - before
		each := micros(cpu, float64(b.streams))
		b.say("accept %v: %.1f us of CPU per stream, %.0f streams/s", t.spec, each, float64(b.streams)/took.Seconds())
		return acceptTrial{b.streams, cpu.Seconds(), took.Seconds(), each}, each, nil
	})
}
