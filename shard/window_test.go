package shard

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/sys/fake"
)

// tiny are retentions that are smaller than what is published in one turn.
var tiny = map[string]Retention{
	"one event": {Events: 1, Bytes: 1 << 20, AgeMS: 60_000}, "one byte": {Events: 1000, Bytes: 1, AgeMS: 60_000},
	"a millisecond": {Events: 1000, Bytes: 1 << 20, AgeMS: 1}, "all three": {Events: 1, Bytes: 1, AgeMS: 1},
}

func numbers(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

// A stream whose client keeps reading is sent every event of a burst, however small the history is.
func TestABurstReachesEveryReaderWhateverTheRetention(t *testing.T) {
	oneGoroutine(t)
	for name, retention := range tiny {
		for _, policy := range []Policy{PolicyGap, PolicyClose, PolicyLatest} {
			for _, topics := range []string{"a", "b,a"} {
				for _, chunks := range []bool{false, true} {
					retention.Window = SendWindow
					r := newRig(t, 1, byPolicy(policy), TableConfig{Retention: retention})
					c := &client{r: r, topics: strings.Split(topics, ","), chunks: chunks}
					c.connect("", fake.Unlimited, 0)
					r.settle()
					for round := range 3 {
						for n := range SendWindow.Events {
							r.publish("a", fmt.Sprint(round*SendWindow.Events+n))
							*r.wall += uint64(n & 1) // half a second for all of them
						}
						r.table.expire()
						r.settle()
						c.want(numbers(0, (round+1)*SendWindow.Events)...)
					}
					if c.sock.Closed {
						t.Fatalf("%s, %v, %s: the stream was closed", name, policy, topics)
					}
				}
			}
		}
	}
}

// A burst larger than the window overruns even a stream whose client keeps reading: it is told, and
// gets what is left. If the retention is larger than the window, the retention counts.
func TestABurstBeyondTheWindow(t *testing.T) {
	for name, c := range map[string]struct {
		retention    Retention
		events, size int
		least, most  int // that are missing
	}{
		"of as many events as the window has": {Retention{Events: 1}, SendWindow.Events, 10, 0, 0},
		"of 3,000 events":                     {Retention{Events: 1}, 3000, 10, 3000 - SendWindow.Events, 3000 - SendWindow.Events},
		"of 3,000 events, which are kept":     {Retention{Events: 3000}, 3000, 10, 0, 0},
		"of 100 KiB":                          {Retention{Events: 1, Bytes: 1}, 100, 1 << 10, 37, 49},
		"of 100 KiB, which are kept":          {Retention{Events: 1, Bytes: 1 << 20}, 100, 1 << 10, 0, 0},
	} {
		c.retention.Window = SendWindow
		r := newRig(t, 1, byPolicy(PolicyGap), TableConfig{Retention: c.retention})
		reader := r.join("a", "", fake.Unlimited)
		r.settle()
		var all []string
		for n := range c.events {
			all = append(all, fmt.Sprintf("%*d", c.size, n))
			r.publish("a", all[n])
		}
		r.settle()
		if c.most == 0 {
			reader.want(all...)
			continue
		}
		got := reader.data()
		missing := c.events - (len(got) - 1)
		if missing < c.least || missing > c.most {
			t.Fatalf("a burst %s: %d are missing, expected %d to %d", name, missing, c.least, c.most)
		}
		reader.want(append([]string{"gap:overrun"}, all[missing:]...)...)
	}
}

// A window is not history: a resume is answered as if the window did not exist. One log has a window
// and the other has none; every position ever given has the same place in both.
func TestAResumeDoesNotSeeTheWindow(t *testing.T) {
	kept := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		plain := Retention{Events: rng.IntN(6), Bytes: int64(rng.IntN(400)), AgeMS: int64(rng.IntN(100))}
		windowed := plain
		windowed.Window = Window{Events: 1 + rng.IntN(30), Bytes: int64(rng.IntN(2000)), AgeMS: uint64(rng.IntN(300))}
		var with, without log
		var ids []eventid.ID
		now := uint64(1000)
		forked := uint64(0) // how far ids are behind the clock
		for n := range 20 + rng.IntN(60) {
			now += uint64(rng.IntN(12))
			if seed%2 == 1 && without.events > 0 && rng.IntN(20) == 0 {
				last := ids[rng.IntN(len(ids))]
				with.fork(last)
				without.fork(last)
				forked = now - last.MS
			}
			id := eventid.ID{MS: now - forked, Seq: uint64(n)}
			ids = append(ids, id)
			b := body(n, 1+rng.IntN(60))
			with.append(b, id)
			without.append(b, id)
			with.trim(&windowed, now, now)
			without.trim(&plain, now, now)
			if rng.IntN(40) == 0 && without.events > 0 {
				with.clear()
				without.clear()
			}
		}
		now += uint64(rng.IntN(200))
		with.trim(&windowed, now, now)
		without.trim(&plain, now, now)
		if with.events < without.events {
			t.Fatalf("seed %d: %d events with a window, %d without", seed, with.events, without.events)
		}
		kept += with.events - without.events
		before := with
		seen := with.resumable(&plain, now)
		if seen.events != without.events || seen.tail != without.tail || seen.lost != without.lost || seen.head != without.head {
			t.Fatalf("seed %d: a resume sees %d events behind %v, expected %d behind %v", seed, seen.events, seen.lost, without.events, without.lost)
		}
		for _, id := range ids {
			for _, p := range []eventid.Position{eventid.After(id), eventid.After(eventid.ID{MS: id.MS, Seq: id.Seq + 1000}), eventid.At(id.MS)} {
				if got, want := seen.resume(p, now), without.resume(p, now); got != want {
					t.Fatalf("seed %d: resume at %v: %+v, without a window %+v", seed, p, got, want)
				}
			}
		}
		if !reflect.DeepEqual(with, before) {
			t.Fatalf("seed %d: looking has changed the log", seed)
		}
	}
	if kept == 0 {
		t.Fatal("no window ever kept an event")
	}
}

