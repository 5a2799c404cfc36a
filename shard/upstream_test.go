package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// fakeUpstream notes what it is asked. The test is what answers.
type fakeUpstream struct {
	feeds   map[string]*fakeFeed
	follows int
}

type fakeFeed struct {
	*topic.Topic
	asks    []eventid.Position
	reads   []topic.Reading
	last    uint64 // number of the last ask
	stopped bool
}

func (u *fakeUpstream) Follow(t *topic.Topic) topic.Feed {
	u.follows++
	u.feeds[t.Name()] = &fakeFeed{Topic: t}
	return u.feeds[t.Name()]
}

func (f *fakeFeed) Ask(from eventid.Position) uint64 {
	f.asks = append(f.asks, from)
	f.last++
	return f.last
}

func (f *fakeFeed) Read(r topic.Reading) { f.reads = append(f.reads, r) }

func (f *fakeFeed) Now() eventid.Position { return eventid.At(50) }
func (f *fakeFeed) Stop()                 { f.stopped = true }

func id(ms uint64) eventid.ID { return eventid.ID{MS: ms} }

// add appends events whose data is their id.
func (f *fakeFeed) add(ids ...uint64) {
	for _, ms := range ids {
		f.Append(id(ms), eventBody(ms))
	}
}

// prepend puts events before the others; lost is the id before them.
func (f *fakeFeed) prepend(lost uint64, ids ...uint64) {
	var older []log.Older
	for _, ms := range ids {
		older = append(older, log.Older{ID: id(ms), Body: eventBody(ms)})
	}
	below, _, _ := f.Span()
	f.Prepend(older, id(lost), below)
}

func eventBody(ms uint64) []byte {
	return sse.AppendBody(nil, &sse.Event{Data: fmt.Append(nil, ms)})
}

// fed is a rig whose topics have an upstream.
func fed(t testing.TB, c Config, tc topic.Config) (*rig, *fakeUpstream) {
	u := &fakeUpstream{feeds: map[string]*fakeFeed{}}
	tc.Upstream = u
	return newRig(t, 1, c, tc), u
}

// placed joins a first stream to a topic and places it after event 100.
func placed(r *rig, u *fakeUpstream) (*client, *fakeFeed) {
	c := r.join("a", "", fake.Unlimited)
	r.settle()
	u.feeds["a"].Place(eventid.After(id(100)), id(50))
	r.settle()
	return c, u.feeds["a"]
}

func TestAStreamWaitsForItsTopicsPlace(t *testing.T) {
	for _, wire := range lasting() {
		for _, greets := range []bool{false, true} {
			for _, topics := range []string{"a", "a,b"} {
				r, u := fed(t, patient(), topic.Config{})
				r.greets = greets
				c := &client{r: r, topics: strings.Split(topics, ","), wire: wire}
				c.connect("", fake.Unlimited, 0)
				r.settle()
				for n, name := range c.topics {
					if len(c.sock.Got) > 0 || r.shards[0].stats.Waiting.Load() != 1 {
						t.Fatalf("%d topics placed: the stream got %q", n, c.sock.Got)
					}
					u.feeds[name].Place(eventid.At(700), eventid.ID{})
					r.settle()
				}
				c.want()
				if got := c.decoder.LastEventID(); topics == "a" && got != "700" || got == "" {
					t.Errorf("it begins at %q", got)
				}
				u.feeds["a"].add(701, 702)
				r.settle()
				c.want("701", "702")
				if topics == "a" && c.decoder.LastEventID() != "702-0" {
					t.Errorf("it stands at %q", c.decoder.LastEventID())
				}
				c.sock.HangUp()
				r.empty()
			}
		}
	}
}

// While the upstream is away, a stream that begins live gets its head, an opening with a time as
// its id, and heartbeats.
func TestAWaitingStreamIsKeptAlive(t *testing.T) {
	for _, wire := range lasting() {
		c := patient()
		c.Heartbeat = 10 * time.Second
		r, u := fed(t, c, topic.Config{})
		s := &client{r: r, topics: []string{"a"}, wire: wire}
		s.connect("", fake.Unlimited, 0)
		r.pass(900 * time.Millisecond)
		if len(s.sock.Got) > 0 {
			t.Fatalf("after 0.9 s: %q", s.sock.Got)
		}
		r.pass(300 * time.Millisecond)
		s.read()
		if raw := string(s.raw); s.state() != stateLive ||
			!strings.HasSuffix(raw, "\nid: 49-18446744073709551615\n\n") {
			t.Fatalf("after 1.2 s: %q", raw)
		}
		r.pass(25 * time.Second)
		s.read()
		if n := strings.Count(string(s.raw), ":\n"); n < 2 {
			t.Errorf("%d heartbeats in 25 s: %q", n, s.raw)
		}
		u.feeds["a"].Place(eventid.After(id(100)), id(40))
		u.feeds["a"].add(101)
		r.settle()
		if len(u.feeds["a"].asks) != 1 || u.feeds["a"].asks[0].String() != since(50) {
			// what came since the head was sent is the stream's
			t.Fatalf("asked %v", u.feeds["a"].asks)
		}
		u.feeds["a"].prepend(40, 60, 100)
		u.feeds["a"].Answer(1, eventid.ID{})
		u.feeds["a"].add(102)
		r.settle()
		s.want("60", "100", "101", "102")
		s.sock.HangUp()
		r.empty()
	}
}

