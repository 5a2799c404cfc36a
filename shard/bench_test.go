package shard

import (
	"fmt"
	"testing"
	"time"

	"ssedge/shard/log"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// nullKernel takes everything at once: what remains is the shard's own cost.
type nullKernel struct{}

func (nullKernel) Unsent(int) int { return -1 }

func (nullKernel) Watch(int, uint64) sys.Errno               { return 0 }
func (nullKernel) Unwatch(int) sys.Errno                     { return 0 }
func (nullKernel) WatchWritable(int, uint64, bool) sys.Errno { return 0 }
func (nullKernel) Wait([]sys.Event, time.Duration) int       { return 0 }
func (nullKernel) Wake()                                     {}
func (nullKernel) Yield()                                    {}
func (nullKernel) Send(_ int, b []byte) (int, sys.Errno)     { return len(b), 0 }
func (nullKernel) Close(int)                                 {}
func (nullKernel) Release()                                  {}
func (nullKernel) SendV(_ int, pieces [][]byte) (n int, _ sys.Errno) {
	for _, p := range pieces {
		n += len(p)
	}
	return n, 0
}

// benchShard is a shard with that many streams on one topic.
func benchShard(b *testing.B, streams int) (*Group, *Shard) {
	g :=
		&Group{table: topic.New(topic.Config{Retention: log.Retention{Events: 1000},
			HistoryMax: 1 << 30, TopicsMax: 1000})}
	c := &Config{
		Delivery: Delivery{Heartbeat: time.Minute, WriteStall: time.Minute, InboxMax: 1 << 20,
			RestBytes: 1 << 20},
		Turns: Turns{TurnSends: 1 << 20, TurnTime: time.Hour},
	}
	s := newShard(0, c, g.table, nullKernel{}, restBudget{&g.rests, c.RestBytes}, nanotime(), 1)
	g.shards = []*Shard{s}
	g.table.Listen(listeners(g.shards))
	for range streams {
		t, err := g.table.Acquire([]byte("all"))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.inbox.join(Join{Fd: 1, Topic: t}); err != nil {
			b.Fatal(err)
		}
	}
	s.step(nanotime())
	return g, s
}

// BenchmarkFanOut is the cost of an event to many streams, without the system
// call; ns/delivery is that of one delivery.
func BenchmarkFanOut(b *testing.B) {
	for _, streams := range []int{1, 1000, 100_000} {
		for _, size := range []int{100, 4096} {
			b.Run(fmt.Sprintf("streams=%d/size=%d", streams, size), func(b *testing.B) {
				g, s := benchShard(b, streams)
				body := append([]byte("data: "), make([]byte, size)...)
				body = append(body, '\n')
				b.ReportAllocs()
				for b.Loop() {
					if _, err := g.table.Publish([]byte("all"), body); err != nil {
						b.Fatal(err)
					}
					s.step(nanotime())
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(streams),
					"ns/delivery")
			})
		}
	}
}

// BenchmarkHeartbeat is the cost of a heartbeat, without the system call.
func BenchmarkHeartbeat(b *testing.B) {
	_, s := benchShard(b, 1000)
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		s.beat(i%1000, s.slots.at(i%1000))
	}
}
