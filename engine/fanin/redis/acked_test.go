package redis

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

func TestAcknowledgedEventsThatAreForgotten(t *testing.T) {
	acknowledge := func(f *feed, ids ...uint64) {
		for _, ms := range ids {
			f.source.sending("x").acknowledged(id(ms))
		}
	}
	for name, c := range map[string]struct {
		run  func(f *feed)
		then []uint64 // what the servers have: the predecessor, and events
		gaps uint64
	}{
		"all came":                       {func(f *feed) { acknowledge(f, 101); f.comes(101, 100); f.reconnects() }, upTo(99, 101), 0},
		"it came first":                  {func(f *feed) { f.comes(101, 100); acknowledge(f, 101); f.reconnects() }, upTo(99, 101), 0},
		"while live":                     {func(f *feed) { acknowledge(f, 101); f.reconnects() }, []uint64{100, 110}, 1},
		"a later one is there":           {func(f *feed) { acknowledge(f, 101, 110); f.reconnects() }, []uint64{100, 110}, 1},
		"acknowledged out of order":      {func(f *feed) { acknowledge(f, 102, 101); f.comes(101, 100); f.reconnects() }, []uint64{99, 100, 101, 110}, 1},
		"while away":                     {func(f *feed) { f.lostBy(f.source.only); acknowledge(f, 101); f.subscribed(f.source.only, f.epoch) }, []uint64{100, 110}, 1},
		"a later one comes":              {func(f *feed) { acknowledge(f, 101); f.comes(110, 100) }, nil, 1},
		"nothing comes":                  {func(f *feed) { acknowledge(f, 101); f.lookForAcked(); f.lookForAcked() }, []uint64{99, 100}, 1},
		"nothing comes, and it is there": {func(f *feed) { acknowledge(f, 101); f.lookForAcked(); f.lookForAcked() }, upTo(99, 101), 0},
		"of a clock ahead":               {func(f *feed) { acknowledge(f, 150); f.comes(110, 100); f.lookForAcked(); f.lookForAcked() }, []uint64{99, 100, 110}, 1},
	} {
		f := followed(t)
		c.run(f)
		if c.then != nil {
			chain(c.then...).answer(t, f)
		}
		if n := f.source.counts.gaps.Load(); n != c.gaps || f.state != live {
			t.Errorf("%s: %d gaps, expected %d; it is %s", name, n, c.gaps, stateNames[f.state])
		}
		if f.unheard != nil && len(f.unheard.all) > 0 {
			t.Errorf("%s: %+v are awaited", name, f.unheard.all)
		}
	}
}

// Behind the bound events are kept as one, and told even if they come.
func TestAcknowledgedEventsAreBounded(t *testing.T) {
	for _, n := range []uint64{ackedMax, ackedMax + 1, 3 * ackedMax} {
		f := followed(t)
		f.lostBy(f.source.only)
		for _, ms := range upTo(101, 100+n) {
			f.source.sending("x").acknowledged(id(ms))
		}
		if len(f.unheard.all) != ackedMax {
			t.Errorf("%d of %d are kept, expected %d", len(f.unheard.all), n, ackedMax)
		}
		f.subscribed(f.source.only, f.epoch)
		chain(upTo(99, 100+n)...).answer(t, f)
		if gaps, want := f.source.counts.gaps.Load(), uint64(min(n-ackedMax, 1)); gaps != want {
			t.Errorf("%d gaps after %d, expected %d", gaps, n, want)
		}
	}
}

// An event that came, and was let go since, is not lost, though the log cannot tell any more.
func TestAcknowledgedEventsThatWereLetGo(t *testing.T) {
	f := keeping(t, 3)
	s := f.source
	f.comes(101, 100)
	f.comes(150, 101)
	f.reconnects()
	chain(99, 100, 101, 160).answer(t, f) // 150 is forgotten
	s.sending("x").acknowledged(id(161))
	for ms := uint64(161); ms < 180; ms++ {
		f.comes(ms, ms-1)
	}
	f.reconnects()
	chain(upTo(160, 179)...).answer(t, f)
	if n := s.counts.gaps.Load(); n != 0 {
		t.Errorf("%d gaps were told, though nothing is missing", n)
	}
}

