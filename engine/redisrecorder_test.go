package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine/fanin/redis"
)

type atomicCounter struct{ n atomic.Int64 }

func (c *atomicCounter) next() int64 { return c.n.Add(1) }

// tier is edges with publishers and clients, which record all that happens to them. What must be
// true whatever happens:
//
//	I1  no acknowledged event is missing on a stream that does not say so
//	I2  no event comes twice to a client
//	I3  ids rise on each stream
//	I4  no stream is closed by an edge that lives
//	I5  what was acknowledged was published once, whatever was tried again
type tier struct {
	t       *testing.T
	seed    seed
	rng     *rand.Rand     // of the test's own goroutine
	servers []*redisServer // the first that lives knows what was kept
	way     redis.FanIn    // of the edges
	// what was acknowledged may go with a server: no replica had it, or all is forgotten
	mayLose bool
	mu      sync.Mutex
	edges   []*server
	acked   map[string][]event // by topic, in the order of their answers: one publisher each
	stop    chan struct{}
	publish sync.WaitGroup
	read    sync.WaitGroup
	closing atomic.Bool
	readers []*reader
	again   int // answers that said that the event was there already
	// goroutines that an edge in a process of its own had in the beginning
	counted map[*server]float64
}

// reader is a client that comes back to any edge.
type reader struct {
	topic    string
	began    int // how many events its topic had been acknowledged when it began
	got      []event
	gaps     []string
	closedBy int // connections that ended though the test did not mean them to
}

// pause lets the load go on for about so long.
func (x *tier) pause(d time.Duration) {
	if chaos {
		d *= 3
	}
	time.Sleep(about(x.rng, d))
}

// about is a time between half of d and one and a half.
func about(rng *rand.Rand, d time.Duration) time.Duration {
	return d/2 + time.Duration(rng.Int64N(int64(d)))
}

func newTier(t *testing.T, servers []*redisServer, edges ...*server) *tier {
	t.Helper()
	seed := newSeed(t)
	return &tier{
		t: t, seed: seed, rng: seed.of("test"), servers: servers, way: redis.ByTopic, edges: edges,
		acked: map[string][]event{}, stop: make(chan struct{}), counted: map[*server]float64{},
	}
}

// edge is any of them.
func (x *tier) edge(rng *rand.Rand) *server {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.edges[rng.IntN(len(x.edges))]
}

// publishTo publishes numbered events to a topic, one after the other, each until it is
// acknowledged, by any edge.
func (x *tier) publishTo(topic string, pause time.Duration) {
	x.publish.Add(1)
	rng := x.seed.of("publisher of " + topic)
	go func() {
		defer x.publish.Done()
		client := &http.Client{Timeout: 5 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		for n := 0; ; n++ {
			select {
			case <-x.stop:
				return
			case <-time.After(about(rng, pause)):
			}
			data := fmt.Sprintf("%s-%d", topic, n)
			for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
				id, again, err := tryPublish(client, x.edge(rng), topic, data)
				if err == nil {
					x.mu.Lock()
					x.acked[topic] = append(x.acked[topic], event{id, data})
					if again {
						x.again++
					}
					x.mu.Unlock()
					break
				}
				if time.Since(began) > patience {
					x.t.Errorf("no edge takes %s: %v", data, err)
					return
				}
			}
		}
	}()
}

// tryPublish publishes with a key, so that trying again is safe; again says that it was there
// already.
func tryPublish(client *http.Client, to *server, topic, data string) (id string, again bool,
	_ error) {
	body, _ := json.Marshal(map[string]string{"topic": topic, "data": data, "key": data})
	answer, err := client.Post("http://"+to.addr+"/publish", "application/json",
		strings.NewReader(string(body)))
	if err != nil {
		return "", false, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var receipt struct {
		ID        string
		Duplicate bool
	}
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s %s", answer.Status, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &receipt)
	}
	return receipt.ID, receipt.Duplicate, err
}

