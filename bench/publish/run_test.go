package publish_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ssedge/bench/mark"
	"ssedge/bench/publish"
)

// numbers checks that the events of each number in the marks came with the sequence 1, 2, 3 …, and
// returns how many.
func numbers(t *testing.T, all []request) map[uint32]uint32 {
	t.Helper()
	last := make(map[uint32]uint32)
	for _, r := range all {
		for _, m := range r.marks() {
			if m.Seq != last[m.Topic]+1 {
				t.Errorf("topic %d: expected number %d, found %d", m.Topic, last[m.Topic]+1, m.Seq)
			}
			last[m.Topic] = m.Seq
		}
	}
	return last
}

func TestEventsOfATopicComeInOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, func(c *publish.Config) {
		c.Topics, c.TopicFirst, c.Connections = 5, 7, 3
	})
	r := run(t, p, publish.Schedule{Count: 203})
	if r.Acknowledged != 203 || r.Requests != 203 || r.Refused+r.Unsure != 0 {
		t.Errorf("found %+v", r)
	}
	run(t, p, publish.Schedule{Count: 2}) // numbers go on
	last := numbers(t, s.requests())
	for topic, want := range []uint32{42, 42, 41, 40, 40} {
		if got := p.Published()[topic]; got.Sure != want || got.Maybe != 0 ||
			last[uint32(topic+7)] != want {
			t.Errorf("topic %d: expected %d events, found %+v and %d at the server", topic, want,
				got, last[uint32(topic+7)])
		}
	}
	connection := make(map[string]int)
	for _, r := range s.requests() {
		topic := r.URL.Query().Get("topic")
		if before, known := connection[topic]; known && before != r.connection {
			t.Errorf("topic %s came by connections %d and %d", topic, before, r.connection)
		}
		connection[topic] = r.connection
	}
	if len(connection) != 5 || s.connected() != 3 {
		t.Errorf("expected 5 topics by 3 connections, found %v by %d", connection, s.connected())
	}
}

func TestThereAreNotMoreConnectionsThanTopics(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	run(t, publisher(t, s, func(c *publish.Config) { c.Topics, c.Connections = 2, 8 }),
		publish.Schedule{Count: 20})
	if n := s.connected(); n != 2 {
		t.Errorf("found %d", n)
	}
}

// TestSharedConnections have numbers of their own in every topic.
func TestSharedConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, func(c *publish.Config) {
		c.Topics, c.TopicFirst, c.Connections, c.Shared = 2, 3, 3, true
	})
	run(t, p, publish.Schedule{Count: 61})
	last := numbers(t, s.requests())
	if len(last) != 6 {
		t.Errorf("expected 2 topics of 3 lanes each, found %v", last)
	}
	topics := make(map[uint32]uint32)
	for number, n := range last {
		topics[number/3] += n
	}
	for i, want := range []uint32{31, 30} {
		if got := p.Published()[i].Sure; got != want || topics[uint32(3+i)] != want {
			t.Errorf("topic %d: expected %d, found %d and %d at the server", i, want, got,
				topics[uint32(3+i)])
		}
	}
	for _, r := range s.requests() {
		if m := r.marks()[0]; r.URL.Query().Get("topic") != "t"+string('0'+byte(m.Topic/3)) {
			t.Errorf("the mark of topic %d and lane %d went to %s", m.Topic/3, m.Topic%3, r.URL)
		}
	}
}

// TestABatch is several bodies in one request, and the last one is smaller where the count asks for
// it.
func TestABatch(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, func(c *publish.Config) {
		c.Topics, c.Batch, c.Body = 2, 3, `{"topic":"t{topic}","data":"{payload}"}`
	})
	r := run(t, p, publish.Schedule{Rate: 10_000, Count: 10})
	if r.Requests != 4 || r.Acknowledged != 10 || sum(p).Sure != 10 {
		t.Errorf("expected 10 events in 4 requests, found %+v", r)
	}
	for i, r := range s.requests() {
		lines := strings.Split(string(r.body), "\n")
		if want := min(3, 10-3*i); len(lines) != want || len(r.marks()) != want ||
			!strings.HasPrefix(lines[0], `{"topic":"t`+string('0'+byte(i%2))) {
			t.Errorf("request %d: found %q", i, r.body)
		}
	}
	numbers(t, s.requests())
}

