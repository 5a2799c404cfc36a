package shard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// forms is the two forms of answers to polls.
var forms = map[bool]*AnswerForm{
	false: {Head: []byte("HTTP/1.1 200 OK\r\nX: sse\r\n"), Early: &early},
	true:  {Head: []byte("HTTP/1.1 200 OK\r\nX: json\r\n"), Early: &early, JSON: true},
}

// asPoll makes the join one of a poll, if that is the wire.
func (c *client) asPoll(j *Join) {
	if c.wire != WireAnswer {
		return
	}
	wait := max(c.wait, 0)
	if c.wait == 0 {
		wait = 10 * time.Hour
	}
	c.head, j.Head = "", nil
	j.Poll = &Poll{Form: forms[c.json], Wait: wait, Kept: !c.closes, Note: c.note}
}

// done takes back a connection, as the engine does.
func (r *rig) done(fd int, note any) {
	if fd < 0 {
		r.dropped = append(r.dropped, note)
		return
	}
	r.net.Take(fd)
	r.returned = append(r.returned, note)
}

// poll asks once, and lets the shards run.
func (r *rig) poll(c *client, lastID string, wait time.Duration) {
	r.t.Helper()
	c.r, c.wire, c.wait = r, WireAnswer, wait
	if wait == 0 {
		c.wait = -1
	}
	c.messages = nil
	c.connect(lastID, fake.Unlimited, 0)
	r.settle()
}

// answered checks that the poll has its answer, and returns the position behind it.
func (c *client) answered() (position string) {
	c.r.t.Helper()
	c.endedWith(ClosedAnswered)
	c.read()
	u := c.unframe.(*unanswer)
	if !u.whole() || u.closes != c.closes || c.sock.Released == c.closes ||
		u.field.Get("X") != map[bool]string{false: "sse", true: "json"}[c.json] {
		c.r.t.Fatalf("the answer is %v %q, whole: %v", u.field, c.raw, u.whole())
	}
	position = u.field.Get("Last-Event-ID")
	if !c.json && c.decoder.LastEventID() != position {
		c.r.t.Fatalf("the answer is %v %q", u.field, c.raw)
	}
	return position
}

// element is what an array has for an event.
type element struct {
	ID, Topic, Data string
	Event           *string
}

func (c *client) elements() (all []element) {
	c.r.t.Helper()
	d := json.NewDecoder(strings.NewReader(string(c.raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil || !strings.HasSuffix(string(c.raw), "]\n") {
		c.r.t.Fatalf("%q: %v", c.raw, err)
	}
	return all
}

func TestAPollIsAnsweredByTheNextEvent(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for _, closes := range []bool{false, true} {
			r := newRig(t, 1, beating(time.Second), topic.Config{})
			c := &client{topics: strings.Split(topics, ","), closes: closes, note: "its note"}
			r.poll(c, "", time.Minute)
			r.pass(30 * time.Second)
			if len(c.sock.Got) > 0 || r.shards[0].stats.Streams.Load() != 1 {
				t.Fatalf("a parked poll was sent %q", c.sock.Got)
			}
			r.publish("a", "1")
			r.settle()
			at := c.answered()
			c.want("1")
			if c.state() != stateLive {
				t.Errorf("it begins as %q", c.state())
			}
			if back := fmt.Sprint(r.returned); back != map[bool]string{false: "[its note]",
				true: "[]"}[closes] {
				t.Errorf("came back: %s", back)
			}
			// what comes between two polls is there
			r.publish("a", "2")
			r.publish("a", "3")
			r.poll(c, at, time.Minute)
			at = c.answered()
			c.want("2", "3")
			if c.state() != stateResumed {
				t.Errorf("it begins as %q", c.state())
			}
			// and where nothing comes, the position is the same
			r.poll(c, at, time.Minute)
			r.pass(59 * time.Second)
			if len(c.sock.Got) > 0 {
				t.Fatalf("it was sent %q too early", c.sock.Got)
			}
			r.pass(2 * time.Second)
			if end := c.answered(); end != at || c.state() != stateResumed {
				t.Errorf("it ends at %q, expected %q; %q", end, at, c.raw)
			}
			c.want()
			r.empty()
		}
	}
}

// A poll that does not wait has what there is, and without an id nothing but the position.
func TestAPollThatDoesNotWait(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		r.publish("a", "before")
		c := &client{topics: strings.Split(topics, ",")}
		r.poll(c, "", 0)
		at := c.answered()
		c.want()
		r.publish("a", "after")
		r.poll(c, at, 0)
		c.answered()
		c.want("after")
		c.json = true
		r.poll(c, "", 0)
		if c.answered(); string(c.raw) != "[]\n" {
			t.Errorf("found %q", c.raw)
		}
		r.empty()
	}
}

// The two forms say the same of every beginning: events, gaps and ids.
func TestBothFormsOfAnAnswerSayTheSame(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 5}})
		names := strings.Split(topics, ",")
		c := &client{topics: names}
		r.poll(c, "", 0)
		ids := []string{"", "nonsense", "1.1.1", c.answered()}
		for n := range 9 {
			r.publish(names[n%len(names)], fmt.Sprintf("%d\n\"<&>", n))
			r.poll(c, ids[len(ids)-1], 0)
			ids = append(ids, c.answered())
		}
		for _, id := range ids {
			c.json = false
			r.poll(c, id, 0)
			at := c.answered()
			messages, want := c.messages, []element{}
			c.json = true
			r.poll(c, id, 0)
			if end := c.answered(); end != at {
				t.Errorf("after %q: %q and %q", id, at, end)
			}
			all := c.elements()
			for _, m := range messages {
				e := element{ID: m.LastEventID, Data: m.Data}
				if m.Event != "message" {
					e.Event = &m.Event
				}
				want = append(want, e)
			}
			if len(all) != len(want) {
				t.Fatalf("after %q: %d elements, expected %d: %+v", id, len(all), len(want), all)
			}
			if len(names) > 1 { // any topic may be the first
				byData := func(a, b element) int { return strings.Compare(a.Data, b.Data) }
				slices.SortStableFunc(all, byData)
				slices.SortStableFunc(want, byData)
			}
			for k, e := range all {
				if !slices.Contains(names, e.Topic) || e.Data != want[k].Data ||
					(e.Event == nil) != (want[k].Event == nil) ||
					len(names) == 1 && e.ID != want[k].ID {
					t.Errorf("after %q: element %d is %+v, expected %+v", id, k, e, want[k])
				}
				if e.ID == "" && (e.Event == nil || *e.Event != "gap") {
					t.Errorf("after %q: element %d has no id: %+v", id, k, all)
				}
			}
		}
		r.empty()
	}
}

