package shard

import (
	"slices"
	"testing"

	"ssedge/proto/eventid"
)

// logs calls f with logs that went through random retention, and their twins.
func logs(t *testing.T, f func(l *log, twin *naiveLog, now uint64)) {
	for seed := range uint64(80) {
		l, twin, now := grownLog(t, seed, 60)
		f(l, twin, now)
	}
}

// checkExact demands the place right behind the first n events, without a gap.
func checkExact(t *testing.T, l *log, twin *naiveLog, p eventid.Position, now uint64, n int) {
	t.Helper()
	got := l.resume(p, now)
	if got.cause != gapNone || got.cursor != twin.endOf(n) || got.at != p {
		t.Fatalf("resume at %v of %v (gone %d) at %d: %+v, want cursor %d and no gap", p, twin.ids, twin.gone, now, got, twin.endOf(n))
	}
}

// checkGap demands a gap with that cause, from p to an event, and a cursor and a
// position that agree on what follows.
func checkGap(t *testing.T, l *log, twin *naiveLog, p eventid.Position, now uint64, cause GapCause) {
	t.Helper()
	got := l.resume(p, now)
	n := len(twin.ids) // goes on live …
	to := l.last
	switch cause {
	case GapExpired, GapEvicted: // … or with the oldest event there is …
		n, to = twin.gone, l.lost
	case GapUnknown: // … or with what has a higher id
		for n > 0 && p.Precedes(twin.ids[n-1]) {
			n--
		}
		to = twin.ids[n-1]
	}
	known := cause != GapUnknown && cause != GapFuture
	if got.cause != cause || got.cursor != twin.endOf(n) || got.known != known || known && got.from != p || got.to != eventid.After(to) {
		t.Fatalf("resume at %v of %v (gone %d) at %d: %+v, want %v to %v, cursor %d", p, twin.ids, twin.gone, now, got, cause, to, twin.endOf(n))
	}
	checkExact(t, l, twin, got.at, now, n) // the gap is told once
}

func (l *log) expiredCause() GapCause {
	if l.cause == GapEvicted {
		return GapEvicted
	}
	return GapExpired
}

func TestEveryIDEverGivenResumesExactlyOrIsToldTheGap(t *testing.T) {
	logs(t, func(l *log, twin *naiveLog, now uint64) {
		for n, id := range twin.ids {
			if p := eventid.After(id); n+1 >= twin.gone {
				checkExact(t, l, twin, p, now, n+1)
			} else {
				checkGap(t, l, twin, p, now, l.expiredCause())
			}
		}
	})
}

func TestAnIDNeverGivenIsNeverTakenForOne(t *testing.T) {
	logs(t, func(l *log, twin *naiveLog, now uint64) {
		for _, id := range append([]eventid.ID{{MS: 3}}, twin.ids...) {
			for _, id := range []eventid.ID{{MS: id.MS, Seq: id.Seq + 1}, {MS: id.MS + 1}, {MS: id.MS, Seq: 1 << 60}, {MS: id.MS + 1, Seq: 77}, {MS: now + 10}} {
				if slices.Contains(twin.ids, id) {
					continue
				}
				want := GapUnknown
				switch {
				case l.last.Less(id):
					want = GapFuture
				case id.Less(l.lost):
					want = l.expiredCause()
				}
				checkGap(t, l, twin, eventid.After(id), now, want)
			}
		}
	})
}

func TestATimeResumesWithTheFirstEventOfItsMillisecond(t *testing.T) {
	logs(t, func(l *log, twin *naiveLog, now uint64) {
		for ms := uint64(990); ms <= now+3; ms++ {
			n := slices.IndexFunc(twin.ids, func(id eventid.ID) bool { return id.MS >= ms })
			if n < 0 {
				n = len(twin.ids)
			}
			switch p := eventid.At(ms); {
			case ms > now:
				checkGap(t, l, twin, p, now, GapFuture)
			case n < twin.gone:
				checkGap(t, l, twin, p, now, l.expiredCause())
			default:
				checkExact(t, l, twin, p, now, n)
			}
		}
	})
}

