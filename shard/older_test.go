package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// give answers the oldest reading that is wanted, with the events behind lost. An id of 0 stands
// for a hole up to the next one, which is one less.
func (f *fakeFeed) give(lost uint64, ids ...uint64) (from eventid.Position) {
	read := f.reads[0]
	f.reads = f.reads[1:]
	var events []log.Older
	if eventid.Before(read.From).Less(id(lost)) && len(ids) > 0 {
		events = append(events, log.Older{ID: id(lost)})
	}
	for k, ms := range ids {
		if ms == 0 {
			events = append(events, log.Older{ID: id(ids[k+1] - 1)})
			continue
		}
		events = append(events, log.Older{ID: id(ms), Body: eventBody(ms)})
	}
	if read.Wanted() {
		read.Got(events)
	}
	return read.From
}

// giveSome answers it with up to n events of all that the upstream has.
func (f *fakeFeed) giveSome(n int, all ...uint64) {
	from := f.reads[0].From.ID.MS
	after, found := slices.BinarySearch(all, from)
	if found {
		after++
	}
	f.give(from, all[after:min(after+n, len(all))]...)
}

// empty is a rig whose topic a has had no event: its log begins at 700. A stream follows it live,
// and was told that time.
func empty(t *testing.T, tc topic.Config) (*rig, *fakeFeed, *client) {
	r, u := fed(t, patient(), tc)
	c := r.join("a", "", fake.Unlimited)
	r.settle()
	feed := u.feeds["a"]
	feed.Place(eventid.At(700), eventid.ID{})
	r.settle()
	c.want()
	return r, feed, c
}

// trimmed is a rig whose topic a has let its oldest events go: its log has 103 to 105, its upstream
// more.
func trimmed(t *testing.T) (*rig, *fakeFeed) {
	r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 3}})
	_, feed := placed(r, u)
	feed.add(101, 102, 103, 104, 105)
	r.settle()
	if feed.Extends() {
		t.Fatal("nothing was let go")
	}
	return r, feed
}

// A stream that resumes from before what the log can have is sent what the upstream has, and then
// begins.
func TestOlderEventsAreReadForOneStream(t *testing.T) {
	for _, wire := range lasting() {
		for _, topics := range []string{"a", "a,b"} {
			r, feed := trimmed(t)
			last := "70-0"
			if topics == "a,b" {
				other := r.join("b", "", fake.Unlimited)
				r.settle()
				r.table.Find("b").Feed().(*fakeFeed).Place(eventid.At(90), eventid.ID{})
				r.settle()
				other.sock.HangUp()
				first := r.join("a,b", "", fake.Unlimited)
				r.settle()
				first.read()
				b := &bundle{subs: []sub{{last: eventid.After(id(70))}, {last: eventid.At(90)}}}
				b.check = eventid.Check(eventid.Check(0, "a"), "b")
				last = strings.TrimSuffix(strings.TrimPrefix(string(b.appendID(nil)), "id: "),
					"\n\n")
			}
			c := &client{r: r, topics: strings.Split(topics, ","), wire: wire}
			c.connect(last, fake.Unlimited, 0)
			r.settle()
			if len(feed.asks) != 1 || len(feed.reads) != 0 {
				t.Fatalf("%s: asked %v, %d readings", topics, feed.asks, len(feed.reads))
			}
			feed.Answer(feed.last, eventid.ID{})
			r.settle()
			if from := feed.give(70, 80, 100, 101); from != eventid.After(id(70)) {
				t.Errorf("%s: read from %v", topics, from)
			}
			r.settle()
			c.want("80", "100", "101")
			middle := c.decoder.LastEventID()
			feed.add(106) // 103 goes
			r.settle()
			if from := feed.give(101, 102, 103, 104); from != eventid.After(id(101)) {
				t.Errorf("%s: then from %v", topics, from)
			}
			r.settle()
			c.want("80", "100", "101", "102", "103", "104", "105", "106")
			feed.add(107)
			r.settle()
			c.want("80", "100", "101", "102", "103", "104", "105", "106", "107")
			if len(feed.reads) != 0 || r.shards[0].stats.Waiting.Load() != 0 {
				t.Errorf("%s: %d readings, %d wait", topics, len(feed.reads),
					r.shards[0].stats.Waiting.Load())
			}
			// a client that is cut off on the way goes on from there
			again := &client{r: r, topics: strings.Split(topics, ","), wire: wire}
			again.connect(middle, fake.Unlimited, 0)
			r.settle()
			feed.Answer(feed.last, eventid.ID{})
			r.settle()
			if from := feed.give(101, 102, 103, 104, 105, 106, 107); from != eventid.After(
				id(101)) {
				t.Errorf("%s: again from %v", topics, from)
			}
			r.settle()
			again.want("102", "103", "104", "105", "106", "107")
		}
	}
}

