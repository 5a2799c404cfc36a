package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"ssedge/engine"
	"ssedge/engine/intake"
	"ssedge/proto/sse"
)

// has reads n bytes of the body, or all up to the last of the events wanted; it
// reports whether these are all there.
func (st *stream) has(bytes, events int) (bool, error) {
	for ; bytes > 0 && len(st.queue) < events; bytes-- {
		if err := st.read(1); err != nil {
			return false, err
		}
	}
	return len(st.queue) >= events, nil
}

// lines are events as a person would compare them.
func lines(all []sse.Message) []string {
	var out []string
	for _, m := range all {
		out = append(out, m.Event+" "+m.Data)
	}
	return out
}

// TestResumeAfterEveryByte breaks a stream's connection after every byte there is
// of its opening and its events, and resumes with the id the client has by then:
// together the two connections give every event once. With one topic and several,
// by header and query, and with the events already there or still to come.
func TestResumeAfterEveryByte(t *testing.T) {
	for _, c := range []struct {
		name    string
		topics  []string
		inQuery bool
	}{
		{"OneTopicHeader", []string{"a"}, false},
		{"OneTopicQuery", []string{"a"}, true},
		{"ThreeTopicsHeader", []string{"b", "c", "d"}, false},
		{"ThreeTopicsQuery", []string{"b", "c", "d"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := startNode(t, nil)
			for _, topic := range c.topics[1:] {
				// positions of all kinds: c has an event that was seen, d none
				if topic == "c" {
					n.publish(t, topic, "seen")
				}
			}
			first := n.opened(t, ask{topics: c.topics})
			start := first.decoder.LastEventID()
			first.reset()
			var want []string
			for i := range 4 {
				topic, data := c.topics[i%len(c.topics)],
					fmt.Sprintf("%d\nof %s", i, c.topics[i%len(c.topics)])
				n.publish(t, topic, data)
				want = append(want, "message "+data)
			}
			slices.Sort(want)

			done := false
			for cut := 0; !done; cut++ {
				st := n.open(t, ask{topics: c.topics, after: start, inQuery: c.inQuery})
				var err error
				if done, err = st.has(cut, len(want)); err != nil {
					t.Fatalf("byte %d: %v", cut, err)
				}
				st.reset()
				id, got := st.decoder.LastEventID(), st.queue
				again := n.open(t, ask{topics: c.topics, after: id, inQuery: c.inQuery})
				rest, err := again.take(len(want) - len(got))
				if err != nil {
					t.Fatalf("cut after byte %d, resumed at %q with %d events: %v", cut, id,
						len(got), err)
				}
				again.reset()
				all := lines(append(got, rest...))
				slices.Sort(all)
				if !slices.Equal(all, want) {
					t.Fatalf("cut after byte %d, resumed at %q:\nfound    %q\nexpected %q", cut, id,
						all, want)
				}
			}
		})
	}
}

// TestFreshStreamResumesFromItsOpening connects to topics that have nothing yet,
// goes away, and comes back for exactly what was published meanwhile.
func TestFreshStreamResumesFromItsOpening(t *testing.T) {
	n := startNode(t, nil)
	for _, topics := range [][]string{{"one"}, {"x", "y"}} {
		st := n.opened(t, ask{topics: topics})
		st.reset()
		var want []string
		for i := range 6 {
			data := fmt.Sprint(i)
			n.publish(t, topics[i%len(topics)], data)
			want = append(want, "message "+data)
		}
		again := n.open(t, ask{topics: topics, after: st.decoder.LastEventID()})
		n.awaitStreams(t, 1)
		n.publish(t, topics[0], "live")
		got, err := again.take(len(want) + 1)
		if err != nil {
			t.Fatalf("%v: %v", topics, err)
		}
		all := lines(got)
		slices.Sort(all)
		if want = append(want, "message live"); !slices.Equal(all, want) {
			t.Errorf("%v: found %q, expected %q", topics, all, want)
		}
		again.reset()
		n.awaitStreams(t, 0)
	}
}

