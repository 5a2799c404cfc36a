package shard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

func TestAStreamOpensWithItsHeadARetryAndAnID(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		seen := map[int64]bool{}
		for range 100 {
			c := r.join(topics, "", fake.Unlimited)
			r.settle()
			c.want()
			ms, ok := c.decoder.RetryMS()
			if !ok || ms < 2000 || ms > 3000 {
				t.Fatalf("retry is %d, %v, want 2000 to 3000", ms, ok)
			}
			seen[ms] = true
			if c.decoder.LastEventID() == "" || c.state() != stateLive {
				t.Fatalf("the stream opens with %q", c.raw)
			}
			if c.request(c.decoder.LastEventID()).Resume != log.ResumeAt {
				t.Fatalf("the first id %q is none to resume with", c.decoder.LastEventID())
			}
		}
		if len(seen) < 20 {
			t.Errorf("100 streams were told %d different times to come back", len(seen))
		}
	}
}

func TestAStreamGetsWhatIsPublishedAfterItJoined(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		r.publish("a", "before")
		c := r.join(topics, "", fake.Unlimited)
		r.publish("a", "in the inbox") // the shard has not seen the join yet
		r.settle()
		r.publish("a", "1")
		r.settle()
		r.publish("a", "2")
		r.publish("a", "3")
		r.settle()
		c.want("1", "2", "3")
	}
}

// A stream that was greeted where it was accepted begins there: what happens to
// the log before its shard sees it is delivered, or told.
func TestAGreetedStreamBeginsWithItsGreeting(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 3}})
	r.greets = true
	r.publish("a", "before")
	quiet, c := r.join("b", "", fake.Unlimited), r.join("a", "", fake.Unlimited)
	r.publish("a", "1")
	r.settle()
	c.want("1")
	r.publish("a", "2")
	r.settle()
	c.want("1", "2")
	behind := r.join("a", c.decoder.LastEventID(), fake.Unlimited)
	for n := range 5 {
		r.publish("a", fmt.Sprint("n", n))
	}
	r.settle()
	behind.want("gap:overrun", "n2", "n3", "n4")
	quiet.want()
	for _, c := range []*client{quiet, c, behind} {
		c.sock.HangUp()
	}
	r.empty()
}

// Whatever the last id a client has seen, it gets the rest, and no more.
func TestResumeGivesExactlyTheRest(t *testing.T) {
	for _, topics := range []string{"a", "a,b,c", "c,a,b"} {
		r := newRig(t, 2, patient(), topic.Config{})
		c := r.join(topics, "", fake.Unlimited)
		r.settle()
		c.read()
		ids, data := []string{c.decoder.LastEventID()}, []string{}
		for n := range 40 {
			topic := c.topics[n*7%11%len(c.topics)]
			*r.wall += uint64(n % 3)
			data = append(data, fmt.Sprintf("%s%d", topic, n))
			r.publish(topic, data[n])
			r.settle()
			c.want(data...)
			ids = append(ids, c.decoder.LastEventID())
		}
		for n, id := range ids {
			again := r.join(topics, id, fake.Unlimited)
			r.settle()
			got := map[string]string{}
			for _, d := range again.data() {
				got[d[:1]] += d + " "
			}
			want := map[string]string{}
			for _, d := range data[n:] {
				want[d[:1]] += d + " "
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s after %d events (%s): got %v, want %v", topics, n, id, got, want)
			}
			if end := ids[len(ids)-1]; again.decoder.LastEventID() != end {
				t.Fatalf("%s ends with the id %q, want %q", topics, again.decoder.LastEventID(),
					end)
			}
		}
	}
}

