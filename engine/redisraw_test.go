package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// Events without an id (PUBLISH), among others and alone, on edges that keep so little that they
// evict all the time: a connected client gets each of them once, and nothing that was there before.
func TestRawEventsAndEviction(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	small := func(c *engine.Config) {
		c.Rule.EventBytes, c.HistoryBytes, c.HistoryMax = 10<<10, 64<<10, 256<<10
	}
	s := newStage(t, []*redisServer{r},
		&edge(t, url, func(c *engine.Config) { small(c); chunked(c) }).server,
		&edge(t, url, small).server)
	s.ordered, s.may = true, map[string]bool{"evicted": true, "overrun": true}
	for n := range 20 {
		if err := s.attempt("history", "rawold", n, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(oldest) // from here on they are history
	raw := []string{"rawold", "rawnew", "mixed"}
	for _, topics := range [][]string{{"rawold"}, {"rawnew"}, {"mixed"}, raw} {
		s.crowd(topics...)
	}
	var others []string
	for k := range 8 {
		others = append(others, fmt.Sprint("other", k))
		for e := range s.edges {
			s.follow("constant", false, others[k:], stay{edge: e})
		}
	}
	s.settled()
	published := 0
	cry := func() {
		published++
		for _, topic := range raw {
			data := fmt.Sprint(topic, " raw ", published)
			s.mu.Lock()
			s.tried[data] = true
			s.mu.Unlock()
			if out := r.cli("PUBLISH", "sse:"+topic, data); out != "2" {
				t.Fatalf("PUBLISH: %s, expected both edges to have it", out)
			}
		}
	}
	evict := func() {
		for range 6 {
			for k, topic := range others {
				if err := s.attempt("other", topic, published, k%2, 9<<10); err != nil {
					t.Fatal(err)
				}
				published++
			}
		}
	}
	s.publish("mixed", 0, 20*time.Millisecond, 0)
	for _, phase := range []int{fault, outage, mended} {
		for range rounds(3, 20) {
			cry()
			cry()
			evict()
			cry()
		}
		s.enter(phase)
		s.say(1, "mixed")
		if phase == mended {
			s.say(0, raw...)
			s.say(1, raw...)
		}
		s.rest(300 * time.Millisecond)
		evict()
	}
	cry()
	for _, e := range s.edges {
		if m := e.metrics(t); m["ssedge_history_evicted_total"] < 20 {
			t.Errorf("only %v histories were evicted: the test shows little",
				m["ssedge_history_evicted_total"])
		}
	}
	s.finish()
	for _, w := range s.witnesses {
		if !strings.HasPrefix(w.record.name, "constant") ||
			!strings.HasPrefix(w.record.topics[0], "raw") {
			continue
		}
		for _, topic := range w.record.topics {
			n, gaps := 0, 0
			for _, m := range w.record.visits[0].got {
				if strings.HasPrefix(m.data, topic+" raw ") {
					n++
				}
				if m.name == "gap" && strings.Contains(m.data, topic) {
					// it read too slowly, and was told
					gaps++
				}
			}
			if want := rounds(3, 20)*9 + 1; n > want || n < want && gaps == 0 {
				t.Errorf("%s: %d raw events came of %s, expected %d", w.record.name, n, topic, want)
			}
		}
	}
}