// An answer has at most 64 KiB, or one event; what is behind comes with the next.
func TestAnAnswerIsBounded(t *testing.T) {
	for _, form := range []bool{false, true} {
		for _, topics := range []string{"a", "a,b"} {
			r := newRig(t, 1, patient(), topic.Config{})
			c := &client{topics: strings.Split(topics, ","), json: form}
			r.poll(c, "", 0)
			at := c.answered()
			sizes := []int{100, 100_000, 10, 30_000, 30_000, 30_000, 64 << 10, 1}
			for n, size := range sizes {
				r.publish(c.topics[n%len(c.topics)], fmt.Sprintf("%d%0*d", n, size, 0))
			}
			got := 0
			for range len(sizes) + 1 {
				r.poll(c, at, 0)
				at = c.answered()
				n := len(c.messages)
				if form {
					n = len(c.elements())
				}
				if got += n; n > 1 && len(c.raw) > answerMax {
					t.Errorf("an answer of %d events has %d bytes", n, len(c.raw))
				}
			}
			if got != len(sizes) {
				t.Errorf("JSON %v, %s: got %d events", form, topics, got)
			}
			r.empty()
		}
	}
}

// A log that has run past a parked poll: it is told, whatever the policy, behind its opening.
func TestAParkedPollThatIsOverrun(t *testing.T) {
	for _, policy := range []Policy{PolicyGap, PolicyClose, PolicyLatest} {
		for _, topics := range []string{"a", "a,b"} {
			for _, form := range []bool{false, true} {
				config := patient()
				config.Policy = func(string) Policy { return policy }
				r := newRig(t, 1, config, topic.Config{Retention: log.Retention{Events: 2}})
				c := &client{topics: strings.Split(topics, ","), json: form}
				r.poll(c, "", time.Minute)
				for n := range 5 {
					r.publish("a", fmt.Sprint(n))
				}
				r.settle()
				c.answered()
				want := []string{"gap:overrun", "3", "4"}
				if policy == PolicyLatest {
					want = []string{"gap:overrun", "4"}
				}
				if !form {
					c.want(want...)
					if !strings.HasPrefix(string(c.raw), "event: ssedge\n") {
						t.Errorf("begins with %q", c.raw)
					}
				} else if all := c.elements(); len(all) != len(want) || *all[0].Event != "gap" ||
					all[0].ID == "" || all[0].Topic != "a" || all[1].Data != want[1] {
					t.Errorf("%v: found %+v", policy, all)
				}
				r.empty()
			}
		}
	}
}