func TestTheBeginningOfTimeIsBeforeEveryEvent(t *testing.T) {
	l, twin := &log{}, &naiveLog{}
	for n := range 3 {
		id := eventid.ID{MS: uint64(n)}
		if n == 0 {
			id.Seq = 1
		}
		l.append(body(n, 9), id)
		twin.append(wire(n, 9, id), id)
	}
	checkExact(t, l, twin, eventid.At(0), 5, 0)
	checkExact(t, l, twin, eventid.After(eventid.ID{}), 5, 0)
}

// The position that a new stream is given names the place it begins at, whatever
// the clock and the topic's past: coming back with it gives everything that was
// published since.
func TestTheFirstPositionOfAStreamLosesNothing(t *testing.T) {
	for _, past := range []struct {
		name    string
		prepare func(*Table, *uint64)
	}{
		{"a new node", func(*Table, *uint64) {}},
		{"a node that has been up for a while", func(_ *Table, wall *uint64) { *wall += 1000 }},
		{"a topic forgotten in this millisecond", func(table *Table, _ *uint64) {
			for range 3 {
				publish(t, table, "t", "x")
			}
			table.forgetAll()
		}},
		{"a topic with history", func(table *Table, _ *uint64) { publish(t, table, "t", "x") }},
		{"a clock that went back", func(table *Table, wall *uint64) { publish(t, table, "t", "x"); *wall -= 100 }},
	} {
		for _, later := range []int64{0, 1, 2, -50} {
			wall := uint64(5000)
			table := NewTable(TableConfig{HistoryMax: 1 << 20, TopicsMax: 10, WallMS: func() uint64 { return wall }})
			past.prepare(table, &wall)
			topic, err := table.Acquire([]byte("t"))
			if err != nil {
				t.Fatal(err)
			}
			begin := topic.locate(ResumeNot, eventid.Position{}, false)
			for n := range 3 {
				if again := topic.locate(ResumeAt, begin.at, false); again.cause != gapNone || again.cursor != begin.cursor {
					t.Errorf("%s: %d events after the stream began at %v (cursor %d), it resumes at %d with cause %q",
						past.name, n, begin.at, begin.cursor, again.cursor, again.cause)
				}
				wall += uint64(later)
				publish(t, table, "t", "y")
			}
		}
	}
}

func publish(t *testing.T, table *Table, topic, data string) eventid.ID {
	t.Helper()
	id, err := table.Publish([]byte(topic), append(append([]byte("data: "), data...), '\n'))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// evictOne empties the log that was least recently used; false if none was.
func (t *Table) evictOne() bool {
	topic := t.recency.takeOldest(&t.recency.used)
	if topic != nil {
		t.empty(topic)
	}
	return topic != nil
}

// forgetAll forgets all topics that nothing holds, and their history.
func (t *Table) forgetAll() {
	for t.evictOne() {
	}
	for t.forgetOne() {
	}
}

// The earliest is the oldest event there is, and the id that a stream is given there
// comes back to it.
func TestTheEarliestIsTheOldestEvent(t *testing.T) {
	for events := range 6 {
		table, _ := newTable(TableConfig{Retention: Retention{Events: 3}})
		topic := acquire(t, table, "t")
		for range events {
			publish(t, table, "t", "x")
		}
		p := topic.locate(ResumeEarliest, eventid.Position{}, false)
		if p.cause != gapNone || p.cursor != topic.log.tail {
			t.Errorf("%d events: at %d with cause %q, want %d", events, p.cursor, p.cause, topic.log.tail)
		}
		if again := topic.locate(ResumeAt, p.at, false); again.cause != gapNone || again.cursor != p.cursor {
			t.Errorf("%d events: %v comes back to %d with cause %q, want %d", events, p.at, again.cursor, again.cause, p.cursor)
		}
	}
}
