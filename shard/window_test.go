package shard

import (
	"fmt"
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// tiny are retentions that are smaller than what is published in one turn.
var tiny = map[string]log.Retention{
	"one event":     {Events: 1, Bytes: 1 << 20, AgeMS: 60_000},
	"one byte":      {Events: 1000, Bytes: 1, AgeMS: 60_000},
	"a millisecond": {Events: 1000, Bytes: 1 << 20, AgeMS: 1},
	"all three":     {Events: 1, Bytes: 1, AgeMS: 1},
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
				for _, wire := range lasting() {
					retention.Window = log.SendWindow
					r := newRig(t, 1, byPolicy(policy), topic.Config{Retention: retention})
					c := &client{r: r, topics: strings.Split(topics, ","), wire: wire}
					c.connect("", fake.Unlimited, 0)
					r.settle()
					for round := range 3 {
						for n := range log.SendWindow.Events {
							r.publish("a", fmt.Sprint(round*log.SendWindow.Events+n))
							*r.wall += uint64(n & 1) // half a second for all of them
						}
						r.table.Expire()
						r.settle()
						c.want(numbers(0, (round+1)*log.SendWindow.Events)...)
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
		retention    log.Retention
		events, size int
		least, most  int // that are missing
	}{
		"of as many events as the window has": {log.Retention{Events: 1}, log.SendWindow.Events, 10,
			0, 0},
		"of 3,000 events": {log.Retention{Events: 1}, 3000, 10,
			3000 - log.SendWindow.Events, 3000 - log.SendWindow.Events},
		"of 3,000 events, which are kept": {log.Retention{Events: 3000}, 3000, 10, 0, 0},
		"of 100 KiB": {log.Retention{Events: 1, Bytes: 1}, 100, 1 << 10,
			37, 49},
		"of 100 KiB, which are kept": {log.Retention{Events: 1, Bytes: 1 << 20}, 100,
			1 << 10, 0, 0},
	} {
		c.retention.Window = log.SendWindow
		r := newRig(t, 1, byPolicy(PolicyGap), topic.Config{Retention: c.retention})
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
			t.Fatalf("a burst %s: %d are missing, expected %d to %d", name, missing, c.least,
				c.most)
		}
		reader.want(append([]string{"gap:overrun"}, all[missing:]...)...)
	}
}

// The same through the table: a client that comes back, and one that asks for the earliest.
func TestTheConfiguredHistoryIsWhatAClientMayResumeFrom(t *testing.T) {
	r := newRig(t, 1, patient(),
		topic.Config{Retention: log.Retention{Events: 2, Window: log.SendWindow}})
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
	if p := acquire(t, r.table, "a").Locate(log.ResumeEarliest, eventid.Position{},
		false); p.At != eventid.After(ids[7]) {
		t.Errorf("the earliest event is the one after %v, expected after %v", p.At, ids[7])
	}
}

// Events that only the window keeps are let go when they are no longer young, or exceed its bounds.
func TestAWindowIsBounded(t *testing.T) {
	table, wall := newTable(
		topic.Config{Retention: log.Retention{Events: 1, Window: log.SendWindow}})
	for range 10_000 {
		publish(t, table, "a", "x")
	}
	a := acquire(t, table, "a")
	if n := kept(a).events; n != log.SendWindow.Events {
		t.Errorf("%d events are kept, expected %d", n, log.SendWindow.Events)
	}
	for range 3 * log.SendWindow.AgeMS / 100 {
		*wall += 100
		publish(t, table, "a", "x")
	}
	if n := kept(a).events; n > 2*int(log.SendWindow.AgeMS)/100+1 {
		t.Errorf("%d events are kept of ten a second", n)
	}

	table, _ = newTable(topic.Config{Retention: log.Retention{Bytes: 1, Window: log.SendWindow}})
	for range 1000 {
		publish(t, table, "a", strings.Repeat("x", 1000))
	}
	a = acquire(t, table, "a")
	if n := kept(a).bytes; n > log.SendWindow.Bytes || n < log.SendWindow.Bytes/2 {
		t.Errorf("%d bytes are kept, expected at most %d", n, log.SendWindow.Bytes)
	}
}

// With an upstream the same holds, even for events that come long after their time. For clients
// that resume, what only the window has is read from the upstream.
func TestAWindowWithAnUpstream(t *testing.T) {
	r, u := fed(t, patient(),
		topic.Config{Retention: log.Retention{Events: 3, AgeMS: 1, Window: log.SendWindow}})
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
		r, u := fed(t, patient(),
			topic.Config{Retention: log.Retention{AgeMS: 10_000, Window: log.SendWindow}})
		r.table.SetClock(ahead)
		_, feed := placed(r, u)
		*r.wall += 36_000_000
		for range 600 {
			*r.wall += 100
			feed.add(uint64(int64(*r.wall) + ahead))
			r.settle()
		}
		if n := kept(feed.Topic).events; n < 90 || n > 150 {
			t.Errorf("with a clock that is %d ms ahead, %d events are kept of ten a second and ten seconds",
				ahead, n)
		}
	}
}
