package topic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// save returns the records of a table.
func save(t *testing.T, table *Table) (records [][]byte) {
	t.Helper()
	if err := table.Save(func(record []byte) error {
		records = append(records, slices.Clone(record))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return records
}

// each returns the records one by one.
func each(records [][]byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(records) == 0 {
			return nil, nil
		}
		first := records[0]
		records = records[1:]
		return first, nil
	}
}

// restart is another table, as a process has it that starts at wall.
func restart(t *testing.T, from *Table, c Config, wall uint64, clean bool) (*Table, Saved) {
	t.Helper()
	again, now := newTable(c)
	*now = wall
	saved, err := again.Load(each(save(t, from)), clean)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Verify(); err != nil {
		t.Fatal(err)
	}
	return again, saved
}

// After a clean restart every position that there could be is answered as before: of topics with
// history, of those that never had an event, of forgotten ones, and of those that there never were.
func TestACleanRestartChangesNoAnswer(t *testing.T) {
	oneGoroutine(t)
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 6))
		c := Config{Retention: log.Retention{Events: 6, AgeMS: 400}}
		table, wall := newTable(c)
		ids := map[string][]eventid.ID{}
		for range 600 {
			*wall += uint64(rng.IntN(5))
			name := fmt.Sprint("t", rng.IntN(40))
			switch rng.IntN(8) {
			case 0:
				table.Release(acquire(t, table, name))
			case 1:
				if rng.IntN(20) == 0 {
					table.EvictOldest()
					table.ForgetOldest()
				}
			default:
				ids[name] = append(ids[name], publish(t, table, name, "x"))
			}
		}
		again, _ := restart(t, table, c, *wall, true)
		if table.Topics() != again.Topics() {
			t.Fatalf("seed %d: %d topics, then %d", seed, table.Topics(), again.Topics())
		}
		for k := range 45 { // five were never seen
			name := fmt.Sprint("t", k)
			positions := []eventid.Position{}
			for ms := uint64(999_990); ms < *wall+4; ms += 3 {
				positions = append(positions, eventid.At(ms))
			}
			for _, id := range ids[name] {
				positions = append(positions, eventid.After(id),
					eventid.After(eventid.ID{MS: id.MS, Seq: id.Seq + 1}))
			}
			one, other := acquire(t, table, name), acquire(t, again, name)
			for _, p := range positions {
				want := one.Locate(log.ResumeAt, p, false)
				if got := other.Locate(log.ResumeAt, p, false); got != want {
					t.Fatalf("seed %d, %s at %v: %+v, before the restart %+v", seed, name, p, got,
						want)
				}
			}
			last := publish(t, table, name, "y")
			if next := publish(t, again, name, "y"); next != last {
				t.Fatalf("seed %d, %s: the next id is %v, it would have been %v", seed, name, next,
					last)
			}
		}
	}
}

// Ids go on above those of before and above the time of the file, even if the clock was set back.
func TestIDsGoOnAfterARestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		table, wall := newTable(Config{})
		*wall += 500
		last := publish(t, table, "t", "x")
		*wall += 500
		begin := acquire(t, table, "quiet").Locate(log.ResumeNot, eventid.Position{}, false)
		again, _ := restart(t, table, Config{}, 5000, clean)
		for _, name := range []string{"t", "new"} {
			if next := publish(t, again, name, "x"); !last.Less(next) || next.MS < *wall {
				t.Errorf("clean: %v: %s gets %v after %v", clean, name, next, last)
			}
		}
		publish(t, again, "quiet", "x")
		p := acquire(t, again, "quiet").Locate(log.ResumeAt, begin.At, false)
		if exact := p.Cause == log.GapNone && p.Cursor == 0; exact != clean {
			t.Errorf("clean: %v: a time resumes at %d with cause %q", clean, p.Cursor, p.Cause)
		}
	}
}

