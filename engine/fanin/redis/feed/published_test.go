package feed

import (
	"runtime"
	"testing"
)

func TestAcknowledgedEventsThatAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(f *rig)
		then []uint64 // what the servers have: the predecessor, and events
		gaps int
	}{
		"all came": {
			func(f *rig) { f.publishes(101); f.comes(101, 100); f.reconnects() },
			upTo(99, 101), 0,
		},
		"it came first": {
			func(f *rig) { f.comes(101, 100); f.publishes(101); f.reconnects() },
			upTo(99, 101), 0,
		},
		"while live": {
			func(f *rig) { f.publishes(101); f.reconnects() },
			[]uint64{100, 110}, 1,
		},
		"a later one is there": {
			func(f *rig) { f.publishes(101, 110); f.reconnects() },
			[]uint64{100, 110}, 1,
		},
		"acknowledged out of order": {
			func(f *rig) { f.publishes(102, 101); f.comes(101, 100); f.reconnects() },
			[]uint64{99, 100, 101, 110}, 1,
		},
		"while away": {
			func(f *rig) { f.machine().Away(); f.publishes(101); f.machine().Subscribed() },
			[]uint64{100, 110}, 1,
		},
		"a later one comes": {
			func(f *rig) { f.publishes(101); f.comes(110, 100) },
			nil, 1,
		},
		"nothing comes": {
			func(f *rig) { f.publishes(101); f.wakesTwice() },
			[]uint64{99, 100}, 1,
		},
		"nothing comes, and it is there": {
			func(f *rig) { f.publishes(101); f.wakesTwice() },
			upTo(99, 101), 0,
		},
		"of a clock ahead": {
			func(f *rig) { f.publishes(150); f.comes(110, 100); f.wakesTwice() },
			[]uint64{99, 100, 110}, 1,
		},
	} {
		f := followed(t)
		c.run(f)
		if c.then != nil {
			chain(c.then...).answer(t, f)
		}
		if n := f.counts[Gap]; n != c.gaps || f.state != Live {
			t.Errorf("%s: %d gaps, expected %d; it is %s", name, n, c.gaps, f.state)
		}
		if f.published != nil && len(f.published.all) > 0 {
			t.Errorf("%s: %+v are awaited", name, f.published.all)
		}
	}
}

// Behind the bound events are kept as one, and told even if they come.
func TestAcknowledgedEventsAreBounded(t *testing.T) {
	for _, n := range []uint64{awaitedMax, awaitedMax + 1, 3 * awaitedMax} {
		f := followed(t)
		f.machine().Away()
		for _, ms := range upTo(101, 100+n) {
			f.publishes(ms)
		}
		if len(f.published.all) != awaitedMax {
			t.Errorf("%d of %d are kept, expected %d", len(f.published.all), n, awaitedMax)
		}
		f.machine().Subscribed()
		chain(upTo(99, 100+n)...).answer(t, f)
		if gaps, want := f.counts[Gap], int(min(n-awaitedMax, 1)); gaps != want {
			t.Errorf("%d gaps after %d, expected %d", gaps, n, want)
		}
	}
}

// An event that came, and was let go since, is not lost, though the log cannot tell any more.
func TestAcknowledgedEventsThatWereLetGo(t *testing.T) {
	f := keeping(t, 3)
	f.comes(101, 100)
	f.comes(150, 101)
	f.reconnects()
	chain(99, 100, 101, 160).answer(t, f) // 150 is forgotten
	f.publishes(161)
	for ms := uint64(161); ms < 180; ms++ {
		f.comes(ms, ms-1)
	}
	f.reconnects()
	chain(upTo(160, 179)...).answer(t, f)
	if n := f.counts[Gap]; n != 0 {
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
		before := lostOf(f)
		prev := uint64(101)
		for ms := uint64(103); ms < 110; ms++ {
			f.comes(ms, prev)
			prev = ms
		}
		f.machine().Published(id(103), !before.Less(id(103)))
		f.comes(110, 109)
		if n := f.counts[Gap]; n != 0 {
			t.Errorf("rewritten %t: %d gaps were told, though nothing is missing", rewritten, n)
		}
	}
}

// A master whose clock is behind acknowledges an event, and fails: its id is below those that the
// log has let go.
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
			f.publishes(150)
			last, before := lastOf(f), f.counts[Gap]
			f.comes(last.MS+1, last.MS)
			if n := f.counts[Gap] - before; n != 1 {
				t.Errorf("keeping %d, rewritten %t: %d gaps were told for 150", keep, rewritten, n)
			}
		}
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
	for f.Comparing() || f.inquiry.looked != f.doubts {
		r, ok := f.machine().Next()
		if !ok {
			break
		}
		var got []Element
		for len(got) < r.Count {
			got = append(got, event(n, n-1))
			if r.What == ReadEnd {
				break
			}
			n--
		}
		f.take(r, got)
		runtime.ReadMemStats(&after)
		grown := int64(after.HeapInuse) - int64(before.HeapInuse)
		if grown > 16*f.config.HistoryBytes {
			t.Fatalf("the heap has grown by %d bytes of %d", grown, f.config.HistoryBytes)
		}
	}
}