// A drain answers parked polls with what there is and its last words, and their connections end.
func TestADrainAnswersPolls(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for _, form := range []bool{false, true} {
			r := newRig(t, 1, patient(), topic.Config{})
			c := &client{topics: strings.Split(topics, ","), json: form, note: 1}
			r.poll(c, "", time.Hour)
			r.publish("a", "last")
			r.shards[0].startDrain(1e6, time.Hour, func() {})
			r.settle()
			if got := r.ended[c.owner]; len(got) != 1 || got[0] != ClosedAnswered &&
				got[0] != ClosedDrain {
				t.Fatalf("ended with %v", got)
			}
			c.read()
			u := c.unframe.(*unanswer)
			if !u.whole() || !u.closes || len(r.returned) > 0 {
				t.Errorf("%v %q", u.field, c.raw)
			}
			r.empty()

			r = newRig(t, 1, patient(), topic.Config{})
			r.poll(c, "", time.Hour)
			r.drain(1e6, time.Hour)
			r.pass(100 * time.Millisecond)
			c.endedWith(ClosedDrain)
			c.read()
			u = c.unframe.(*unanswer)
			if !u.whole() || !u.closes || u.field.Get("Last-Event-ID") == "" ||
				form && string(c.raw) != "[]\n" ||
				!form && (c.state() != stateDrain || len(c.states) != 2) {
				t.Errorf("%v %q", u.field, c.raw)
			}
			r.empty()
		}
	}
}

// A poll that ends without its answer is answered as a stream that has not begun.
func TestAParkedPollThatIsCutOff(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	c := &client{topics: []string{"a"}}
	r.poll(c, "", time.Hour)
	r.shards[0].stop()
	c.endedWith(ClosedShutdown)
	if got := string(c.sock.Got); got != string(early[ClosedShutdown]) {
		t.Errorf("found %q", got)
	}
}

// Clients that go while they wait, or half-close, leave nothing: as streams do.
func TestAPollWhoseClientGoes(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		c := &client{topics: strings.Split(topics, ","), note: 1}
		r.poll(c, "", time.Hour)
		c.sock.HangUp()
		r.settle()
		c.endedWith(ClosedClientGone)
		if len(r.dropped) != 1 || len(r.returned) > 0 {
			t.Errorf("came back: %v, dropped: %v", r.returned, r.dropped)
		}
		r.empty()
	}
}

// Sockets that stop at every byte of the answer: all of it comes, and then the connection goes
// back.
func TestAnAnswerOverSocketsThatStopAnywhere(t *testing.T) {
	step := 1
	if raced {
		step = 41
	}
	for _, topics := range []string{"a", "a,b"} {
		for room := 0; ; room += step {
			config := patient()
			config.Policy = func(string) Policy { return PolicyClose }
			r := newRig(t, 1, config, topic.Config{Retention: log.Retention{Events: 2}})
			c := &client{topics: strings.Split(topics, ",")}
			r.poll(c, "", time.Minute)
			c.sock.Room = room
			r.publish("a", "1")
			r.settle()
			if !c.sock.Watches {
				c.answered()
				break
			}
			for n := range 5 { // nothing of that is the answer's
				r.publish("a", fmt.Sprint("later ", n))
				r.settle()
			}
			r.pass(2 * time.Minute)
			for c.sock.Watches {
				c.sock.Free(1 + room%7)
				r.settle()
			}
			c.answered()
			c.want("1")
			r.empty()
		}
	}
}

func TestAnAnswerThatIsNotReadIsGivenUp(t *testing.T) {
	config := patient()
	config.WriteStall = 10 * time.Second
	r := newRig(t, 1, config, topic.Config{})
	c := &client{topics: []string{"a"}}
	r.poll(c, "", time.Minute)
	c.sock.Room = 10
	r.publish("a", "1")
	r.settle()
	r.pass(21 * time.Second)
	c.endedWith(ClosedWriteStalled)
	r.empty()
}

// Where copies have little room, answers are short.
func TestAnswersAreShortWhereRestBytesAre(t *testing.T) {
	config := patient()
	config.RestBytes = 10_000
	r := newRig(t, 1, config, topic.Config{})
	c := &client{topics: []string{"a"}}
	r.poll(c, "", 0)
	at := c.answered()
	for range 20 {
		r.publish("a", strings.Repeat("x", 1000))
	}
	r.poll(c, at, 0)
	c.answered()
	if n := len(c.messages); n < 2 || n > 4 {
		t.Errorf("an answer has %d events", n)
	}
	r.empty()
}