func TestAStreamThatLeavesWhileWaitingLeavesNothing(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r, u := fed(t, patient(), topic.Config{LingerMS: 15_000})
		c, other := r.join(topics, "", fake.Unlimited), r.join("a", "90-0", fake.Unlimited)
		r.settle()
		c.sock.HangUp()
		r.settle()
		u.feeds["a"].Place(eventid.After(id(100)), eventid.ID{})
		u.feeds["a"].prepend(90, 95, 100)
		u.feeds["a"].Answer(u.feeds["a"].last, eventid.ID{})
		r.settle()
		other.want("95", "100")
		other.sock.HangUp()
		r.empty()
		for name, f := range u.feeds {
			if f.stopped {
				t.Errorf("%s is not followed any more at once", name)
			}
		}
		r.pass(20 * time.Second)
		r.table.Expire()
		for name, f := range u.feeds {
			if !f.stopped || r.table.Topics() != 0 || r.table.HistoryBytes() != 0 {
				t.Errorf("%s: stopped: %v; %d topics, %d bytes left", name, f.stopped,
					r.table.Topics(), r.table.HistoryBytes())
			}
		}
	}
}

// A topic that a client comes back to in time goes on, history and all.
func TestAFollowedTopicLingers(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{LingerMS: 15_000})
	c, feed := placed(r, u)
	feed.add(101, 102)
	r.settle()
	c.sock.HangUp()
	r.pass(10 * time.Second)
	r.table.Expire()
	feed.add(103)
	c = r.join("a", "101-0", fake.Unlimited)
	r.pass(10 * time.Second)
	r.table.Expire()
	feed.add(104)
	r.settle()
	c.want("102", "103", "104")
	if feed.stopped || u.follows != 1 || len(feed.asks) != 0 {
		t.Errorf("stopped: %v, followed %d times, asked %v", feed.stopped, u.follows, feed.asks)
	}
	if r.pass(time.Hour); feed.stopped {
		t.Error("a topic with a subscriber was stopped")
	}
}

// since is the id that a client gets from an edge that does not know a topic's place.
func since(ms uint64) string { return eventid.After(eventid.Before(eventid.At(ms))).String() }

// What the log can prove is not asked for.
func TestWhatTheLogCoversIsNotAskedFor(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	_, feed := placed(r, u)
	feed.add(101, 102, 103)
	for last, want := range map[string]string{
		"100-0": "101 102 103", "101-0": "102 103", "103-0": "", since(101): "101 102 103",
		since(102): "102 103",
		"":         "", "102-1": "gap:unknown 103", "40-0": "gap:expired",
		"nonsense": "gap:malformed",
	} {
		if last == "40-0" {
			feed.Answer(0, id(100)) // now it is known that the upstream has nothing before the log
		}
		c := r.join("a", last, fake.Unlimited)
		r.settle()
		got := strings.TrimSuffix(strings.Join(c.data(), " "), " 101 102 103")
		if want == "101 102 103" {
			got = strings.Join(c.data(), " ")
		}
		if got != want || len(feed.asks) != 0 {
			t.Errorf("from %q: got %q, expected %q; asked %v", last, got, want, feed.asks)
		}
	}
}

