package engine_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// An edge keeps less of a topic than the servers do, or nothing at all: a client that comes back
// gets what the servers have, and a gap only if they have it no more.
func TestWhatTheEdgeHasLetGo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*engine.Config){
		"the topic's bytes": func(c *engine.Config) {
			c.Rule.EventBytes, c.HistoryBytes = 2<<10, 16<<10
		},
		"all topics' bytes": func(c *engine.Config) {
			c.Rule.EventBytes, c.HistoryBytes, c.HistoryMax = 2<<10, 32<<10, 320<<10
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			n := edge(t, "redis://"+r.address(), func(c *engine.Config) {
				change(c)
				c.HistoryEvents = 256
			})
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

// little is an edge that keeps a few events of a topic.
func little(events int) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Rule.EventBytes, c.HistoryBytes, c.HistoryEvents = 2<<10, 16<<10, events
	}
}

// tells reads until an event with that data, and returns what came, gaps as their cause.
func (st *stream) tells(t testing.TB, last string) (all []string) {
	t.Helper()
	for {
		m, err := st.next()
		if err != nil {
			t.Fatalf("behind %q: %v", all, err)
		}
		data, _, _ := strings.Cut(m.Data, " ")
		if m.Event == "gap" {
			data = "gap"
		}
		all = append(all, data)
		if data == last {
			return all
		}
	}
}

// numbers are those from first to last, as data begins with them.
func numbers(first, last int) (all []string) {
	for k := first; k <= last; k++ {
		all = append(all, fmt.Sprint(k))
	}
	return all
}

var padding = " " + strings.Repeat("x", 500)

// What is missing of what the edge has let go is told where it was, and no more than that.
func TestHolesInWhatTheEdgeHasLetGo(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := edge(t, "redis://"+r.address(), little(300))
	n.opened(t, topic("trimmed"))
	n.opened(t, topic("bad"))
	var ids []string
	for k := range 400 {
		ids = append(ids, n.publish(t, "trimmed", fmt.Sprint(k, padding)))
	}
	equal := func(what string, got, want []string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, expected %v", what, got, want)
		}
	}
	equal("from before the history", n.opened(t, after("trimmed", ids[50])).tells(t, "399"),
		append([]string{"gap"}, numbers(100, 399)...))
	equal("the earliest", n.opened(t, after("trimmed", "earliest")).tells(t, "399"),
		numbers(100, 399))

	r.cli("XADD", "sse:bad", "*", "not", "ours")
	ids = nil
	for k := range 100 {
		if k == 50 {
			r.cli("XADD", "sse:bad", "*", "not", "ours")
		}
		ids = append(ids, n.publish(t, "bad", fmt.Sprint(k, padding)))
	}
	equal("from before a bad one", n.opened(t, after("bad", ids[40])).tells(t, "99"),
		append(append(numbers(41, 49), "gap"), numbers(50, 99)...))
	equal("the earliest behind a bad one", n.opened(t, after("bad", "earliest")).tells(t, "99"),
		append(append(numbers(0, 49), "gap"), numbers(50, 99)...))
}

// Streams that ask for a long history and do not read it cost Redis no more than an address may
// read, and others go on meanwhile.
func TestAnAddressHasItsShareOfRedis(t *testing.T) {
	unraced(t) // TestStreamsShareAReading, TestStrangersHoldNothingUp
	t.Parallel()
	const rate, topics, each = 20, 20, 30
	r := startRedis(t)
	n := edge(t, "redis://"+r.address(), func(c *engine.Config) {
		little(4000)(c)
		c.Redis.ReadRate = rate
	})
	for k := range 200 {
		for topic := range topics {
			n.publish(t, fmt.Sprint("t", topic), fmt.Sprint(k, padding))
		}
	}
	reads := func() float64 { m := n.metrics(t); return m["ssedge_redis_reads_total"] }
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	before, began := reads(), time.Now()
	for range each {
		for topic := range topics {
			c, err := elsewhere.Dial("tcp", n.addr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c,
				"GET /events?topic=t%d&last_event_id=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n",
				topic)
			defer c.Close()
		}
	}
	honest := n.opened(t, ask{topics: []string{"t0"}, after: "earliest"})
	if got := honest.tells(t, "199"); len(got) != 200 {
		t.Errorf("%d events for another address", len(got))
	}
	took := time.Since(began).Seconds() + 1
	const others = 200/4 + 3*topics // of the other address, and a few looks at each topic
	got, most := reads()-before, rate*(took+1)+others
	if got > most {
		t.Errorf("%v readings in %.1f s, expected at most %v", got, took, most)
	}
	t.Logf("%v readings in %.1f s, at most %v are expected", got, took, most)
}

// While servers are busy with a script, a stream that is read for waits, and is told nothing.
func TestServersAreBusy(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	r.cli("CONFIG", "SET", "lua-time-limit", "50")
	n := edge(t, "redis://"+r.address(), little(4000))
	n.opened(t, topic("x"))
	var first string
	for k := range 600 {
		id := n.publish(t, "x", fmt.Sprint(k, padding))
		if k == 50 {
			first = id
		}
	}
	a := after("x", first)
	a.receiveBuffer = 4096
	st := n.open(t, a)
	time.Sleep(200 * time.Millisecond) // it takes no more now
	go r.cli("EVAL", "while true do end", "0")
	eventually(t, "they are busy", func() bool {
		return strings.HasPrefix(r.cli("GET", "x"), "BUSY")
	})
	time.AfterFunc(500*time.Millisecond, func() { r.cli("SCRIPT", "KILL") })
	if got, want := st.tells(t, "599"), numbers(51, 599); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v", got)
	}
}

// A history is flushed right behind the last event that an edge had heard of, and another one in
// it: a client that comes back with the last is told.
func TestAResetRightBehindAnEvent(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	cut, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	st := cut.opened(t, topic("x"))
	last := direct.publish(t, "x", "1")
	st.gets(t, "1")
	st.reset()
	relay.cut()
	direct.publish(t, "x", "2")
	r.cli("FLUSHALL")
	eventually(t, "it has looked", func() bool {
		return cut.metrics(t)["ssedge_redis_resets_total"] == 1
	})
	if m, err := cut.opened(t, after("x", last)).next(); err != nil || m.Event != "gap" {
		t.Errorf("found %+v, %v", m, err)
	}
}
