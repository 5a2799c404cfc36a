package topic

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/roomy"
)

// newTable is a table with a clock that is set by hand.
func newTable(c Config) (*Table, *uint64) {
	wall := uint64(1_000_000)
	c.WallMS = func() uint64 { return wall }
	if c.TopicsMax == 0 {
		c.TopicsMax = 1 << 20
	}
	if c.HistoryMax == 0 {
		c.HistoryMax = 1 << 40
	}
	return New(c), &wall
}

func acquire(t *testing.T, table *Table, name string) *Topic {
	t.Helper()
	topic, err := table.Acquire([]byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

// retained is the whole log of a topic, as a pass would see it.
func retained(topic *Topic) []byte {
	var s log.Snapshot
	topic.Snapshot(&s)
	if s.Tail == s.Head {
		return nil
	}
	return bytes.Join(s.Behind(s.Tail), nil)
}

func TestIDsOfATopicStrictlyIncrease(t *testing.T) {
	oneGoroutine(t)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		table, wall := newTable(Config{Retention: log.Retention{AgeMS: 50}, HistoryMax: 2000})
		last := map[string]eventid.ID{}
		forgotten := 0
		for range 3000 {
			*wall += uint64(rng.IntN(12))
			*wall -= uint64(rng.IntN(10)) // also back
			if rng.IntN(20) == 0 {
				*wall += 60
				table.Expire()
			}
			name := fmt.Sprint("topic", rng.IntN(200))
			before := table.Topics()
			id := publish(t, table, name, "x")
			if table.Topics() > before && !last[name].IsZero() {
				forgotten++
			}
			if !last[name].Less(id) {
				t.Fatalf("seed %d: %s was given %v after %v", seed, name, id, last[name])
			}
			last[name] = id
		}
		if forgotten == 0 {
			t.Fatalf("seed %d: no topic was forgotten and came back", seed)
		}
	}
}

// A position from before a topic was forgotten is never taken for one of the new.
func TestAPositionFromBeforeForgettingIsAGap(t *testing.T) {
	table, _ := newTable(Config{})
	first, second := publish(t, table, "t", "1"), publish(t, table, "t", "2")
	table.ForgetAll()
	publish(t, table, "t", "3")
	topic := acquire(t, table, "t")
	if p := topic.Locate(log.ResumeAt, eventid.After(first), false); p.Cause != log.GapExpired ||
		p.Cursor != 0 {
		t.Errorf("resumed with cause %q at %d, want expired at 0", p.Cause, p.Cursor)
	}
	if p := topic.Locate(log.ResumeAt, eventid.After(second), false); p.Cause != log.GapNone ||
		p.Cursor != 0 {
		t.Errorf("the newest id that was lost resumes with cause %q at %d", p.Cause, p.Cursor)
	}
}

// A topic without holder and history lingers for as long as an event is kept; then it is forgotten.
func TestATopicIsForgottenWhenNothingCanNeedIt(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(table *Table, wall *uint64, topic *Topic)
	}{
		{"held, never published to", func(table *Table, _ *uint64, topic *Topic) {
			table.Release(topic)
		}},
		{"released, then expired", func(table *Table, wall *uint64, topic *Topic) {
			publish(t, table, "t", "x")
			table.Release(topic)
			*wall += 10_000
			table.Expire()
		}},
		{"expired, then released", func(table *Table, wall *uint64, topic *Topic) {
			publish(t, table, "t", "x")
			*wall += 10_000
			table.Expire()
			if table.Topics() != 1 {
				t.Error("forgotten while held")
			}
			table.Release(topic)
		}},
		{"trimmed by a look at it, then released", func(table *Table, wall *uint64, topic *Topic) {
			publish(t, table, "t", "x")
			*wall += 10_000
			topic.Locate(log.ResumeNot, eventid.Position{}, false)
			table.Release(topic)
		}},
		{"released, then evicted", func(table *Table, _ *uint64, topic *Topic) {
			publish(t, table, "t", "x")
			table.Release(topic)
			table.EvictOldest()
		}},
	} {
		table, wall := newTable(Config{Retention: log.Retention{AgeMS: 5000}})
		c.run(table, wall, acquire(t, table, "t"))
		*wall += 5000
		table.Expire()
		if table.Topics() != 1 || table.HistoryBytes() != 0 {
			t.Errorf("%s: %d topics, %d bytes left; expected the topic to linger", c.name,
				table.Topics(), table.HistoryBytes())
		}
		*wall += 2000
		table.Expire()
		if table.Topics() != 0 {
			t.Errorf("%s: %d topics left", c.name, table.Topics())
		}
	}
}

// A client that comes back to a quiet topic soon is told of no gap, however many other
// topics were forgotten meanwhile.
func TestALingeringTopicProvesThatNothingWasMissed(t *testing.T) {
	for _, events := range []int{0, 1} {
		table, wall := newTable(Config{Retention: log.Retention{AgeMS: 5000}})
		*wall += 1000
		topic := acquire(t, table, "mine")
		for range events {
			publish(t, table, "mine", "x")
		}
		begin := topic.Locate(log.ResumeNot, eventid.Position{}, false)
		for n := range 1000 {
			publish(t, table, fmt.Sprint("other", n), "x")
		}
		for range 10 { // a long time in which the client is there
			*wall += 4000
			table.Expire()
		}
		if n := table.Topics(); n != 1 {
			t.Fatalf("%d topics, want its own", n)
		}
		table.Release(topic)
		*wall += 4000
		table.Expire()
		again := acquire(t, table, "mine")
		if p := again.Locate(log.ResumeAt, begin.At, false); p.Cause != log.GapNone ||
			p.Cursor != p.Head {
			t.Errorf("%d events: %v resumes with cause %q at %d of %d", events, begin.At, p.Cause,
				p.Cursor, p.Head)
		}
		if p := again.Locate(log.ResumeAt, eventid.At(1), false); p.Cause != log.GapExpired {
			t.Errorf("%d events: a time before the node began resumes with cause %q", events,
				p.Cause)
		}
	}
}