// What is not there any more is told where it was, and what is there is sent.
func TestOlderEventsThatAreGone(t *testing.T) {
	for _, c := range []struct {
		lost uint64
		ids  []uint64
		want string
	}{
		{70, nil, "gap:expired 103 104 105"},
		{90, []uint64{100, 101, 102}, "gap:expired 100 101 102 103 104 105"},
		{70, []uint64{80, 0, 100, 101, 102}, "80 gap:missed 100 101 102 103 104 105"},
		{70, []uint64{80, 0, 104, 105}, "80 gap:missed 104 105"},
		{70, []uint64{80, 100, 0, 103}, "80 100 gap:missed 103 104 105"},
		// which are ahead of the log
		{70, []uint64{80, 100, 101, 102, 103, 104, 105, 106, 107}, "80 100 101 102 103 104 105"},
	} {
		r, feed := trimmed(t)
		s := r.join("a", "70-0", fake.Unlimited)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		feed.give(c.lost, c.ids...)
		r.settle()
		for len(feed.reads) > 0 {
			feed.give(0)
			r.settle()
		}
		if got := strings.Join(s.data(), " "); got != c.want {
			t.Errorf("%v behind %d: got %q, expected %q", c.ids, c.lost, got, c.want)
		}
		s.sock.HangUp()
	}
}

// What is known to be gone is not read, nor is what no stream wants.
func TestOlderEventsThatNoStreamWants(t *testing.T) {
	r, feed := trimmed(t)
	c := r.join("a", "70-0", fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, id(102))
	r.settle()
	if got := strings.Join(c.data(), " "); got != "gap:expired 103 104 105" ||
		len(feed.reads) != 0 {
		t.Errorf("got %q, %d readings", got, len(feed.reads))
	}

	latest := patient()
	latest.Policy = func(string) Policy { return PolicyLatest }
	r, u := fed(t, latest, topic.Config{Retention: log.Retention{Events: 3}})
	_, feed = placed(r, u)
	feed.add(101, 102, 103, 104, 105)
	c = r.join("a", "70-0", fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	if got := strings.Join(c.data(), " "); got != "gap:expired 105" || len(feed.reads) != 0 {
		t.Errorf("with policy latest: got %q, %d readings", got, len(feed.reads))
	}
}

func TestTheEarliestEventsAreRead(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r, feed := trimmed(t)
		if topics == "a,b" {
			r.join("b", "", fake.Unlimited)
			r.settle()
			r.table.Find("b").Feed().(*fakeFeed).Place(eventid.After(id(40)), id(40))
			r.table.Find("b").Feed().(*fakeFeed).add(41)
			r.settle()
		}
		c := r.joinEarliest(topics)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		if from := feed.give(50, 60, 101); from != (eventid.Position{}) {
			t.Errorf("read from %v", from)
		}
		r.settle()
		c.want()
		if from := feed.give(50, 60, 101); from != eventid.After(id(50)) {
			t.Errorf("then from %v", from)
		}
		r.settle()
		c.want("60", "101")
		feed.give(101, 102, 103)
		r.settle()
		want := []string{"60", "101", "102", "103", "104", "105"}
		if topics == "a,b" {
			want = append(want, "41")
		}
		c.want(want...)

		c = r.joinEarliest(topics) // of nothing there is no earliest, and nothing is missing
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		feed.give(0)
		r.settle()
		want = []string{"103", "104", "105"}
		if topics == "a,b" {
			want = append(want, "41")
		}
		c.want(want...)
	}
}

