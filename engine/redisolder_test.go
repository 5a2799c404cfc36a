package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"ssedge/engine"
)

// An edge keeps less of a topic than the servers do, or nothing at all: whoever comes back gets what the servers have, and a
// gap only if they have it no more.
func TestWhatTheEdgeHasLetGo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*engine.Config){
		"the topic's bytes": func(c *engine.Config) { c.EventBytes, c.HistoryBytes = 2<<10, 4<<10 },
		"all topics' bytes": func(c *engine.Config) { c.EventBytes, c.HistoryBytes, c.HistoryMax = 2<<10, 32<<10, 200<<10 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			n := edge(t, "redis://"+r.address(), func(c *engine.Config) { change(c); c.HistoryEvents = 256 })
			a, b := n.opened(t, topic("a")), n.opened(t, topic("b"))
			var ids, want []string
			for k := range 200 {
				want = append(want, fmt.Sprint(k, strings.Repeat("x", 1000)))
				ids = append(ids, n.publish(t, "a", want[k]))
				n.publish(t, "b", want[k])
				a.gets(t, want[k])
				b.gets(t, want[k])
			}
			n.opened(t, after("a", ids[9])).gets(t, want[10:]...)
			n.opened(t, after("a", ids[150])).gets(t, want[151:]...)
			n.opened(t, after("a", "earliest")).gets(t, want...)

			both := ask{topics: []string{"a", "b"}, after: "earliest"} // and is cut off on the way
			st := n.opened(t, both)
			got := map[string]int{}
			for range 100 { // in whatever order of the two
				m, err := st.next()
				if err != nil {
					t.Fatal(err)
				}
				got[m.Data]++
				both.after = m.LastEventID
			}
			st.reset()
			st = n.opened(t, both)
			for range 300 {
				m, err := st.next()
				if err != nil || m.Event == "gap" {
					t.Fatalf("%+v, %v", m, err)
				}
				got[m.Data]++
			}
			for k := range want {
				if got[want[k]] != 2 {
					t.Fatalf("event %d of two topics came %d times", k, got[want[k]])
				}
			}

			for k := 200; k < 300; k++ { // the first ones go from the servers' history
				want = append(want, fmt.Sprint(k, strings.Repeat("x", 1000)))
				ids = append(ids, n.publish(t, "a", want[k]))
			}
			m, err := n.opened(t, after("a", ids[9])).next()
			if err != nil || m.Event != "gap" || !strings.Contains(m.Data, ids[9]) {
				t.Errorf("found %s %.200s, %v", m.Event, m.Data, err)
			}
			n.opened(t, after("a", ids[60])).gets(t, want[61:]...)
		})
	}
}