// An event may come, and be let go, before its publisher has the answer: it is not lost.
func TestAcknowledgedAfterItWasLetGo(t *testing.T) {
	for _, rewritten := range []bool{false, true} {
		f := keeping(t, 3)
		f.comes(101, 100)
		if rewritten {
			f.topic.Lose(id(102), false)
		}
		sent := f.source.sending("x")
		prev := uint64(101)
		for ms := uint64(103); ms < 110; ms++ {
			f.comes(ms, prev)
			prev = ms
		}
		sent.acknowledged(id(103))
		f.comes(110, 109)
		if n := f.source.counts.gaps.Load(); n != 0 {
			t.Errorf("rewritten %t: %d gaps were told, though nothing is missing", rewritten, n)
		}
	}
}

// A master whose clock is behind acknowledges an event, and fails: its id is below those that the log has let go.
func TestAcknowledgedByAClockThatIsBehind(t *testing.T) {
	for _, keep := range []int{3, 100} {
		for _, rewritten := range []bool{false, true} {
			f := keeping(t, keep)
			prev := uint64(100)
			for ms := uint64(200); ms < 205; ms++ {
				f.comes(ms, prev)
				prev = ms
			}
			if rewritten {
				f.reconnects()
				chain(200, 201, 202, 203, 210, 211, 212, 213, 214, 215).answer(t, f)
			}
			f.source.sending("x").acknowledged(id(150))
			last, before := lastOf(f), f.source.counts.gaps.Load()
			f.comes(last.MS+1, last.MS)
			if n := f.source.counts.gaps.Load() - before; n != 1 {
				t.Errorf("keeping %d events, rewritten %t: %d gaps were told for 150, which never came", keep, rewritten, n)
			}
		}
	}
}

// Publishers acknowledge while topics come, get events, and are forgotten.
func TestAcknowledgedWhileTopicsAreForgotten(t *testing.T) {
	s := followed(t).source
	s.table = topic.New(topic.Config{HistoryMax: 3000, TopicsMax: 12, Upstream: s, Retention: log.Retention{Events: 5}})
	var group sync.WaitGroup
	for g := range uint64(4) {
		group.Go(func() {
			for k := uint64(101); k < 2000; k++ {
				name := fmt.Sprint("t", (k+g)%20)
				if topic, err := s.table.Acquire([]byte(name)); err == nil {
					f := topic.Feed().(*feed)
					f.mu.Lock()
					if _, _, placed := topic.Span(); f.state == away && !f.isGone() && !placed {
						topic.Place(eventid.After(id(100)), eventid.ID{})
						f.set(live)
					}
					f.mu.Unlock()
					s.sending(name).acknowledged(id(k))
					if _, last, _ := topic.Span(); k%3 != 0 {
						f.comes(max(k, last.MS+1), last.MS)
					}
					if k%5 == 0 {
						f.lookForAcked()
					}
					s.table.Release(topic)
				}
				s.sending(fmt.Sprint("t", k%20)).acknowledged(id(k + 1))
				if k%7 == 0 {
					s.unfollowLeavers()
				}
			}
		})
	}
	group.Wait()
	s.unfollowLeavers()
	feeds := int64(0)
	for k := range s.counts.states {
		feeds += s.counts.states[k].Load()
	}
	if topics := int64(len(s.feeds())) + 1; feeds != topics { // and that of the table before
		t.Errorf("%d feeds are counted of %d topics", feeds, topics)
	}
}

// What is read of another history is bounded, of whatever size its events are.
func TestAnotherHistoryIsReadAsFarAsAHistoryGoes(t *testing.T) {
	f := followed(t)
	f.comes(5_000_000, 99)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := uint64(5_000_000)
	for f.comparing || f.looked != f.doubts {
		r := f.next(f.source.only)
		if r.kind == nothing {
			break
		}
		var got []rueidis.XRangeEntry
		for len(got) < r.count {
			got = append(got, rueidis.XRangeEntry{ID: fmt.Sprint(n, "-0"), FieldValues: map[string]string{"p": fmt.Sprint(n-1, "-0"), "d": ""}})
			if r.kind == theEnd {
				break
			}
			n--
		}
		r.read(got)
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16*f.source.config.HistoryBytes {
			t.Fatalf("the heap has grown by %d bytes, a history has %d", grown, f.source.config.HistoryBytes)
		}
	}
}
