package topic

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// order is the names in a list, least recently used first, checked in both directions.
func (l *topicList) order() (names []string) {
	var back []string
	for t := l.oldest; t != nil; t = t.newer {
		names = append(names, t.name)
	}
	for t := l.newest; t != nil; t = t.older {
		back = append(back, t.name)
	}
	slices.Reverse(back)
	if !slices.Equal(names, back) {
		panic(fmt.Sprintf("forwards %v, backwards %v", names, back))
	}
	return names
}

func TestTheLeastRecentlyPublishedAreEvictedFirst(t *testing.T) {
	table, wall := newTable(Config{})
	for _, name := range []string{"a", "b", "c", "d", "a", "c"} {
		publish(t, table, name, "x")
		*wall += 1000
	}
	for _, want := range []string{"b", "d", "a", "c"} {
		if order := table.recency.used.order(); order[0] != want {
			t.Fatalf("order is %v, want %s first", order, want)
		}
		table.EvictOldest()
	}
	if table.EvictOldest() || table.HistoryBytes() != 0 {
		t.Errorf("%d bytes left", table.HistoryBytes())
	}
}

func TestAllHistoryStaysWithinItsCap(t *testing.T) {
	const most = 20_000
	table, wall := newTable(Config{HistoryMax: most})
	held := acquire(t, table, "t0")
	for n := range 500 {
		publish(t, table, fmt.Sprint("t", n), fmt.Sprintf("%0200d", n))
		*wall += 1000
		if table.HistoryBytes() > most {
			t.Fatalf("%d bytes after %d topics", table.HistoryBytes(), n)
		}
	}
	if table.Evicted.Load() == 0 || table.HistoryBytes() < most/2 {
		t.Errorf("%d evicted, %d bytes left", table.Evicted.Load(), table.HistoryBytes())
	}
	if len(retained(held)) != 0 {
		t.Error("the least recently used log is still there")
	}
	if p := held.Locate(log.ResumeAt, eventid.At(1_000_000), false); p.Cause != log.GapExpired &&
		p.Cause != log.GapEvicted {
		t.Errorf("a position before an eviction resumes with cause %q", p.Cause)
	}
}

// The seconds of the list are ordered over all times that a uint32 can hold.
func TestExpiryKnowsNoYear2038(t *testing.T) {
	for _, second := range []uint64{1, 1<<31 - 3, 1<<31 + 5} {
		wall := second * 1000
		table := New(Config{Retention: log.Retention{AgeMS: 2000}, HistoryMax: 1 << 30,
			TopicsMax: 10, WallMS: func() uint64 { return wall }})
		publish(t, table, "a", "x")
		wall += 3000
		publish(t, table, "b", "x")
		wall += 2500
		table.Expire()
		if got := table.recency.used.order(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("5.5 s after second %d %v are left, want b", second, got)
		}
	}
}

// Publishers, holders, evictions, expiry and looks at the log, all at once. Every
// event that was accepted is retained or below what the log says it lost, ids
// come out in order, and what is held returns to nothing.
func TestNothingIsLostUnderConcurrency(t *testing.T) {
	table := New(Config{Retention: log.Retention{Events: 50, AgeMS: 20}, HistoryMax: 30_000,
		TopicsMax: 40})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() { churn(t, table, w) })
	}
	all.Go(func() {
		for range 300 {
			table.Expire()
			table.EvictOldest()
			table.ForgetOldest()
		}
	})
	all.Wait()
	table.ForgetAll()
	if table.Topics() != 0 || table.HistoryBytes() != 0 {
		t.Errorf("%d topics, %d bytes left", table.Topics(), table.HistoryBytes())
	}
}

// churn publishes to topics that all workers share, holding them or not, and
// looks for what it has published.
func churn(t *testing.T, table *Table, worker int) {
	for n := range 3000 {
		name := []byte(fmt.Sprint("t", (n*7+worker)%60))
		topic, err := table.Acquire(name)
		if errors.Is(err, ErrFull) {
			continue
		}
		before := topic.Locate(log.ResumeNot, eventid.Position{}, false)
		id, err := table.Publish(name, bytes.Repeat([]byte("data: x\n"), 1+n%40))
		if err != nil {
			t.Errorf("a topic that is held cannot be published to: %v", err)
		}
		var s log.Snapshot
		topic.Snapshot(&s)
		for at := s.Tail; at < s.Head; {
			e := s.Event(at)
			if e.End <= at || e.End > s.Head {
				t.Errorf("the event at %d of %d to %d ends at %d", at, s.Tail, s.Head, e.End)
				break
			}
			at = e.End
		}
		if !topic.MayHaveHad(id) {
			t.Errorf("%v is neither retained nor lost", id)
		}
		if p := topic.Locate(log.ResumeAt, before.At, false); p.Cause == log.GapNone &&
			p.Cursor != before.Cursor {
			t.Errorf("the position %v given at %d resumes at %d", before.At, before.Cursor,
				p.Cursor)
		}
		table.Release(topic)
	}
}

// A client that subscribes to names without events, and leaves, fills up an eighth of the
// table at most.
func TestIdleTopicsAreBounded(t *testing.T) {
	table, _ := newTable(Config{Retention: log.Retention{AgeMS: 60_000}, TopicsMax: 800})
	for n := range 5000 {
		table.Release(acquire(t, table, fmt.Sprint(n)))
		if most := min(n+1, 100); table.Topics() != most {
			t.Fatalf("%d topics after %d came and went, want %d", table.Topics(), n+1, most)
		}
	}
	if order := table.recency.idle.order(); order[0] != "4900" || len(order) != 100 {
		t.Errorf("%d linger, the oldest is %s", len(order), order[0])
	}
}