// The same through the table: a client that comes back, and one that asks for the earliest.
func TestTheConfiguredHistoryIsWhatAClientMayResumeFrom(t *testing.T) {
	r := newRig(t, 1, patient(), TableConfig{Retention: Retention{Events: 2, Window: SendWindow}})
	reader := r.join("a", "", fake.Unlimited)
	r.settle()
	var ids []eventid.ID
	for n := range 10 {
		ids = append(ids, r.publish("a", fmt.Sprint(n)))
	}
	r.settle()
	reader.want(numbers(0, 10)...)
	for n, id := range ids {
		back := r.join("a", id.String(), fake.Unlimited)
		r.settle()
		if n < 7 {
			back.want("gap:expired", "8", "9")
		} else {
			back.want(numbers(n+1, 10)...)
		}
	}
	if p := acquire(t, r.table, "a").locate(ResumeEarliest, eventid.Position{}, false); p.at != eventid.After(ids[7]) {
		t.Errorf("the earliest event is the one after %v, expected after %v", p.at, ids[7])
	}
}

// Events that only the window keeps are let go when they are no longer young, or exceed its bounds.
func TestAWindowIsBounded(t *testing.T) {
	table, wall := newTable(TableConfig{Retention: Retention{Events: 1, Window: SendWindow}})
	for range 10_000 {
		publish(t, table, "a", "x")
	}
	topic := acquire(t, table, "a")
	if n := topic.log.events; n != SendWindow.Events {
		t.Errorf("%d events are kept, expected %d", n, SendWindow.Events)
	}
	for range 3 * SendWindow.AgeMS / 100 {
		*wall += 100
		publish(t, table, "a", "x")
	}
	if n := topic.log.events; n > 2*int(SendWindow.AgeMS)/100+1 {
		t.Errorf("%d events are kept of ten a second", n)
	}

	table, _ = newTable(TableConfig{Retention: Retention{Bytes: 1, Window: SendWindow}})
	for range 1000 {
		publish(t, table, "a", strings.Repeat("x", 1000))
	}
	topic = acquire(t, table, "a")
	if n := int64(topic.log.head - topic.log.tail); n > SendWindow.Bytes || n < SendWindow.Bytes/2 {
		t.Errorf("%d bytes are kept, expected at most %d", n, SendWindow.Bytes)
	}
}

// With an upstream the same holds, even for events that come long after their time. For clients that
// resume, what only the window has is read from the upstream.
func TestAWindowWithAnUpstream(t *testing.T) {
	r, u := fed(t, patient(), TableConfig{Retention: Retention{Events: 3, AgeMS: 1, Window: SendWindow}})
	c, feed := placed(r, u)
	*r.wall += 60_000
	feed.add(101, 102, 103, 104, 105, 106)
	r.settle()
	c.want("101", "102", "103", "104", "105", "106")

	back := r.join("a", "101-0", fake.Unlimited)
	r.settle()
	if len(feed.reads) != 1 {
		t.Fatalf("%d readings for a stream that resumes from before the history", len(feed.reads))
	}
	if from := feed.give(101, 102, 103); from != eventid.After(id(101)) {
		t.Errorf("read from %v", from)
	}
	r.settle()
	if from := feed.give(103, 104, 105, 106); from != eventid.After(id(103)) {
		t.Errorf("then from %v", from)
	}
	r.settle()
	back.want("102", "103", "104", "105", "106")
}

// Age counts while a topic is in use, by the clock of the upstream.
func TestAgeWithAnUpstream(t *testing.T) {
	for _, ahead := range []int64{0, -3_600_000, 3_600_000} {
		r, u := fed(t, patient(), TableConfig{Retention: Retention{AgeMS: 10_000, Window: SendWindow}})
		r.table.SetClock(ahead)
		_, feed := placed(r, u)
		*r.wall += 36_000_000
		for range 600 {
			*r.wall += 100
			feed.add(uint64(int64(*r.wall) + ahead))
			r.settle()
		}
		if n := feed.log.events; n < 90 || n > 150 {
			t.Errorf("with a clock that is %d ms ahead, %d events are kept of ten a second and ten seconds", ahead, n)
		}
	}
}