// TestARate is kept by the marks exactly, and by the clock never too soon.
func TestARate(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, func(c *publish.Config) { c.Topics, c.Connections = 4, 2 })
	from := mark.Now()
	r := run(t, p, publish.Schedule{Rate: 1000, Count: 201})
	if r.Took < 200*time.Millisecond || r.Took > patience {
		t.Errorf("expected 201 events to take 200 ms, found %v", r.Took)
	}
	due := make(map[time.Duration]int) // after the first, in milliseconds
	first := from.Add(time.Hour)
	for _, r := range s.requests() {
		if m := r.marks()[0]; m.Due.Since(from) < first.Since(from) {
			first = m.Due
		}
	}
	for _, r := range s.requests() {
		after := r.marks()[0].Due.Since(first)
		if off := after - after.Round(time.Millisecond); off < -time.Microsecond ||
			off > time.Microsecond {
			t.Errorf("an event was due %v after the first", after)
		}
		due[after.Round(time.Millisecond)]++
	}
	if len(due) != 201 || due[0] != 1 || due[200*time.Millisecond] != 1 {
		t.Errorf("expected one event each millisecond, found %v", due)
	}
	if n := r.Late.TotalCount(); n != 201 || r.Answer.TotalCount() != 201 {
		t.Errorf("expected 201 times, found %d and %d", n, r.Answer.TotalCount())
	}
}

// TestATimeEndsARun at a rate, with the events that are due in it, and flat out.
func TestATimeEndsARun(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, nil)
	if r := run(t, p,
		publish.Schedule{Rate: 500, For: 100 * time.Millisecond}); r.Acknowledged < 1 ||
		r.Acknowledged > 50 {
		t.Errorf("expected at most 50 events, found %+v", r)
	}
	began := time.Now()
	r := run(t, p, publish.Schedule{For: 50 * time.Millisecond})
	if time.Since(began) < 50*time.Millisecond || r.Acknowledged == 0 ||
		int(sum(p).Sure) != len(s.requests()) {
		t.Errorf("found %+v in %v, %d events at the server", r, time.Since(began),
			len(s.requests()))
	}
	previous := mark.At(began)
	for _, r := range s.requests()[len(s.requests())-int(r.Acknowledged):] {
		// due when it was written
		due := r.marks()[0].Due
		if due.Since(previous) > time.Minute {
			t.Errorf("an event was due before the one in front of it")
		}
		previous = due
	}
}

// TestAStalledServer does not move the times at which events are due.
func TestAStalledServer(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	s := serve(t, func(n int, r request) (string, bool) {
		if n == 1 {
			<-time.After(stall) // what is measured, nothing is awaited
		}
		return ok, true
	})
	r := run(t, publisher(t, s, nil), publish.Schedule{Rate: 100, Count: 20})
	all := s.requests()
	for i := range all {
		after := all[i].marks()[0].Due.Since(all[0].marks()[0].Due)
		if off := after - time.Duration(i)*10*time.Millisecond; off < -time.Microsecond ||
			off > time.Microsecond {
			t.Errorf("event %d was due %v after the first", i, after)
		}
	}
	// The second was due after 10 ms and written after 300.
	if late := time.Duration(r.Late.Max()) * time.Microsecond; late < stall-20*time.Millisecond {
		t.Errorf("expected events %v late, found %v", stall, late)
	}
	if answer := time.Duration(r.Answer.Max()) * time.Microsecond; answer < stall-time.Millisecond {
		t.Errorf("expected an answer after %v, found %v", stall, answer)
	}
}

