package engine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"ssedge/engine"
)

// small makes sockets full soon: the kernel's buffers are then a few events.
func small(c *engine.Config) { c.SendBuffer = 8 << 10 }

const smallReceive = 8 << 10

// heap is the live heap in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestNeverReadingClientsTakeNoMemory floods a topic on which many clients read nothing at all:
// what the node holds stays within what the configuration names, far below what was published once
// and not to speak of once per client. Clients that read get everything meanwhile.
func TestNeverReadingClientsTakeNoMemory(t *testing.T) {
	unraced(t) // TestSlowPolicies
	const history, rest, eventBytes, chunk = 1 << 20, 256 << 10, 8 << 10, 64
	chunks, deaf := pick(128, 96, 96), pick(200, 60, 60)
	n := startNode(t, func(c *engine.Config) {
		c.SendBuffer = 64 << 10
		c.HistoryBytes, c.HistoryMax, c.RestBytes, c.Rule.EventBytes = history, 2*history+128<<10,
			rest, eventBytes
	})
	keeping := []*stream{n.opened(t, ask{topics: []string{"flood"}}),
		n.opened(t, ask{topics: []string{"flood"}})}
	for range deaf {
		n.open(t, ask{topics: []string{"flood"}, receiveBuffer: smallReceive})
	}
	n.awaitStreams(t, deaf+len(keeping))
	// what is made once is there before it counts
	n.publishAll(t, "flood", numbered(chunk, eventBytes))
	for _, st := range keeping {
		if _, err := st.take(chunk); err != nil {
			t.Fatal(err)
		}
	}
	before := heap()
	var most int64
	for i := range chunks {
		published := n.publishAll(t, "flood", numbered(chunk, eventBytes))
		for k, st := range keeping {
			got, err := st.take(chunk)
			if err == nil {
				_, _, err = follows(published, got)
			}
			if err != nil {
				t.Fatalf("client %d, which reads: %v", k, err)
			}
		}
		m := n.metrics(t)
		if held := total(m, "ssedge_history_bytes"); held > 2*history {
			t.Fatalf("%v bytes of history, at most %d are configured", held, 2*history)
		}
		if held := total(m, "ssedge_half_sent_bytes"); held > rest {
			t.Fatalf("%v bytes of half-sent events, at most %d are configured", held, rest)
		}
		if i%8 == 7 {
			most = max(most, heap()-before)
		}
	}
	flooded := int64(chunks * chunk * eventBytes)
	t.Logf("%d MB published, the heap grew by at most %d KB", flooded>>20, most>>10)
	if bound := int64(2*history + rest + 8<<20); most > bound || bound > flooded/3 {
		t.Errorf("the heap grew by %d bytes over a flood of %d, at most %d follow from the configuration",
			most, flooded, bound)
	}
}

// TestASmallHistoryBoundsNoBurst: a stream that reads gets every event, however little is kept for
// those that come back; and a stream that comes back gets no more than that.
func TestASmallHistoryBoundsNoBurst(t *testing.T) {
	for name, change := range map[string]func(*engine.Config){
		"Events": func(c *engine.Config) { c.HistoryEvents = 1 },
		"Bytes":  func(c *engine.Config) { c.HistoryBytes, c.Rule.EventBytes = 1500, 200 },
		"Age":    func(c *engine.Config) { c.HistoryAge = time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, change)
			st := n.opened(t, topic("t"))
			for _, e := range n.publishAll(t, "t", numbered(300, 100)) {
				if m, err := st.next(); err != nil || m.Data != e.data {
					t.Fatalf("found %+v, %v, expected %q", m, err, e.data)
				}
			}
			time.Sleep(10 * time.Millisecond) // they are older than the shortest age
			back := n.opened(t, after("t", "earliest"))
			n.publish(t, "t", "live")
			kept := 0
			for m, err := back.next(); m.Data != "live"; m, err = back.next() {
				if kept++; err != nil {
					t.Fatal(err)
				}
			}
			if most := map[string]int{"Events": 1, "Bytes": 12, "Age": 0}[name]; kept > most {
				t.Errorf("%d events are kept for those that come back, expected at most %d", kept,
					most)
			}
		})
	}
}

// TestDribblingClientIsToldTheTruth takes a few bytes at a time, with a history that
// holds all it has fallen behind, and with one that does not.
func TestDribblingClientIsToldTheTruth(t *testing.T) {
	for _, c := range []struct {
		name    string
		history int64
		gaps    bool
	}{{"AllOfIt", 4 << 20, false}, {"WithGaps", 32 << 10, true}} {
		t.Run(c.name, func(t *testing.T) {
			n := startNode(t, func(e *engine.Config) {
				small(e)
				e.HistoryBytes, e.Rule.EventBytes = c.history, 4<<10
			})
			st, published := overrunClient(t, n,
				ask{topics: []string{"t"}, receiveBuffer: smallReceive, readBuffer: 16})
			last := published[len(published)-1].id
			for st.decoder.LastEventID() != last {
				if err := st.read(1); err != nil {
					t.Fatal(err)
				}
			}
			gaps, left, err := follows(published, st.queue)
			if err != nil || left != 0 {
				t.Fatalf("%v; %d events are missing at the end", err, left)
			}
			if (len(gaps) > 0) != c.gaps {
				t.Errorf("found gaps %+v, expected some: %v", gaps, c.gaps)
			}
		})
	}
}

// await waits until a metric has a value.
func (s *server) await(t testing.TB, metric string, value float64) {
	t.Helper()
	await(t, fmt.Sprintf("%s %v", metric, value), func() (bool, string) {
		now := s.metrics(t)[metric]
		return now == value, fmt.Sprint(now)
	})
}