func TestResumeWithWhatIsNoPositionOfTheStreamIsAGap(t *testing.T) {
	for _, c := range []struct{ topics, id, cause, then string }{
		{"a", "nonsense", "malformed", ""},
		{"a", "1.0.0-0", "malformed", ""},
		{"a", "999-0", "expired", "1 2"},
		{"a", "1000500-0", "unknown", "1 2"},
		{"a", "9999999-0", "future", ""},
		{"a", "9999999", "future", ""},
		{"a,b", "1000000-1", "malformed", ""},
		{"a,b", "1.abc.0-0.0-0", "malformed", ""},
	} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 2}})
		for n := range 3 {
			r.publish("a", fmt.Sprint(n))
			*r.wall += 1000
		}
		cl := r.join(c.topics, c.id, fake.Unlimited)
		r.settle()
		var want []string
		for range cl.topics {
			want = append(want, "gap:"+c.cause)
		}
		want = append(want, strings.Fields(c.then)...)
		cl.want(want...)
		for k, topic := range cl.topics {
			g := parseGap(t, cl.messages[k])
			known := c.cause == "expired" // of the others it is not known what the client has
			if g.Topic != topic || (g.From != nil) != known || known && *g.From != c.id ||
				g.To == nil && c.topics == "a" {
				t.Errorf("%s with %q: gap %q", c.topics, c.id, cl.messages[k].Data)
			}
		}
		r.publish("a", "live")
		r.settle()
		cl.want(append(want, "live")...)
		after := r.join(c.topics, cl.decoder.LastEventID(), fake.Unlimited)
		r.settle()
		after.want() // the gap was told once
	}
}

func TestAGapNamesItsTopicInJSON(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	name := "a \"quoted\" \\ topic <&> \u2028 ü\x01"
	r.publish(name, "x")
	c := r.join(name, "1-0", fake.Unlimited)
	r.settle()
	c.want("gap:expired", "x")
	g := parseGap(t, c.messages[0])
	if g.Topic != name || *g.From != "1-0" {
		t.Errorf("gap %q", c.messages[0].Data)
	}
}

// The configuration is asked for a topic's policy when a stream subscribes, and
// again right after its place in the log was found: what is published there is
// after the look at the log, and must not be missed.
func TestAnEventRightAfterTheLookAtTheLogIsNotMissed(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		asked := 0
		r.config.Policy = func(topic string) Policy {
			if asked++; topic == "a" && asked == 2 {
				r.publish("a", "x")
			}
			return PolicyGap
		}
		r.publish("a", "gone")
		holder := acquire(t, r.table, "a") // whose log will be empty
		r.table.EvictOldest()
		id := "5-0"
		if topics != "a" {
			id = vector(topics, id, "5-0")
		}
		c := r.join(topics, id, fake.Unlimited)
		r.settle()
		if asked < 2 {
			t.Fatal("the policy was not asked for twice")
		}
		got := strings.Join(c.data(), " ")
		if got = strings.ReplaceAll(got, "gap:evicted ", ""); got != "x" && got != "gap:expired x" {
			t.Errorf("%s: got %q, want x once", topics, got)
		}
		r.table.Release(holder)
	}
}

func TestASocketThatCannotBeWatchedEnds(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		c := r.join(topics, "", fake.Unlimited)
		c.sock.Refuses = unix.ENOSPC
		w := r.join(topics, "", 10)
		w.sock.RefusesW = unix.ENOMEM
		r.settle()
		c.endedWith(ClosedError)
		w.endedWith(ClosedError)
		r.table.ForgetAll()
		if r.table.Topics() != 0 {
			t.Errorf("%d topics are still held", r.table.Topics())
		}
		r.empty()
	}
}

func TestJoinsBeyondTheInboxAreRefused(t *testing.T) {
	c := patient()
	c.InboxMax = 3
	r := newRig(t, 1, c, topic.Config{})
	for range 3 {
		r.join("a", "", fake.Unlimited)
	}
	if err := r.shards[0].inbox.join(Join{}); !errors.Is(err, ErrInboxFull) {
		t.Fatalf("a fourth join: %v", err)
	}
	r.publish("a", "dirty marks are not refused")
	r.settle()
	r.join("a", "", fake.Unlimited)
	r.settle()
	if got := r.shards[0].stats.Streams.Load(); got != 4 {
		t.Errorf("%d streams, want 4", got)
	}
}

func TestAStreamEndsAtItsTime(t *testing.T) {
	c := patient()
	c.Lifetime = 100 * time.Second
	c.Heartbeat = 7 * time.Second
	r := newRig(t, 1, c, topic.Config{})
	idle := r.join("a", "", fake.Unlimited)
	stuck := r.join("a", "", 5) // a full socket does not prolong a life
	r.settle()
	r.pass(89900 * time.Millisecond) // up to a tenth less, so that they do not all end at once
	if len(r.ended) != 0 {
		t.Fatalf("ended early: %v", r.ended)
	}
	r.pass(10200 * time.Millisecond)
	idle.endedWith(ClosedMaxLifetime)
	stuck.endedWith(ClosedMaxLifetime)
	r.empty()
}
