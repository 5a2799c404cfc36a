package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The load the cost is extrapolated to.
const (
	millionStreams  = 1_000_000
	millionInterval = 30 * time.Second
)

type heartbeatTrial struct {
	Streams       int     `json:"streams"`
	Interval      string  `json:"interval"`
	Seconds       float64 `json:"seconds"`
	Heartbeats    uint64  `json:"heartbeats"`
	PerStream     float64 `json:"heartbeats_per_stream_and_interval"` // 1 when none is missing
	CPUSeconds    float64 `json:"cpu_seconds"`
	MicrosPerItem float64 `json:"us_per_heartbeat"`
	MillionCores  float64 `json:"cores_for_a_million_streams_at_30s"`
}

func (b *bench) heartbeat(ctx context.Context) error {
	if !b.wantsServer("ssedge") {
		b.say("heartbeat: skipped, only ssedge sends them (--ssedge names the program)")
		return nil
	}
	s := spec{name: "ssedge", args: []string{"--heartbeat", b.heartbeatEvery.String()}}
	var measured heartbeatTrial
	err := b.try(ctx, s, func(ctx context.Context, t *trial) (err error) {
		measured, err = t.heartbeat(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := b.report.trial("heartbeat", s, 0, measured); err != nil {
		return err
	}
	return b.report.result("heartbeat", s.String(), measured,
		"%.2f us of CPU per heartbeat (%.2f per stream and interval); a million streams at %v: %.2f cores",
		measured.MicrosPerItem, measured.PerStream, millionInterval, measured.MillionCores)
}

func (t *trial) heartbeat(ctx context.Context) (heartbeatTrial, error) {
	b := t.bench
	interval := b.heartbeatEvery
	m := heartbeatTrial{Streams: b.streams, Interval: interval.String()}
	if _, err := t.open(ctx, b.streams, nil); err != nil {
		return m, err
	}
	time.Sleep(2 * interval) // the first beats are spread; from the second on each stream has its own rhythm
	beats := t.client.Totals().Comments
	before, err := t.cpu()
	if err != nil {
		return m, err
	}
	started := time.Now()
	select {
	case <-ctx.Done():
		return m, context.Cause(ctx)
	case <-time.After(b.heartbeatFor):
	}
	took := time.Since(started)
	m.Heartbeats = t.client.Totals().Comments - beats
	after, err := t.cpu()
	if err != nil {
		return m, err
	}
	if ended := t.client.Totals().Ended; ended > 0 {
		return m, fmt.Errorf("the server closed %d streams", ended)
	}
	if m.Heartbeats == 0 {
		return m, errors.New("no heartbeat arrived")
	}
	m.Seconds, m.CPUSeconds = took.Seconds(), (after - before).Seconds()
	m.PerStream = float64(m.Heartbeats) / float64(b.streams) / (took.Seconds() / interval.Seconds())
	m.MicrosPerItem = micros(after-before, float64(m.Heartbeats))
	m.MillionCores = m.MicrosPerItem / 1e6 * millionStreams / millionInterval.Seconds()
	return m, nil
}
