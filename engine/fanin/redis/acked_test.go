package redis

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/redis/rueidis"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/shard"
)

// stream is what the servers have of a topic, oldest first.
type stream []rueidis.XRangeEntry

// chain is a stream in which each event follows the one before it. The first id is that of an event that is gone.
func chain(ids ...uint64) (all stream) {
	for k, ms := range ids[1:] {
		all = append(all, rueidis.XRangeEntry{ID: id(ms).String(), FieldValues: map[string]string{"p": id(ids[k]).String(), "d": "x"}})
	}
	return all
}

// upTo is the ids first to last, one a millisecond.
func upTo(first, last uint64) (ids []uint64) {
	for ms := first; ms <= last; ms++ {
		ids = append(ids, ms)
	}
	return ids
}

// answer reads all that a feed wants to have read.
func (s stream) answer(t *testing.T, f *feed) {
	t.Helper()
	for range 1000 {
		r := f.next(f.source.only)
		if r.kind == nothing {
			return
		}
		var got []rueidis.XRangeEntry
		for k := range s {
			e := s[k]
			if r.backward {
				e = s[len(s)-1-k]
			}
			if at, _ := eventid.Parse([]byte(e.ID)); within(at, r.first, r.last) && len(got) < r.count {
				got = append(got, e)
			}
		}
		r.read(got)
	}
	t.Fatal("the reading does not end")
}

// within reports whether an id lies between the bounds of a command.
func within(at eventid.ID, first, last string) bool {
	bound := func(text string) (id eventid.ID, open bool) {
		if text[0] == '(' {
			text, open = text[1:], true
		}
		id, _ = eventid.Parse([]byte(text))
		return id, open
	}
	if first != "-" {
		if id, open := bound(first); at.Less(id) || open && at == id {
			return false
		}
	}
	if last != "+" {
		if id, open := bound(last); id.Less(at) || open && at == id {
			return false
		}
	}
	return true
}

// comes is a message of an event that comes through the channel.
func (f *feed) comes(ms, prev uint64) {
	f.receive(string(envelope.Append(nil, &envelope.Message{ID: id(ms), Prev: id(prev), Data: []byte("x")})))
}

// reconnects is a connection that was lost and made anew.
func (f *feed) reconnects() {
	f.lostBy(f.source.only)
	f.subscribed(f.source.only, f.epoch)
}

func TestAcknowledgedEventsThatAreForgotten(t *testing.T) {
	acknowledge := func(f *feed, ids ...uint64) {
		for _, ms := range ids {
			f.source.acknowledged("x", id(ms))
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
			f.source.acknowledged("x", id(ms))
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
	f := followed(t)
	s := f.source
	s.table = shard.NewTable(shard.TableConfig{HistoryMax: 1 << 30, TopicsMax: 10, Upstream: s, Retention: shard.Retention{Events: 3}})
	topic, err := s.table.Acquire([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	f = topic.Feed().(*feed)
	topic.Place(eventid.After(id(100)), eventid.ID{})
	f.set(live)
	f.comes(101, 100)
	f.comes(150, 101)
	f.reconnects()
	chain(99, 100, 101, 160).answer(t, f) // 150 is forgotten
	s.acknowledged("x", id(161))
	for ms := uint64(161); ms < 180; ms++ {
		f.comes(ms, ms-1)
	}
	f.reconnects()
	chain(upTo(160, 179)...).answer(t, f)
	if n := s.counts.gaps.Load(); n != 0 {
		t.Errorf("%d gaps were told, though nothing is missing", n)
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
	for f.whole || f.looked != f.doubts {
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
