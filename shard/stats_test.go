package shard

import (
	"math"
	"slices"
	"testing"

	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A value counts in the first bucket whose bound is at or above it, as in Prometheus.
func TestAHistogramCountsUpToItsBounds(t *testing.T) {
	h := newHistogram([]float64{1, 2.5, 10}, 1000)
	for _, v := range []float64{0, 1, 1.001, 2.5, 9, 10, 10.5, 1e6} {
		h.observe(v)
	}
	counts := []uint64{100, 0, 0, 0}
	sum := h.AddTo(counts)
	if want := []uint64{102, 2, 2, 2}; !slices.Equal(counts, want) {
		t.Errorf("counts are %v, want %v", counts, want)
	}
	if want := 1_000_034.001; math.Abs(sum-want) > 0.01 {
		t.Errorf("the sum is %v, want %v", sum, want)
	}
	if len(counts) != len(h.Bounds())+1 {
		t.Errorf("%d buckets for %d bounds", len(counts), len(h.Bounds()))
	}
}

func TestNanosecondsAreCountedInSeconds(t *testing.T) {
	var s Stats
	s.init()
	s.Turn.observeNanos(2_000_000) // 2 ms
	counts := make([]uint64, len(s.Turn.Bounds())+1)
	if sum := s.Turn.AddTo(counts); math.Abs(sum-0.002) > 1e-9 {
		t.Errorf("the sum is %v s, want 0.002", sum)
	}
	if i := slices.Index(counts, 1); s.Turn.Bounds()[i] != 0.0025 {
		t.Errorf("2 ms count in the bucket up to %v s", s.Turn.Bounds()[i])
	}
}

func TestWhatWasSentIsCounted(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	clients := []*client{r.join("a", "", fake.Unlimited), r.join("a,b", "", 30)}
	r.settle()
	for range 50 {
		r.publish("a", "x")
		r.settle()
		clients[1].sock.Free(17)
	}
	clients[1].sock.Free(fake.Unlimited)
	r.settle()
	want := uint64(0)
	for _, c := range clients {
		want += uint64(len(c.sock.Got))
	}
	s := &r.shards[0].stats
	counts := make([]uint64, len(s.SendBytes.Bounds())+1)
	sum := s.SendBytes.AddTo(counts)
	sends := uint64(0)
	for _, n := range counts {
		sends += n
	}
	batched := s.SendEvents.AddTo(make([]uint64, len(s.SendEvents.Bounds())+1))
	if batched != 100 {
		t.Errorf("%v events in the histogram of batches, want 100", batched)
	}
	if s.BytesOut.Load() != want || uint64(sum) != want || sends != s.Sends.Load() ||
		s.EventsOut.Load() != 100 {
		t.Errorf("%d bytes (%v in sends), %d sends (%d in the histogram), %d events; want %d bytes, 100 events",
			s.BytesOut.Load(), sum, s.Sends.Load(), sends, s.EventsOut.Load(), want)
	}
}