func TestWhatTheLogDoesNotCoverIsAskedFor(t *testing.T) {
	older := func(f *fakeFeed) { f.prepend(60, 70, 80, 100) }
	for _, c := range []struct {
		last   string
		answer func(*fakeFeed)
		floor  uint64
		want   string
	}{
		{"60-0", older, 0, "70 80 100 101"},
		{"70-0", older, 0, "80 100 101"},
		{since(75), older, 0, "80 100 101"},
		{"55-0", older, 60, "gap:expired 70 80 100 101"},
		{"65-0", older, 60, "gap:unknown 70 80 100 101"},
		{"70-0", func(*fakeFeed) {}, 100, "gap:expired 101"},
		{"earliest", older, 60, "70 80 100 101"},
		{"200-0", func(f *fakeFeed) { f.add(150, 200, 300) }, 0, "300"},
		{"200-0", func(f *fakeFeed) { f.add(150) }, 0, "gap:future"},
		{since(200), func(f *fakeFeed) { f.add(150) }, 0, "gap:future"},
		{"200-0", func(f *fakeFeed) { f.add(250) }, 0, "gap:unknown 250"},
	} {
		r, u := fed(t, patient(), topic.Config{})
		_, feed := placed(r, u)
		feed.add(101)
		var stream *client
		if c.last == "earliest" {
			stream = r.joinEarliest("a")
		} else {
			stream = r.join("a", c.last, fake.Unlimited)
		}
		r.settle()
		if len(stream.sock.Got) != 0 || len(feed.asks) != 1 {
			t.Fatalf("from %s: got %q, asked %v", c.last, stream.sock.Got, feed.asks)
		}
		feed.Answer(0, eventid.ID{}) // of another one
		r.settle()
		c.answer(feed)
		r.settle()
		if len(stream.sock.Got) != 0 {
			t.Fatalf("from %s: got %q before the answer", c.last, stream.sock.Got)
		}
		feed.Answer(feed.last, id(c.floor))
		r.settle()
		if got := strings.Join(stream.data(), " "); got != c.want {
			t.Errorf("from %s: got %q, expected %q", c.last, got, c.want)
		}
		stream.sock.HangUp()
		r.settle()
		if r.shards[0].stats.Waiting.Load() != 0 || len(r.shards[0].waits)+
			len(r.shards[0].awaiting) != 0 {
			t.Error("a stream still waits")
		}
	}
}

// Streams that are there do not get what is put before the events of a log.
func TestAStreamThatIsThereDoesNotGetOlderEvents(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{})
	c, feed := placed(r, u)
	slow := r.join("a", "", fake.Unlimited)
	r.settle()
	slow.sock.Room = 0
	feed.add(101, 102)
	r.settle()
	feed.prepend(60, 70, 80, 100)
	feed.add(103)
	r.settle()
	c.want("101", "102", "103")
	slow.sock.Free(fake.Unlimited)
	r.settle()
	slow.want("101", "102", "103")
}

// Events without an id come to every stream that is there, and do not move its place.
func TestRawEvents(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for _, at := range []eventid.Position{eventid.At(700), eventid.After(id(700))} {
			r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 4}})
			c := r.join(topics, "", fake.Unlimited)
			r.settle()
			for _, f := range u.feeds {
				f.Place(at, eventid.ID{})
			}
			r.settle()
			c.read()
			feed, began := u.feeds["a"], c.decoder.LastEventID()
			feed.AppendRaw(eventBody(1))
			r.settle()
			c.want("1")
			if got := c.decoder.LastEventID(); got != began {
				t.Errorf("a raw event has moved the place from %s to %s", began, got)
			}
			feed.add(801)
			feed.AppendRaw(eventBody(2))
			feed.AppendRaw(eventBody(3))
			r.settle()
			c.want("1", "801", "2", "3")
			back := r.join(topics, c.decoder.LastEventID(), fake.Unlimited)
			feed.add(802)
			r.settle()
			back.want("802")
			feed.add(803) // lets the raw events behind 801 be the oldest, and then some
			feed.add(804)
			r.settle()
			c.read()
			again := r.join(topics, c.decoder.LastEventID(), fake.Unlimited)
			feed.add(805)
			r.settle()
			again.want("805")
			r.join(topics, began, fake.Unlimited) // before what is kept
			r.settle()
			if len(feed.asks) != 1 {
				t.Errorf("asked %v", feed.asks)
			}
		}
	}
}

func TestAWaitingStreamThatIsBlocked(t *testing.T) {
	c := patient()
	c.Heartbeat = 2 * time.Second
	r, u := fed(t, c, topic.Config{})
	s := r.join("a", "90-0", 5) // not even the head fits
	r.pass(3 * time.Second)
	u.feeds["a"].Place(eventid.After(id(100)), eventid.ID{})
	u.feeds["a"].prepend(90, 95, 100)
	u.feeds["a"].Answer(u.feeds["a"].last, eventid.ID{})
	r.pass(time.Second)
	s.read()
	s.sock.Free(fake.Unlimited)
	r.settle()
	s.want("95", "100")
	s.sock.HangUp()
	r.empty()
}

func TestWaitingStreamsAreDrained(t *testing.T) {
	for _, stop := range []bool{false, true} {
		r, _ := fed(t, patient(), topic.Config{})
		c, blocked := r.join("a", "90-0", fake.Unlimited), r.join("a,b", "", 0)
		r.pass(2 * time.Second)
		if stop {
			r.shards[0].inbox.call(r.shards[0].stop)
			r.turn()
			c.endedWith(ClosedShutdown)
		} else {
			done := r.drain(1000, 5*time.Second)
			r.pass(time.Second)
			c.endedWith(ClosedDrain)
			if c.read(); string(c.raw[:2]) != ":\n" || c.state() != stateDrain || *done != 0 {
				t.Errorf("told %q; done: %d", c.raw, *done)
			}
			r.pass(5 * time.Second)
			if *done != 1 {
				t.Error("the drain does not end")
			}
		}
		blocked.endedWith(ClosedShutdown)
	}
}