// TestTheEndOfItsContextEndsARun that waits: for the time of the next event, or for an answer.
func TestTheEndOfItsContextEndsARun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers bool
		want    publish.Report
	}{
		"between events":   {true, publish.Report{Requests: 1, Acknowledged: 1}},
		"before an answer": {false, publish.Report{Requests: 1, InFlight: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := serve(t, func(int, request) (string, bool) {
				if !c.answers {
					cancel()
					<-t.Context().Done()
				}
				// most likely the sender sleeps then; it must end either way
				time.AfterFunc(20*time.Millisecond, cancel)
				return ok, true
			})
			began := time.Now()
			r, err := publisher(t, s, nil).Run(ctx, publish.Schedule{Rate: 1.0 / 60})
			if took := time.Since(began); err != nil || took > patience {
				t.Errorf("%v, after %v", err, took)
			}
			if r.Requests != c.want.Requests || r.Acknowledged != c.want.Acknowledged ||
				r.Unsure != c.want.Unsure || r.InFlight != c.want.InFlight {
				t.Errorf("expected %+v, found %+v", c.want, r)
			}
		})
	}
	s := serve(t, always(ok, true))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := publisher(t, s, nil).Run(ended, publish.Schedule{Count: 5}); err != nil ||
		r.Requests != 0 || r.Took < 0 {
		t.Errorf("an ended context: found %v, %+v", err, r)
	}
}

// TestWhatFallsDueIsSent, however late, if the server stalls at the end of a run's time.
func TestWhatFallsDueIsSent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, r request) (string, bool) {
		if n == 5 {
			time.Sleep(300 * time.Millisecond)
		}
		return ok, true
	})
	r := run(t, publisher(t, s, nil), publish.Schedule{Rate: 200, For: 100 * time.Millisecond})
	if r.Acknowledged != 20 || r.Skipped != 0 || r.Took < 300*time.Millisecond {
		t.Errorf("found %+v", r)
	}
	if late := time.Duration(r.Late.Max()) * time.Microsecond; late < 200*time.Millisecond {
		t.Errorf("the latest was %v late", late)
	}
}

// TestWhatIsNotSentIsCounted when the context of a run ends while the server stalls.
func TestWhatIsNotSentIsCounted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(t, func(n int, r request) (string, bool) {
		if n == 5 {
			time.Sleep(1500 * time.Millisecond)
			cancel()
		}
		return ok, true
	})
	r, err := publisher(t, s, nil).Run(ctx, publish.Schedule{Rate: 100})
	if err != nil || r.Skipped < 40 || r.Skipped > 200 {
		t.Errorf("expected some 50 events that were due more than a second ago, found %+v, %v", r,
			err)
	}
}

// TestARunTakesItsTime, also behind its last event: rates are per that.
func TestARunTakesItsTime(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	r := run(t, publisher(t, s, nil), publish.Schedule{Rate: 10, For: 200 * time.Millisecond})
	if r.Acknowledged != 2 || r.Took < 200*time.Millisecond {
		t.Errorf("found %+v", r)
	}
}

// TestAConnectionThatWasClosedAtRest is noticed before an event is sent on it.
func TestAConnectionThatWasClosedAtRest(t *testing.T) {
	t.Parallel()
	// says nothing of closing
	s := serve(t, func(n int, r request) (string, bool) { return ok, n != 1 })
	p := publisher(t, s, nil)
	if r := run(t, p, publish.Schedule{Count: 1}); r.Acknowledged != 1 {
		t.Fatalf("found %+v", r)
	}
	time.Sleep(1100 * time.Millisecond)
	if r := run(t, p, publish.Schedule{Count: 1}); r.Acknowledged != 1 || s.connected() != 2 {
		t.Errorf("found %+v over %d connections", r, s.connected())
	}
}
