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

// scene is a client and events around its joining. Every socket takes the same
// first bytes and then less than there is.
type scene struct {
	name   string
	topics string
	resume string // the id it comes with
	tc     topic.Config
	greets bool
	before func(r *rig) // what is published before it joins …
	after  func(r *rig) // … and after
	want   []string     // what it gets, whatever is cut
}

func three(topics ...string) func(*rig) {
	return func(r *rig) {
		for n, topic := range topics {
			r.publish(topic, fmt.Sprintf("%s%d\n%s", topic, n, strings.Repeat("x", 10*n)))
			*r.wall += 7
		}
	}
}

func events(topics ...string) (want []string) {
	for n, topic := range topics {
		want = append(want, fmt.Sprintf("%s%d\n%s", topic, n, strings.Repeat("x", 10*n)))
	}
	return want
}

var scenes = []scene{
	{name: "live, one topic", topics: "a", after: three("a", "a", "a"),
		want: events("a", "a", "a")},
	{name: "live, greeted", greets: true, topics: "a", after: three("a", "a", "a"),
		want: events("a", "a", "a")},
	{name: "live, several", topics: "a,b,c", after: three("b", "a", "b"),
		want: events("b", "a", "b")},
	{name: "resumed, one topic", topics: "a", resume: "1000000-1", before: three("a", "a", "a"),
		after: func(r *rig) { r.publish("a", "live") },
		want:  append(events("a", "a", "a")[1:], "live")},
	{name: "an expired id, one topic", topics: "a", resume: "999-0",
		tc: topic.Config{Retention: log.Retention{Events: 2}}, before: three("a", "a", "a"),
		want: append([]string{"gap:expired"}, events("a", "a", "a")[1:]...)},
	{name: "an unknown id, one topic", topics: "a", resume: "1000003-7",
		before: three("a", "a", "a"),
		want:   append([]string{"gap:unknown"}, events("a", "a", "a")[1:]...)},
	{name: "expired ids, several", topics: "a,b", resume: vector("a,b", "999-0", "998-0"),
		tc: topic.Config{Retention: log.Retention{Events: 1}}, before: three("a", "b", "a", "b"),
		want: append([]string{"gap:expired", "gap:expired"}, events("", "", "a", "b")[2:]...)},
	{name: "a malformed id, one topic", topics: "a", resume: "garbage", before: three("a"),
		after: three("a", "a"), want: append([]string{"gap:malformed"}, events("a", "a")...)},
	{name: "a malformed id, several", topics: "a,b", resume: "garbage", before: three("a", "b"),
		after: three("b", "a"), want: append([]string{"gap:malformed", "gap:malformed"},
			events("b", "a")...)},
}

// vector is the id of a stream with several topics.
func vector(topics string, positions ...string) string {
	check := uint32(0)
	for _, name := range strings.Split(topics, ",") {
		check = eventid.Check(check, name)
	}
	id := eventid.AppendVectorHeader(nil, check)
	for _, text := range positions {
		p, _ := eventid.ParsePosition([]byte(text))
		id = eventid.AppendVectorPosition(id, p)
	}
	return string(id)
}

func (s *scene) start(t *testing.T, room int) (*rig, *client) {
	c := patient()
	r := newRig(t, 1, c, s.tc)
	r.greets = s.greets
	if s.before != nil {
		s.before(r)
	}
	cl := r.join(s.topics, s.resume, room)
	r.settle()
	if s.after != nil {
		s.after(r)
		r.settle()
	}
	return r, cl
}

// total is how many bytes a client is sent if nothing holds them up.
func (s *scene) total(t *testing.T) int {
	_, c := s.start(t, fake.Unlimited)
	n := len(c.sock.Got)
	if got, want := byTopic(c.data()), byTopic(s.want); !slices.Equal(got, want) {
		t.Fatalf("%s: got %q, want %q", s.name, got, want)
	}
	return n
}

// byTopic puts data in an order that does not depend on how topics interleave.
func byTopic(data []string) []string {
	data = slices.Clone(data)
	slices.SortStableFunc(data, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	return data
}

func TestAStreamSurvivesAShortWriteAtEveryByte(t *testing.T) {
	oneGoroutine(t)
	for _, s := range scenes {
		total := s.total(t)
		for room := range total + 1 {
			for _, then := range []int{1, 37, fake.Unlimited} {
				if then == 1 && room%16 != 0 {
					continue // byte by byte, each run comes by all later cuts
				}
				r, c := s.start(t, room)
				for steps := 0; c.sock.Full || c.sock.Watches; steps++ {
					if steps > 4*total {
						t.Fatalf("%s: blocked for ever after %d bytes", s.name, room)
					}
					c.sock.Free(then)
					r.settle()
				}
				if got, want := byTopic(c.data()), byTopic(s.want); !slices.Equal(got, want) {
					t.Fatalf("%s, cut at %d, then %d at a time: got %q, want %q", s.name, room,
						then, got, want)
				}
				if r.rests.Load() != 0 || len(r.shards[0].outboxes) != 0 ||
					r.shards[0].stats.Blocked.Load() != 0 {
					t.Fatalf("%s, cut at %d: something is still aside", s.name, room)
				}
				if got := r.shards[0].stats.EventsOut.Load(); int(got) != countData(s.want) {
					t.Fatalf("%s, cut at %d: %d events counted, want %d", s.name, room, got,
						countData(s.want))
				}
			}
		}
	}
}

func countData(all []string) (n int) {
	for _, d := range all {
		if !strings.HasPrefix(d, "gap:") {
			n++
		}
	}
	return n
}

// gapTopics is the topics that gaps were told of.
func (c *client) gapTopics() string {
	var all []string
	for _, m := range c.messages {
		if m.Event == "gap" {
			all = append(all, parseGap(c.r.t, m).Topic)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func (s *scene) gapTopics(t *testing.T) string {
	_, c := s.start(t, fake.Unlimited)
	c.read()
	return c.gapTopics()
}

// The connection breaks after any byte, and the client comes back with the last id it has read: it
// is told everything it would have been told, gaps included, and nothing twice but a gap.
func TestAStreamIsResumedAfterABreakAtEveryByte(t *testing.T) {
	oneGoroutine(t)
	for _, s := range scenes {
		for room := range s.total(t) + 1 {
			r, c := s.start(t, room)
			c.read()
			c.sock.Reset()
			r.settle()
			c.endedWith(ClosedClientGone)
			id := c.decoder.LastEventID()
			if id == "" { // it has not read a first id: it would join live
				continue
			}
			c.connect(id, fake.Unlimited, 0)
			r.settle()
			got := byTopic(c.data())
			if told, want := c.gapTopics(), s.gapTopics(t); told != want {
				t.Fatalf("%s, broken at %d, resumed with %q: gaps told of %q, want %q", s.name,
					room, id, told, want)
			}
			if id == "garbage" { // it goes on live, and was told so
				continue
			}
			got = slices.Compact(got)
			if want := slices.Compact(byTopic(s.want)); !slices.Equal(got, want) {
				t.Fatalf("%s, broken at %d, resumed with %q: got %q, want %q", s.name, room, id,
					got, want)
			}
		}
	}
}
