package shard

import (
	"sync/atomic"

	"ssedge/shard/log"
)

// Stats are a shard's counts. The shard's goroutine writes them, and any goroutine may read them.
type Stats struct {
	Streams       atomic.Int64
	Blocked       atomic.Int64 // streams whose socket is full
	Waiting       atomic.Int64 // streams that cannot begin yet
	Subscriptions atomic.Int64
	Topics        atomic.Int64 // topics with subscribers here
	RestBytes     atomic.Int64 // copies of half-sent events
	Inbox         atomic.Int64 // taken from the inbox and not dealt with yet

	Joined     atomic.Uint64
	Closed     [closeReasons]atomic.Uint64
	Gaps       [log.GapCausesMax]atomic.Uint64
	Sends      atomic.Uint64
	BytesOut   atomic.Uint64
	EventsOut  atomic.Uint64 // events handed to the kernel, whole or begun
	Heartbeats atomic.Uint64
	Turns      atomic.Uint64

	SendBytes  Histogram // bytes of one send
	SendEvents Histogram // events of one send: the batch that a stream was behind
	Turn       Histogram // seconds of work in one turn
	Delivery   Histogram // seconds from the append of a pass's first event to its last send
}

// Histogram counts values in fixed buckets, as Prometheus does. It is written by
// one goroutine and read by any. Make one with its bounds.
type Histogram struct {
	bounds []float64 // upper, ascending
	counts []atomic.Uint64
	sum    atomic.Uint64 // in units of scale
	scale  float64
}

// The bounds of the histograms here.
var (
	secondsBounds = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1,
		.25, .5, 1, 2.5, 5}
	eventsBounds = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096}
	bytesBounds  = []float64{64, 128, 256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10,
		32 << 10, 64 << 10, 256 << 10, 1 << 20}
)

func newHistogram(bounds []float64, scale float64) Histogram {
	return Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1), scale: scale}
}

func (h *Histogram) observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(uint64(v * h.scale))
}

func (h *Histogram) observeNanos(ns int64) { h.observe(float64(ns) / 1e9) }

// Bounds returns the upper bounds of the buckets; there is one more without bound.
func (h *Histogram) Bounds() []float64 { return h.bounds }

// AddTo adds the counts of each bucket to counts, which has one element more than
// Bounds, and returns the sum of all values.
func (h *Histogram) AddTo(counts []uint64) (sum float64) {
	for i := range h.counts {
		counts[i] += h.counts[i].Load()
	}
	return float64(h.sum.Load()) / h.scale
}

// countSend counts one send.
func (s *Stats) countSend(bytes int) {
	s.Sends.Add(1)
	s.BytesOut.Add(uint64(bytes))
	s.SendBytes.observe(float64(bytes))
}

// countEvents counts the events of one send.
func (s *Stats) countEvents(events int) {
	if events > 0 {
		s.EventsOut.Add(uint64(events))
		s.SendEvents.observe(float64(events))
	}
}

func (s *Stats) init() {
	s.SendBytes = newHistogram(bytesBounds, 1)
	s.SendEvents = newHistogram(eventsBounds, 1)
	s.Turn = newHistogram(secondsBounds, 1e9)
	s.Delivery = newHistogram(secondsBounds, 1e9)
}
