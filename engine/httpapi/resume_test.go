package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"ssedge/engine"
)

// expectGap expects the next event to say that something is missing, and why.
func (s *subscriber) expectGap(cause string) {
	s.t.Helper()
	m := s.next()
	var gap struct{ Topic, Cause string }
	if err := json.Unmarshal([]byte(m.Data), &gap); err != nil || m.Event != "gap" ||
		gap.Cause != cause || gap.Topic == "" {
		s.t.Errorf("%+v is not a gap for the cause %s", m, cause)
	}
}

func (s *subscriber) expect(data ...string) {
	s.t.Helper()
	for _, d := range data {
		if m := s.next(); m.Data != d {
			s.t.Errorf("got %+v instead of %s", m, d)
		}
	}
}

// Whatever a client says of where it was, it gets a stream: exactly what it
// missed, or a gap and then what is new. A refusal would end an EventSource.
func TestResumeOverHTTP(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	var ids []string
	for i := range 3 {
		ids = append(ids, n.raw("t", fmt.Sprint(i)).id(t))
	}
	ways := []func(id string) *subscriber{
		func(id string) *subscriber { return n.subscribe("topic=t", "Last-Event-ID: "+id) },
		func(id string) *subscriber {
			return n.subscribe("topic=t&last_event_id=" + url.QueryEscape(id))
		},
		func(id string) *subscriber {
			return n.subscribe("lastEventID=" + url.QueryEscape(id) + "&topic=t")
		},
		func(id string) *subscriber { // the last one counts; on a kept connection net/http reads it
			return n.subscribeKept("topic=t&last_event_id=earliest&lastEventId=" +
				url.QueryEscape(id))
		},
		func(id string) *subscriber {
			// the header wins
			return n.subscribe("topic=t&last_event_id=nonsense", "Last-Event-ID: "+id)
		},
		func(id string) *subscriber {
			// an empty one says nothing
			return n.subscribe("topic=t&last_event_id="+url.QueryEscape(id), "Last-Event-ID:")
		},
	}
	var open []*subscriber
	for w, way := range ways {
		for i, id := range ids {
			s := way(id)
			for _, missed := range []string{"0", "1", "2"}[i+1:] {
				s.expect(missed)
			}
			open = append(open, s)
		}
		for _, id := range []string{
			"x", "1", "-", "1-", "-1", "1-2-3", " ", "0x1-0", "+1-0", "1 -0",
			"99999999999999999999-0",
			strings.Repeat("9", 500), "\xff\xfe", "*1*abc", "ä", "\"1-0\"",
		} {
			if (w == 0 || w == 3) && strings.TrimSpace(id) == "" {
				continue // no value of a field
			}
			s := way(id)
			if id == "1" { // a time, long before there was anything
				s.expectGap("expired")
				s.expect("0", "1", "2")
			} else {
				s.expectGap("malformed")
			}
			open = append(open, s)
		}
		s := way("1-0")
		s.expectGap("expired")
		s.expect("0", "1", "2")
		open = append(open, s)
		ms, _, _ := strings.Cut(ids[0], "-")
		s = way(ms + "-99")
		if newest, _, _ := strings.Cut(ids[2], "-"); newest == ms {
			s.expectGap("future") // all three in one millisecond
		} else {
			s.expectGap("unknown")
		}
		open = append(open, s)
		s = way("9999999999999-0")
		s.expectGap("future")
		open = append(open, s)
	}
	n.raw("t", "live")
	for _, s := range open {
		for {
			if m := s.next(); m.Data == "live" {
				break
			}
		}
	}
}

// The id of a gap resumes after it: it is told once.
func TestGapIsToldOnce(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	n.raw("t", "before").id(t)
	s := n.subscribe("topic=t", "Last-Event-ID: nonsense")
	s.expectGap("malformed")
	again := n.subscribe("topic=t", "Last-Event-ID: "+s.decoder.LastEventID())
	n.raw("t", "live")
	again.expect("live")
}

func TestResumeOfSeveralTopics(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, topic := range []string{"a", "b"} {
		n.raw(topic, topic+"0").id(t)
	}
	s := n.subscribe("topic=a&topic=b")
	n.raw("a", "a1").id(t)
	s.expect("a1")
	id := s.decoder.LastEventID()
	n.raw("b", "b1").id(t)
	n.raw("a", "a2").id(t)
	for _, again := range []*subscriber{
		n.subscribe("topic=a&topic=b", "Last-Event-ID: "+id),
		n.subscribe("topic=a&topic=b&topic=a&last_event_id=" + url.QueryEscape(id)),
		n.subscribe("topic=b&topic=a", "Last-Event-ID: "+id), // their order does not matter
	} {
		got := map[string]bool{again.next().Data: true, again.next().Data: true}
		if !got["b1"] || !got["a2"] {
			t.Errorf("%v", got)
		}
	}
	for _, query := range []string{"topic=a", "topic=a&topic=c"} { // not what the id is for
		again := n.subscribe(query, "Last-Event-ID: "+id)
		again.expectGap("malformed")
	}
	plain := n.raw("a", "a3").id(t)
	n.subscribe("topic=a&topic=b", "Last-Event-ID: "+plain).expectGap("malformed")
}

func TestResumeAfterHistoryHasGone(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.HistoryEvents = 2 })
	var ids []string
	for i := range 5 {
		ids = append(ids, n.raw("t", fmt.Sprint(i)).id(t))
	}
	s := n.subscribe("topic=t", "Last-Event-ID: "+ids[0])
	s.expectGap("expired")
	s.expect("3", "4")
	n.subscribe("topic=t", "Last-Event-ID: "+ids[2]).expect("3", "4")
}

// Everything that is kept, without a gap, however much was there before.
func TestFromTheEarliest(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.HistoryEvents = 3 })
	empty := n.subscribe("topic=none&last_event_id=earliest")
	n.raw("none", "live").id(t)
	empty.expect("live")
	for i := range 2 {
		n.raw("few", fmt.Sprint(i)).id(t)
	}
	for i := range 5 {
		n.raw("many", fmt.Sprint(i)).id(t)
	}
	n.subscribe("topic=few&last_event_id=earliest").expect("0", "1")
	s := n.subscribe("topic=many&last_event_id=earliest")
	s.expect("2", "3", "4")
	n.raw("many", "5").id(t)
	s.expect("5")
	both := n.subscribe("topic=many&topic=few", "Last-Event-ID: earliest")
	both.expect("0", "1", "3", "4", "5")
	n.raw("few", "2").id(t)
	n.subscribe("topic=few&topic=many", "Last-Event-ID: "+both.decoder.LastEventID()).expect("2")
}