// overrunClient returns a client that reads nothing, whose socket is full for good, and that was
// then overrun, or closed over it; and what was published. A batch is more than [log.SendWindow]
// keeps.
func overrunClient(t *testing.T, n *node, a ask) (*stream, []event) {
	t.Helper()
	closed := total(n.metrics(t), "ssedge_streams_closed_total")
	st := n.opened(t, a)
	var published []event
	await(t, "a full socket", func() (bool, string) {
		before := n.metrics(t)
		published = append(published, n.publishAll(t, a.topics[0], numbered(800, 100))...)
		after := n.metrics(t)
		full := before[`ssedge_streams{state="blocked"}`] == 1 &&
			before["ssedge_sends_total"] == after["ssedge_sends_total"]
		return full || total(after, "ssedge_streams_closed_total") > closed, "one that takes more"
	})
	return st, published
}

// readAll reads what is left up to the last event published.
func readAll(t *testing.T, st *stream, published []event) []gap {
	t.Helper()
	for st.decoder.LastEventID() != published[len(published)-1].id {
		if err := st.read(4096); err != nil {
			t.Fatal(err)
		}
	}
	gaps, left, err := follows(published, st.queue)
	if err != nil || left != 0 || len(gaps) == 0 {
		t.Fatalf("%v; %d events are missing at the end, gaps %+v: expected some, and the rest", err,
			left, gaps)
	}
	return gaps
}

// TestSlowPolicies has a client per policy fall behind what is kept. Each policy
// is set by a pattern.
func TestSlowPolicies(t *testing.T) {
	n := startNode(t, func(c *engine.Config) {
		small(c)
		c.HistoryBytes, c.Rule.EventBytes = 32<<10, 4<<10
		c.TopicPolicies = map[string]string{"closing/*": "close", "latest/*": "latest"}
	})
	t.Run("Gap", func(t *testing.T) {
		st, published := overrunClient(t, n,
			ask{topics: []string{"usual"}, receiveBuffer: smallReceive})
		defer st.reset()
		gaps := readAll(t, st, published)
		if g := gaps[len(gaps)-1]; g.Topic != "usual" || g.Cause != "overrun" {
			t.Errorf("found gap %+v, expected one of topic usual by overrun", g)
		}
		newest := st.queue[len(st.queue)-100:]
		if newest[0].Event == "gap" || newest[0].LastEventID != published[len(published)-100].id {
			t.Errorf("found %+v: expected all that was kept after the gap", newest[0])
		}
	})
	n.awaitStreams(t, 0)
	t.Run("Latest", func(t *testing.T) {
		st, published := overrunClient(t, n,
			ask{topics: []string{"latest/prices"}, receiveBuffer: smallReceive})
		defer st.reset()
		gaps := readAll(t, st, published)
		if g, to := gaps[len(gaps)-1], published[len(published)-2].id; g.Cause != "overrun" ||
			*g.To != to {
			t.Errorf("found gap to %s by %s, expected one by overrun to %s", *g.To, g.Cause, to)
		}
	})
	n.awaitStreams(t, 0)
	t.Run("Close", func(t *testing.T) {
		st, published := overrunClient(t, n,
			ask{topics: []string{"closing/orders"}, receiveBuffer: smallReceive})
		got, err := st.untilEnd()
		if err != nil {
			t.Fatal(err)
		}
		gaps, left, err := follows(published, got)
		if err != nil || len(gaps) > 0 || left == 0 {
			t.Fatalf("%v; gaps %+v, %d events left: expected a part without gaps", err, gaps, left)
		}
		n.await(t, `ssedge_streams_closed_total{reason="slow_consumer"}`, 1)

		again := n.open(t, ask{topics: []string{"closing/orders"}, after: st.decoder.LastEventID()})
		m, err := again.next()
		if err != nil || m.Event != "gap" {
			t.Fatalf("coming back, found %+v, %v: expected a gap", m, err)
		}
	})
}

// TestWriteStallEndsTheStream: a stream that takes nothing is closed, and no other.
func TestWriteStallEndsTheStream(t *testing.T) {
	n := startNode(t, func(c *engine.Config) { small(c); c.WriteStall = time.Second })
	idle := n.opened(t, ask{topics: []string{"quiet"}})
	reading := n.opened(t, ask{topics: []string{"t"}})
	n.open(t, ask{topics: []string{"t"}, receiveBuffer: smallReceive})
	n.awaitStreams(t, 3)
	began := time.Now()
	// too much for one socket, not for the other, whenever it is read
	published := n.publishAll(t, "t", numbered(45, 1000))
	got, err := reading.take(len(published))
	if err == nil {
		_, _, err = follows(published, got)
	}
	if err != nil {
		t.Errorf("the stream that reads: %v", err)
	}
	n.await(t, `ssedge_streams_closed_total{reason="write_stalled"}`, 1)
	if took := time.Since(began); took < time.Second/2 {
		t.Errorf("closed after %v, with a second of patience", took)
	}
	n.awaitStreams(t, 2)

	n.publish(t, "quiet", "still there")
	if m, err := idle.next(); err != nil || m.Data != "still there" {
		t.Errorf("the idle stream: found %q, %v", m.Data, err)
	}
	n.publish(t, "t", "still there")
	if m, err := reading.next(); err != nil || m.Data != "still there" {
		t.Errorf("the stream that reads: found %q, %v", m.Data, err)
	}
}