// TestReconnectingClientsLoseNothing publishes to three topics while clients read
// a few bytes, break off, and resume, over and over: each has every event of each
// of its topics, once and in order.
func TestReconnectingClientsLoseNothing(t *testing.T) {
	n := startNode(t, func(c *engine.Config) { c.HistoryEvents = 100_000 })
	topics := []string{"a", "b", "c"}
	clients, events := 50, pick(3_000, 1_200, 800)
	type client struct {
		topics []string
		id     string
		got    map[string]int // topic → events received
		breaks int
	}
	all := make([]*client, clients)
	for i := range all {
		c := &client{topics: slices.Clone(topics[:1+i%3]), got: map[string]int{}}
		st := n.opened(t, ask{topics: c.topics})
		c.id = st.decoder.LastEventID()
		st.reset()
		all[i] = c
	}
	// life is one connection: a random number of bytes, then the end of it.
	life := func(c *client, rng *rand.Rand) error {
		st, err := n.dial(ask{topics: c.topics, after: c.id, inQuery: rng.IntN(2) == 0})
		if err != nil {
			return err
		}
		defer st.reset()
		c.breaks++
		for left := rng.IntN(8_000); left > 0; {
			size := 1 + rng.IntN(min(left, 1500))
			if err := st.read(size); err != nil {
				return err
			}
			left -= size
			for _, m := range st.queue {
				topic, number, _ := strings.Cut(m.Data, " ")
				if m.Event != "message" || number != fmt.Sprint(c.got[topic]) {
					return fmt.Errorf("expected number %d of topic %q, found %s %q", c.got[topic],
						topic, m.Event, m.Data)
				}
				c.got[topic]++
			}
			st.queue = st.queue[:0]
			c.id = st.decoder.LastEventID()
			finished := 0
			for _, topic := range c.topics {
				finished += c.got[topic]
			}
			if finished == events*len(c.topics) {
				return nil
			}
		}
		return nil
	}
	var running sync.WaitGroup
	for i, c := range all {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		running.Go(func() {
			for c.got[c.topics[len(c.topics)-1]] < events || c.got["a"] < events ||
				len(c.topics) > 1 && c.got["b"] < events {
				if err := life(c, rng); err != nil {
					t.Errorf("client %d of %v, after %d connections: %v", i, c.topics, c.breaks,
						err)
					return
				}
			}
		})
	}
	for i, topic := range topics {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(i)))
			for at := 0; at < events; {
				var batch []string
				for range min(1+rng.IntN(20), events-at) {
					batch = append(batch, fmt.Sprintf("%s %d", topic, at))
					at++
				}
				n.publishAll(t, topic, batch)
			}
		})
	}
	running.Wait()
	if gaps := total(n.metrics(t), "ssedge_gaps_total"); gaps != 0 {
		t.Errorf("%v gaps were told, none was due", gaps)
	}
}

// TestWhatOpensResumes opens streams with the longest targets and heads that are taken, with one
// topic and several, and comes back with the longest id that such a stream can have, in every way
// that clients do. One byte more does not open.
func TestWhatOpensResumes(t *testing.T) {
	n := startNode(t, nil)
	config := engine.DefaultConfig()
	for _, topics := range []int{1, 2, 32} {
		query := ""
		for k := range topics {
			query += fmt.Sprintf("&topic=%d-%d", topics, k)
		}
		query = query[1:] + "&pad="
		longest := "18446744073709551614-18446744073709551615"
		if topics > 1 {
			longest = "1.1z141z3" + strings.Repeat(".3w5e11264sgse-3w5e11264sgsf", topics)
		}
		room := intake.ResumeBytesMax(topics)
		if n := len("&last_event_id=" + longest); n > room {
			t.Fatalf("%d topics: an id takes %d bytes, of which %d are known", topics, n, room)
		}
		target := "/events?" + query +
			strings.Repeat("a", config.TargetBytes-room-len("/events?"+query))
		field := "X: " +
			strings.Repeat("a",
				config.HeadBytes-room-len("GET /events?"+query+
					" HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n"))
		get := func(target, fields string) string {
			return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n"
		}
		for _, c := range []struct {
			head string
			want int
		}{
			{get(target, ""), 200},
			{get(target+"&last_event_id="+longest, ""), 200},
			{get(target+"&lastEventId="+longest, ""), 200},
			{get(target, "Last-Event-ID: "+longest+"\r\n"), 200},
			{get(target+"a", ""), 414},
			{get(target+"a", "Last-Event-ID: "+longest+"\r\n"), 200},
			{get("/events?"+query, field+"\r\n"), 200},
			{get("/events?"+query, field+"\r\nLast-Event-ID: "+longest+"\r\n"), 200},
			{get("/events?"+query+"&last_event_id="+longest, field+"\r\n"), 200},
			{get("/events?"+query, field+"a\r\n"), 431},
		} {
			for _, before := range []string{"",
				"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
				// the first head on its connection, and a later one
				if got := n.statusOf(t, before, c.head); got != c.want {
					t.Errorf("%d topics, %d bytes of head, after %q: %d, expected %d", topics,
						len(c.head), before, got, c.want)
				}
			}
		}
	}
}

// statusOf sends two requests on a connection, the first of which may be none, and returns the
// status of the last answer.
func (s *server) statusOf(t *testing.T, before, head string) int {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, before+head)
	r := bufio.NewReader(conn)
	if before != "" {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