// After a crash what came between the snapshot and the start is a hole, told once and in its place;
// what came since is there.
func TestACrashIsAHole(t *testing.T) {
	table, wall := newTable(Config{})
	begun := acquire(t, table, "quiet").Locate(log.ResumeNot, eventid.Position{}, false)
	first := publish(t, table, "t", "1")
	*wall += 10
	second := publish(t, table, "t", "2")
	records := save(t, table)
	*wall += 10
	lost := publish(t, table, "t", "lost")
	publish(t, table, "quiet", "lost")
	publish(t, table, "made later", "lost")

	again, now := newTable(Config{})
	*now = *wall + 1000
	saved, err := again.Load(each(records), false)
	if err != nil {
		t.Fatal(err)
	}
	since := publish(t, again, "t", "3")
	topic := acquire(t, again, "t")
	var s log.Snapshot
	topic.Snapshot(&s)
	var ids []eventid.Position // of the two, the gap, and the one since
	for at := s.Tail; at < s.Head; {
		e := s.Event(at)
		ids, at = append(ids, e.At), e.End
	}
	if len(ids) != 4 || ids[0] != eventid.After(first) || ids[1] != eventid.After(second) ||
		ids[2].ID.MS <= lost.MS || ids[3] != eventid.After(since) {
		t.Fatalf("the log has %v after a crash", ids)
	}
	for _, c := range []struct {
		at     eventid.ID
		behind int // so many events
		cause  log.GapCause
	}{{first, 1, log.GapNone}, {second, 2, log.GapNone}, {lost, 3, log.GapMissed},
		{ids[2].ID, 3, log.GapNone}, {since, 4, log.GapNone}} {
		p := topic.Locate(log.ResumeAt, eventid.After(c.at), false)
		if n := 4 - s.EventsBetween(min(p.Cursor, s.Head), s.Head); p.Cursor != s.Head &&
			n != c.behind || p.Cause != c.cause {
			t.Errorf("at %v: behind %d events with cause %q, expected %d, %q", c.at, n, p.Cause,
				c.behind, c.cause)
		}
	}
	for _, name := range []string{"quiet", "made later"} {
		p := acquire(t, again, name).Locate(log.ResumeAt, begun.At, false)
		if p.Cause != log.GapExpired {
			t.Errorf("%s: a time before the crash resumes with cause %q", name, p.Cause)
		}
	}
	for id, had := range map[eventid.ID]bool{first: true, second: true, lost: false} {
		if saved.Had("t", id) != had {
			t.Errorf("the event %v was saved: %v", id, !had)
		}
	}
}

// What does not fit any more goes, the oldest first, and is told.
func TestBoundsHoldWhenATableIsLoaded(t *testing.T) {
	usual := Config{Retention: log.Retention{AgeMS: 3_600_000}}
	table, wall := newTable(usual)
	ids := map[string]eventid.ID{}
	for n := range 40 {
		*wall += 1000
		name := fmt.Sprint("t", n)
		ids[name] = publish(t, table, name, fmt.Sprintf("%0500d", n))
		publish(t, table, name, "x")
	}
	for name, c := range map[string]Config{
		"topics":    {Retention: usual.Retention, TopicsMax: 10},
		"history":   {Retention: usual.Retention, HistoryMax: table.HistoryBytes() / 4},
		"retention": {Retention: log.Retention{Events: 1}},
		"age":       {Retention: log.Retention{AgeMS: 8500}},
	} {
		for _, clean := range []bool{true, false} {
			again, _ := restart(t, table, c, *wall, clean)
			if c.TopicsMax > 0 && again.Topics() > c.TopicsMax || c.HistoryMax > 0 &&
				again.HistoryBytes() > c.HistoryMax {
				t.Errorf("%s: %d topics, %d bytes", name, again.Topics(), again.HistoryBytes())
			}
			for n := range 40 {
				of := fmt.Sprint("t", n)
				p := acquire(t, again, of).Locate(log.ResumeAt, eventid.After(ids[of]), false)
				kept, want := p.Cause == log.GapNone, n >= 31
				if name == "retention" { // the gap over a crash is an event, too
					want = clean
				}
				if name == "history" && n >= 20 && n <= 35 {
					want = kept // about a quarter fits
				}
				early := again.Find(of).Locate(log.ResumeAt, eventid.At(1_000_001), false)
				if name == "topics" && (early.Cause == log.GapNone) != kept {
					t.Errorf("%s, clean %v: topic %d of 40 resumes from before all with cause %q",
						name, clean, n, early.Cause)
				}
				if kept != want {
					t.Errorf("%s, clean %v: topic %d of 40 resumes with cause %q", name, clean, n,
						p.Cause)
				}
				if name != "topics" { // which holds as many as it may
					continue
				}
				again.Release(again.Find(of))
			}
		}
	}
}

