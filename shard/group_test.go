package shard

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// Publishers, joins and leaves at once; then a drain. Each client that stayed has
// every event of its topic in order; no descriptor is left.
func TestAGroupDeliversUnderConcurrencyAndDrains(t *testing.T) {
	before := descriptors(t)
	g := startGroup(t, 3)
	const streams, eventsEach = 60, 300
	results := make([][]string, streams)
	var reading, publishing sync.WaitGroup
	var ready sync.WaitGroup
	for n := range streams {
		topics := [][]string{{"a"}, {"b"}, {"a", "b"}}[n%3]
		client, err := g.connect(uint32(n), topics...)
		if err != nil {
			t.Fatal(err)
		}
		ready.Add(1)
		reading.Go(func() {
			var d sse.Decoder
			opened(t, client, &d)
			ready.Done()
			results[n] = readAll(t, client, &d)
		})
	}
	ready.Wait()
	for _, name := range []string{"a", "b"} {
		publishing.Go(func() {
			for n := range eventsEach {
				if _, err := g.Table().Publish([]byte(name),
					fmt.Appendf(nil, "data: %s%d\n", name, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for w := range 2 { // some come and go meanwhile
		publishing.Go(func() {
			for n := range 200 {
				client, err := g.connect(uint32(1000+1000*w+n), "a", "c")
				if err != nil {
					t.Error(err)
					return
				}
				if n%3 == 0 {
					client.Read(make([]byte, 10))
				}
				client.Close()
			}
		})
	}
	publishing.Wait()
	g.Drain(1e6, time.Minute)
	reading.Wait()
	for n, got := range results {
		next := map[string]int{}
		for _, data := range got {
			if name := data[:1]; data != fmt.Sprint(name, next[name]) {
				t.Fatalf("stream %d got %q after %v", n, data, next)
			}
			next[data[:1]]++
		}
		if want := []int{1, 1, 2}[n%3] * eventsEach; len(got) != want {
			t.Errorf("stream %d got %d events, want %d", n, len(got), want)
		}
	}
	g.halt()
	if got := g.ends.Load(); got != streams+400 {
		t.Errorf("%d streams ended, want %d", got, streams+400)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// Streams that join while the group stops are closed, or refused: none is left in
// an inbox that no shard reads. Publishers may go on for ever.
func TestAStoppedGroupLeavesNothingOpen(t *testing.T) {
	for range 5 {
		before := descriptors(t)
		g := startGroup(t, 2)
		var all sync.WaitGroup
		joined := make([]int, 3)
		begun := make(chan struct{}, 3)
		for w := range 3 {
			all.Go(func() {
				for n := 0; ; n++ {
					client, err := g.connect(uint32(w<<20+n), "a")
					if errors.Is(err, ErrStopped) {
						return
					}
					if errors.Is(err, ErrInboxFull) {
						runtime.Gosched()
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					client.Close()
					joined[w]++
					if n%100 == 10 {
						g.Table().Publish([]byte("a"), []byte("data: x\n"))
					}
					if joined[w] == 10 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		g.halt()
		all.Wait()
		if got, want := int(g.ends.Load()), joined[0]+joined[1]+joined[2]; got != want {
			t.Fatalf("%d streams joined, %d ended", want, got)
		}
		g.Table().Publish([]byte("a"), []byte("data: x\n"))
		g.Drain(1, time.Minute)
		if after := descriptors(t); after != before {
			t.Fatalf("%d descriptors, %d before", after, before)
		}
		topic := acquire(t, g.Table(), "a")
		if got := topic.Holders(); got != 1 {
			t.Fatalf("%d holds on the topic, want the one of this test", got)
		}
	}
}

// A drain that waits for clients which do not read ends with the group.
func TestAStopEndsADrain(t *testing.T) {
	g := startGroup(t, 2)
	client, err := g.connect(1, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var d sse.Decoder
	opened(t, client, &d)
	for g.Stats()[0].Blocked.Load()+g.Stats()[1].Blocked.Load() == 0 {
		g.Table().Publish([]byte("a"), sized(10_000))
	}
	drained := make(chan struct{})
	go func() {
		g.Drain(1000, time.Hour)
		close(drained)
	}()
	for range 100 {
		runtime.Gosched()
	}
	g.halt()
	<-drained
	if reason, _ := g.ended.Load(uint32(1)); reason != ClosedShutdown {
		t.Errorf("the stream ended with %v", reason)
	}
}

func TestHeartbeatsComeByThemselves(t *testing.T) {
	g := startGroup(t, 1)
	client, err := g.connect(1, "a")
	if err != nil {
		t.Fatal(err)
	}
	beats := make(chan bool, 100)
	d := sse.Decoder{OnComment: func(text string) {
		if text == "" {
			select {
			case beats <- true:
			default: // three are enough
			}
		}
	}}
	var reading sync.WaitGroup
	reading.Go(func() { readAll(t, client, &d) })
	for range 3 {
		select {
		case <-beats:
		case <-time.After(time.Minute):
			t.Fatal("no heartbeat")
		}
	}
	g.halt()
	reading.Wait() // it closes the client: the next test may count descriptors
}

func TestStreamsCostNoGoroutines(t *testing.T) {
	g := startGroup(t, 2)
	before := runtime.NumGoroutine()
	for n := range 200 {
		client, err := g.connect(uint32(n), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var d sse.Decoder
		opened(t, client, &d)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines with 200 streams, %d without", after, before)
	}
}

func TestAGroupHasOneToShardsMaxShards(t *testing.T) {
	for _, n := range []int{-1, 0, ShardsMax + 1} {
		c := patient()
		c.Shards = n
		if _, err := NewGroup(c, topic.Config{}); err == nil {
			t.Errorf("a group of %d shards was made", n)
		}
	}
	g := startGroup(t, ShardsMax) // the last one has the highest bit
	topic := acquire(t, g.Table(), "a")
	for n := range ShardsMax {
		client, err := g.connect(uint32(n), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var d sse.Decoder
		opened(t, client, &d)
	}
	for deadline := time.Now().Add(time.Minute); topic.Interested() != ^uint64(
		0); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("interested are %b", topic.Interested())
		}
	}
	if p := topic.Locate(log.ResumeNot, eventid.Position{}, false); p.Cursor != 0 {
		t.Errorf("a stream of an empty topic begins at %d", p.Cursor)
	}
}
