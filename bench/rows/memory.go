package main

import (
	"context"
	"fmt"
	"time"
)

// idleSettle is how long the warmed-up server rests before its own memory is taken.
const idleSettle = 3 * time.Second

type memoryTrial struct {
	Topics  string    `json:"topics"`
	Streams int       `json:"streams"`
	Idle    footprint `json:"idle"`
	Open    footprint `json:"open"`
}

type memoryResult struct {
	Topics         string  `json:"topics"`
	BytesPerStream float64 `json:"bytes_per_stream"` // slope
	FixedBytes     float64 `json:"fixed_bytes"`      // intercept
	Largest        float64 `json:"bytes_per_stream_at_most_streams"`
}

func (b *bench) memory(ctx context.Context) error {
	var specs []spec
	for _, name := range []string{"ssedge", "limit", "twin"} {
		if b.wantsServer(name) {
			specs = append(specs, spec{name: name}) // shards as the server chooses
		}
	}
	for _, s := range specs {
		for _, topics := range []string{"shared", "own"} {
			if s.name == "limit" && topics == "own" {
				continue // it has one topic
			}
			if err := b.memoryOf(ctx, s, topics); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) memoryOf(ctx context.Context, s spec, topics string) error {
	var streams, bytes []float64
	var largest float64
	for round, n := range b.memoryStreams {
		measured := memoryTrial{Topics: topics, Streams: n}
		err := b.try(ctx, s, func(ctx context.Context, t *trial) (err error) {
			time.Sleep(min(idleSettle, b.idleWait))
			if measured.Idle, err = t.memory(); err != nil {
				return err
			}
			var topic func(int) string
			if topics == "own" {
				topic = func(i int) string { return fmt.Sprintf("t%07d", i) }
			}
			if _, err = t.open(ctx, n, topic); err != nil {
				return err
			}
			time.Sleep(b.idleWait)
			if ended := t.client.Totals().Ended; ended > 0 {
				return fmt.Errorf("expected %d open streams, the server closed %d", n, ended)
			}
			measured.Open, err = t.memory()
			return err
		})
		if err != nil {
			return err
		}
		grown := float64(measured.Open.PSS - measured.Idle.PSS)
		streams, bytes = append(streams, float64(n)), append(bytes, grown)
		largest = grown / float64(n)
		b.say("memory %v, %s topic: %d streams, %.0f KB more than idle (%.0f KB)", s, topics, n, grown/1024, float64(measured.Idle.PSS)/1024)
		if err := b.report.trial("memory", s, round, measured); err != nil {
			return err
		}
	}
	slope, fixed := line(streams, bytes)
	return b.report.result("memory", s.String(), memoryResult{topics, slope, fixed, largest},
		"%s topic: %.0f bytes per stream and %.0f KB fixed; %.0f bytes per stream all in at %d", topics, slope, fixed/1024, largest,
		b.memoryStreams[len(b.memoryStreams)-1])
}
