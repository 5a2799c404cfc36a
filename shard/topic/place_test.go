package topic

import (
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// The position that a new stream is given names the place it begins at, whatever the clock and the
// topic's past: coming back with it gives everything that was published since.
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
			table.ForgetAll()
		}},
		{"a topic with history", func(table *Table, _ *uint64) { publish(t, table, "t", "x") }},
		{"a clock that went back", func(table *Table, wall *uint64) {
			publish(t, table, "t", "x")
			*wall -= 100
		}},
	} {
		for _, later := range []int64{0, 1, 2, -50} {
			wall := uint64(5000)
			table := New(Config{HistoryMax: 1 << 20, TopicsMax: 10, WallMS: func() uint64 {
				return wall
			}})
			past.prepare(table, &wall)
			topic, err := table.Acquire([]byte("t"))
			if err != nil {
				t.Fatal(err)
			}
			begin := topic.Locate(log.ResumeNot, eventid.Position{}, false)
			for n := range 3 {
				if again := topic.Locate(log.ResumeAt, begin.At,
					false); again.Cause != log.GapNone || again.Cursor != begin.Cursor {
					t.Errorf("%s: %d events after the stream began at %v (cursor %d), it resumes at %d with cause %q",
						past.name, n, begin.At, begin.Cursor, again.Cursor, again.Cause)
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

// The earliest is the oldest event there is, and the id that a stream is given there
// comes back to it.
func TestTheEarliestIsTheOldestEvent(t *testing.T) {
	for events := range 6 {
		table, _ := newTable(Config{Retention: log.Retention{Events: 3}})
		topic := acquire(t, table, "t")
		for range events {
			publish(t, table, "t", "x")
		}
		p := topic.Locate(log.ResumeEarliest, eventid.Position{}, false)
		if p.Cause != log.GapNone || p.Cursor != oldest(topic) {
			t.Errorf("%d events: at %d with cause %q, want %d", events, p.Cursor, p.Cause,
				oldest(topic))
		}
		if again := topic.Locate(log.ResumeAt, p.At, false); again.Cause != log.GapNone ||
			again.Cursor != p.Cursor {
			t.Errorf("%d events: %v comes back to %d with cause %q, want %d", events, p.At,
				again.Cursor, again.Cause, p.Cursor)
		}
	}
}

// oldest is the cursor at the oldest event of a topic's log.
func oldest(topic *Topic) uint64 {
	var s log.Snapshot
	topic.Snapshot(&s)
	return s.Tail
}