// follow reads a topic until the end, by any edge, coming back with the last id.
func (x *tier) follow(topic string) *reader {
	r := &reader{topic: topic}
	rng := x.seed.of(fmt.Sprint("reader ", len(x.readers)))
	st, err := x.edge(rng).dial(ask{topics: []string{topic}})
	if err == nil {
		err = st.opening()
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.mu.Lock()
	r.began = len(x.acked[topic])
	x.readers = append(x.readers, r)
	x.mu.Unlock()
	x.read.Add(1)
	go func() {
		defer x.read.Done()
		last := st.decoder.LastEventID()
		for {
			for {
				m, err := st.next()
				if err != nil {
					break
				}
				last = m.LastEventID
				x.mu.Lock()
				if m.Event == "gap" {
					r.gaps = append(r.gaps, m.Data)
				} else {
					r.got = append(r.got, event{m.LastEventID, m.Data})
				}
				x.mu.Unlock()
			}
			if got := st.decoder.LastEventID(); got != "" {
				last = got
			}
			st.conn.Close()
			if x.closing.Load() {
				return
			}
			x.mu.Lock()
			r.closedBy++
			x.mu.Unlock()
			for {
				if st, err = x.edge(rng).
					dial(ask{topics: []string{topic}, after: last}); err == nil {
					break
				}
				if x.closing.Load() {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
	return r
}

// finish ends the publishers, waits until every reader has what was acknowledged, and checks what
// must be true. It returns the gaps that were told.
func (x *tier) finish() (gaps []string) {
	x.t.Helper()
	close(x.stop)
	x.publish.Wait()
	kept := x.kept()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		missing := x.missing(kept)
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			x.t.Fatal(missing)
		}
	}
	time.Sleep(100 * time.Millisecond) // what comes twice comes late
	if x.way == redis.ByTopic {
		x.followed()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closing.Store(true)
	gone, total := 0, 0
	for topic, all := range x.acked {
		seen := map[string]bool{}
		for _, e := range all {
			if seen[e.id] {
				x.t.Errorf("I5: %s: the id %s was given twice", topic, e.id)
			}
			seen[e.id] = true
			if !kept[topic].has(e) {
				gone++
				if !x.mayLose {
					x.t.Errorf("I5: %s: %s was acknowledged as %s, and is not there", topic, e.data,
						e.id)
				}
			}
		}
		total += len(all)
	}
	x.t.Logf("%d events were acknowledged, %d of them are gone, %d were tried again and there",
		total, gone, x.again)
	for i, r := range x.readers {
		ids, seen, last := map[string]bool{}, map[string]bool{}, ""
		for _, e := range r.got {
			if ids[e.id] {
				x.t.Errorf("I2: reader %d of %s got %s twice", i, r.topic, e.id)
			}
			ids[e.id] = true
			if x.mayLose && !kept[r.topic].has(e) {
				// what the servers have forgotten may be published anew, and later ones be before
				// it
				continue
			}
			if seen[e.data] {
				x.t.Errorf("I2: reader %d of %s got %s twice", i, r.topic, e.data)
			}
			seen[e.data] = true
			if last != "" && !idLess(last, e.id) {
				x.t.Errorf("I3: reader %d of %s got %s behind %s", i, r.topic, e.id, last)
			}
			last = e.id
		}
		gaps = append(gaps, r.gaps...)
	}
	return gaps
}

// missing says which reader lacks what; "" if none lacks anything it was not told of.
func (x *tier) missing(kept map[string]*history) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, r := range x.readers {
		if len(r.gaps) > 0 {
			continue // what lies in it is not looked at here
		}
		at := 0
		for _, e := range x.acked[r.topic][r.began:] {
			if x.mayLose && !kept[r.topic].has(e) {
				continue
			}
			for at < len(r.got) && r.got[at].data != e.data {
				at++
			}
			if at == len(r.got) {
				return fmt.Sprintf(
					"I1: reader %d of %s lacks %s (%s); it has %d of %d events, the last %v", i,
					r.topic, e.data, e.id, len(r.got), len(x.acked[r.topic])-r.began, lastOf(r.got))
			}
		}
	}
	return ""
}

func lastOf(all []event) event {
	if len(all) == 0 {
		return event{}
	}
	return all[len(all)-1]
}

func idLess(a, b string) bool {
	var ams, aseq, bms, bseq uint64
	fmt.Sscanf(a, "%d-%d", &ams, &aseq)
	fmt.Sscanf(b, "%d-%d", &bms, &bseq)
	return ams < bms || ams == bms && aseq < bseq
}

// stayed checks I4 for readers whose edges all lived.
func (x *tier) stayed() {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, r := range x.readers {
		if r.closedBy > 0 {
			x.t.Errorf("I4: reader %d of %s was disconnected %d times", i, r.topic, r.closedBy)
		}
	}
}