// A socket that takes little gets everything all the same, whatever it stops in. A client that
// leaves leaves nothing behind.
func TestOlderEventsOfASlowStream(t *testing.T) {
	oneGoroutine(t)
	for room := range 120 {
		r, feed := trimmed(t)
		c := r.join("a", "70-0", room)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		for range 1000 {
			if len(feed.reads) > 0 {
				feed.giveSome(2, 80, 90, 100, 101, 102, 103)
			}
			c.sock.Free(1 + room%7)
			r.settle()
			c.read()
		}
		c.want("80", "90", "100", "101", "102", "103", "104", "105")
		c.sock.HangUp()

		gone := r.join("a", "70-0", room)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		gone.sock.HangUp()
		r.settle()
		for len(feed.reads) > 0 {
			feed.give(70, 80)
			r.settle()
		}
		if n := r.shards[0].stats.Waiting.Load(); n != 0 || len(r.shards[0].waits) != 0 {
			t.Fatal(fmt.Sprint(n, " still wait"))
		}
	}
}

// Of several topics all beginnings are learned before anything is sent: a client that is cut off
// then has an id that says so.
func TestTheEarliestEventsOfSeveralTopics(t *testing.T) {
	r, feed := trimmed(t)
	r.join("b", "", fake.Unlimited)
	r.settle()
	other := r.table.Find("b").Feed().(*fakeFeed)
	other.Place(eventid.After(id(100)), id(50))
	other.add(201, 202, 203, 204)
	c := r.joinEarliest("a,b")
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	other.Answer(other.last, eventid.ID{})
	r.settle()
	feed.give(50, 60, 101)
	r.settle()
	if from := other.give(70, 80, 201); from != (eventid.Position{}) {
		t.Fatalf("b is read from %v", from)
	}
	r.settle()
	feed.give(50, 60)
	r.settle()
	c.want("60")
	again := r.join("a,b", c.decoder.LastEventID(), fake.Unlimited)
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	other.Answer(other.last, eventid.ID{})
	r.settle()
	feed.reads = feed.reads[1:] // c's
	feed.give(60, 101, 102)
	r.settle()
	if from := other.give(70, 80, 201, 202); from != eventid.After(id(70)) {
		t.Errorf("b is read from %v", from)
	}
	r.settle()
	again.want("101", "102", "80", "201", "202", "103", "104", "105", "203", "204")
}

// What cannot be sent of the earliest events is told, though nothing comes before it.
func TestTheEarliestEventCannotBeSent(t *testing.T) {
	r, feed := trimmed(t)
	c := r.joinEarliest("a")
	r.settle()
	feed.Answer(feed.last, eventid.ID{})
	r.settle()
	feed.reads[0].Got([]log.Older{{ID: id(50)}, {ID: id(60)}, {ID: id(61), Body: eventBody(61)}})
	r.settle()
	feed.reads[1].Got([]log.Older{{ID: id(60)}, {ID: id(61), Body: eventBody(61)},
		{ID: id(103), Body: eventBody(103)}})
	r.settle()
	c.want("gap:expired", "61", "103", "104", "105")
}

// A log is extended as far as the retention allows, and no further however often streams ask.
func TestALogIsExtendedWithinItsRetention(t *testing.T) {
	for name, retention := range map[string]log.Retention{
		"events": {Events: 10},
		"bytes":  {Bytes: int64(10*len(eventBody(100)) + 10*len("id: 100-0\n"))},
		"age":    {AgeMS: 110},
	} {
		t.Run(name, func(t *testing.T) {
			r, u := fed(t, patient(), topic.Config{Retention: retention})
			r.join("a", "", fake.Unlimited)
			r.settle()
			feed := u.feeds["a"]
			feed.Place(eventid.After(id(999_990)), id(50))
			feed.add(1_000_000) // now
			extended := 0
			for feed.Extends() && extended < 50 {
				lost, _, _ := feed.Span()
				feed.Prepend([]log.Older{{ID: lost, Body: eventBody(lost.MS)}}, id(lost.MS-10),
					lost)
				extended++
			}
			if extended < 6 || extended > 12 {
				t.Errorf("%d events were put before the first one, expected about ten in all",
					extended)
			}
		})
	}
}