// A log that is too large for the room takes with it those that were used before.
func TestTheLeastRecentlyUsedGoFirstWhenATableIsLoaded(t *testing.T) {
	table, wall := newTable(Config{})
	for _, c := range []struct {
		name string
		size int
	}{{"oldest", 10}, {"large", 10_000}, {"newest", 10}} {
		publish(t, table, c.name, fmt.Sprintf("%0*d", c.size, 0))
		*wall += 1000
	}
	again, _ := restart(t, table, Config{HistoryMax: 5000}, *wall, true)
	if got := again.recency.used.order(); !slices.Equal(got, []string{"newest"}) ||
		again.Evicted.Load() != 2 {
		t.Errorf("%v have history, and %d were evicted", got, again.Evicted.Load())
	}
	if got := again.recency.idle.order(); !slices.Equal(got, []string{"oldest", "large"}) {
		t.Errorf("%v linger", got)
	}
}

// The order in which topics go is as it was.
func TestRecencyOutlastsARestart(t *testing.T) {
	c := Config{Retention: log.Retention{AgeMS: 3_600_000}}
	table, wall := newTable(c)
	for _, name := range []string{"a", "b", "c", "a"} {
		publish(t, table, name, "x")
		*wall += 1000
		table.Release(acquire(t, table, "idle "+name))
		*wall += 1000
	}
	again, _ := restart(t, table, c, *wall, true)
	for _, lists := range [][2]*topicList{{&table.recency.used, &again.recency.used},
		{&table.recency.idle, &again.recency.idle}} {
		if was, is := lists[0].order(), lists[1].order(); !slices.Equal(was, is) || len(is) != 3 {
			t.Errorf("the order is %v, it was %v", is, was)
		}
	}
	*wall += 3_600_000 + 10_000
	again.wallMS = func() uint64 { return *wall }
	again.Expire()
	*wall += 3_600_000 + 10_000
	again.Expire()
	if again.Topics() != 0 {
		t.Errorf("%d topics are never forgotten", again.Topics())
	}
}

var errDisk = errors.New("no disk")

// A table that cannot be read leaves an empty one that works.
func TestNoHalfTableIsLoaded(t *testing.T) {
	table, _ := newTable(Config{})
	for n := range 10 {
		publish(t, table, fmt.Sprint("t", n), "x")
	}
	records := save(t, table)
	for n := range len(records) {
		cut := slices.Clone(records)
		cut[n] = cut[n][:len(cut[n])-1]
		twice := append(slices.Clone(records), records[max(n, 1)])
		left := slices.Clone(records[:n])
		for name, next := range map[string]func() ([]byte, error){
			"cut": each(cut), "twice": each(twice), "unread": func() ([]byte, error) {
				if len(left) == 0 {
					return nil, errDisk
				}
				first := left[0]
				left = left[1:]
				return first, nil
			},
		} {
			again, _ := newTable(Config{})
			if _, err := again.Load(next, true); err == nil {
				t.Fatalf("record %d, %s: it was loaded", n, name)
			}
			if again.Topics() != 0 || again.HistoryBytes() != 0 {
				t.Fatalf("record %d, %s: %d topics are left", n, name, again.Topics())
			}
			publish(t, again, "t1", "x")
			if err := again.Verify(); err != nil || again.Topics() != 1 {
				t.Fatalf("record %d, %s: %v", n, name, err)
			}
		}
	}
}

// A table is saved while it is used: what is saved can be loaded, and has all that there was
// before.
func TestATableIsSavedWhileItIsUsed(t *testing.T) {
	table := New(Config{Retention: log.Retention{Events: 50}, HistoryMax: 1 << 30,
		TopicsMax: 1 << 20})
	before := map[string]eventid.ID{}
	for n := range 50 {
		before[fmt.Sprint("t", n)] = publish(t, table, fmt.Sprint("t", n), "x")
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for w := range 3 {
		running.Go(func() {
			for n := w; ; n += 3 {
				select {
				case <-stop:
					return
				default:
					publish(t, table, fmt.Sprint("t", n%50), "y")
					if n%50 == 0 {
						table.EvictOldest()
						table.ForgetOldest()
					}
				}
			}
		})
	}
	for range 20 {
		again := New(Config{HistoryMax: 1 << 30, TopicsMax: 1 << 20})
		if _, err := again.Load(each(save(t, table)), false); err != nil {
			t.Error(err)
		}
		if err := again.Verify(); err != nil {
			t.Error(err)
		}
		for name, id := range before {
			if next := publish(t, again, name, "z"); !id.Less(next) {
				t.Errorf("%s gets %v after %v", name, next, id)
			}
		}
	}
	close(stop)
	running.Wait()
}