func TestExpiryTakesWhatIsOldAndNothingElse(t *testing.T) {
	table, wall := newTable(Config{Retention: log.Retention{AgeMS: 5000}})
	for n := range 20 {
		publish(t, table, fmt.Sprint("old", n), "x")
	}
	*wall += 4000
	publish(t, table, "old0", "y")
	table.Expire()
	if table.Topics() != 20 {
		t.Errorf("%d topics left before their age", table.Topics())
	}
	*wall += 3000
	table.Expire()
	if got := table.recency.used.order(); !slices.Equal(got, []string{"old0"}) {
		t.Errorf("%v have history, want the one that was published to", got)
	}
	if table.Topics() != 20 {
		t.Errorf("%d topics, want those that linger too", table.Topics())
	}
	*wall += 7000
	table.Expire() // the linger of the others, the age of old0
	*wall += 7000
	table.Expire()
	if table.Topics() != 0 {
		t.Errorf("%d topics left", table.Topics())
	}
}

// At the bound of topics those that nothing holds make room, the longest unused first, and their
// histories are known to be gone.
func TestUnheldTopicsMakeRoom(t *testing.T) {
	table, wall := newTable(Config{TopicsMax: 3})
	held := acquire(t, table, "held")
	publish(t, table, "held", "x")
	last := map[string]eventid.ID{}
	for n := range 20 {
		*wall += 2000
		name := fmt.Sprint("topic", n)
		last[name] = publish(t, table, name, "x")
		if table.Topics() > 3 || table.Find("held") != held || held.log.Events() != 1 {
			t.Fatalf("%d topics", table.Topics())
		}
	}
	for n := range 20 {
		name := fmt.Sprint("topic", n)
		if got, want := table.Find(name) != nil, n >= 18; got != want {
			t.Errorf("%s is there: %v", name, got)
		}
	}
	if again := publish(t, table, "topic0", "x"); !last["topic0"].Less(again) {
		t.Errorf("it comes back with %v after %v", again, last["topic0"])
	}
}

func TestTheTableIsFullAtItsBoundAndRecovers(t *testing.T) {
	table, _ := newTable(Config{TopicsMax: 3})
	a, b := acquire(t, table, "a"), acquire(t, table, "b")
	c := acquire(t, table, "c")
	publish(t, table, "c", "x")
	for range 3 {
		if _, err := table.Acquire([]byte("d")); !errors.Is(err, ErrFull) {
			t.Fatalf("a fourth topic: %v", err)
		}
		if _, err := table.Publish([]byte("d"), []byte("data: x\n")); !errors.Is(err, ErrFull) {
			t.Fatalf("an event for a fourth topic: %v", err)
		}
	}
	if again := acquire(t, table, "a"); again != a {
		t.Error("a topic at the bound is not itself")
	}
	table.Release(a)
	if _, err := table.Acquire([]byte("d")); !errors.Is(err, ErrFull) {
		t.Error("a topic with a holder left was forgotten")
	}
	table.Release(a)
	d := acquire(t, table, "d") // in the place of a
	table.Release(c)
	e := acquire(t, table, "e") // in the place of c and its history
	table.Release(b)
	table.Release(e)
	table.Release(d)
	e = acquire(t, table, "e") // which lingers
	acquire(t, table, "f")     // in the place of b, the longest without a holder
	if again := acquire(t, table, "d"); again != d {
		t.Error("d was forgotten, although b had gone before it")
	}
	if _, err := table.Acquire([]byte("g")); !errors.Is(err, ErrFull) || table.Topics() != 3 {
		t.Errorf("%d topics, all held; another one: %v", table.Topics(), err)
	}
	table.Release(e)
	acquire(t, table, "g")
}

// oneGoroutine skips a test under the race detector, which has nothing to watch in it.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("not run with -race: all of it happens in one goroutine. go test ./shard/topic runs it")
	}
}

// The memory of many topics goes with them.
func TestStripesKeepNoPeak(t *testing.T) {
	oneGoroutine(t)
	table, _ := newTable(Config{})
	const topics = 2 * roomy.Kept * stripes
	for i := range topics {
		topic, err := table.Acquire(fmt.Append(nil, "t", i))
		if err != nil {
			t.Fatal(err)
		}
		table.Release(topic)
	}
	table.ForgetAll()
	for i := range table.stripes {
		if peak := table.stripes[i].peak; peak > roomy.Kept {
			t.Errorf("a stripe without topics has the map of %d", peak)
		}
	}
}

func TestTheClockThatIsHeldBackIsSeen(t *testing.T) {
	table, wall := newTable(Config{})
	now := *wall
	publish(t, table, "a", "x")
	if held := table.ClockHeld(); held != 0 {
		t.Errorf("held for %v at first", held)
	}
	*wall = now + 5000
	publish(t, table, "a", "x")
	*wall = now
	if held := table.ClockHeld(); held != 5*time.Second {
		t.Errorf("set back by 5 s: held for %v", held)
	}
	*wall = now + 6000
	if held := table.ClockHeld(); held != 0 {
		t.Errorf("caught up: held for %v", held)
	}
}
