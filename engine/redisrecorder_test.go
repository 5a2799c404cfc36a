package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type atomicCounter struct{ n atomic.Int64 }

func (c *atomicCounter) next() int64 { return c.n.Add(1) }

// tier is edges with publishers and clients, all of whom write down what happens to them. What must be true
// whatever happens:
//
//	I1  no acknowledged event is missing on a stream that does not say so
//	I2  no event comes twice to a client
//	I3  ids rise on each stream
//	I4  no stream is closed by an edge that lives
//	I5  what was acknowledged was published once, whatever was tried again
type tier struct {
	t       *testing.T
	mu      sync.Mutex
	edges   []*server
	acked   map[string][]event // by topic, in the order of their answers: one publisher each
	stop    chan struct{}
	publish sync.WaitGroup
	read    sync.WaitGroup
	closing atomic.Bool
	readers []*reader
}

// reader is a client that comes back to any edge.
type reader struct {
	topic    string
	began    int // how many events its topic had been acknowledged when it began
	got      []event
	gaps     []string
	closedBy int // connections that ended though nobody meant them to
}

// chaos is how much longer and larger things are with CHAOS=1 (make chaos).
var chaos = os.Getenv("CHAOS") != ""

// pause lets the load go on for about so long.
func (x *tier) pause(d time.Duration) {
	if chaos {
		d *= 3
	}
	time.Sleep(d/2 + rand.N(d))
}

func newTier(t *testing.T, edges ...*server) *tier {
	return &tier{t: t, edges: edges, acked: map[string][]event{}, stop: make(chan struct{})}
}

func (x *tier) edge() *server {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.edges[rand.IntN(len(x.edges))]
}

// publishTo publishes numbered events to a topic, one after the other, each until it is acknowledged, by any edge.
func (x *tier) publishTo(topic string, pause time.Duration) {
	x.publish.Add(1)
	go func() {
		defer x.publish.Done()
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		for n := 0; ; n++ {
			select {
			case <-x.stop:
				return
			case <-time.After(pause/2 + rand.N(pause)):
			}
			data := fmt.Sprintf("%s-%d", topic, n)
			for {
				id, ok := tryPublish(client, x.edge(), topic, data)
				if ok {
					x.mu.Lock()
					x.acked[topic] = append(x.acked[topic], event{id, data})
					x.mu.Unlock()
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
}

// tryPublish publishes with a key, so that trying again is safe.
func tryPublish(client *http.Client, to *server, topic, data string) (id string, ok bool) {
	body, _ := json.Marshal(map[string]string{"topic": topic, "data": data, "key": data})
	answer, err := client.Post("http://"+to.addr+"/publish", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var receipt struct{ ID string }
	if err != nil || answer.StatusCode != 200 || json.Unmarshal(text, &receipt) != nil {
		return "", false
	}
	return receipt.ID, true
}

// follow reads a topic until the end, by any edge, coming back with the last id.
func (x *tier) follow(topic string) *reader {
	r := &reader{topic: topic}
	st, err := x.edge().dial(ask{topics: []string{topic}})
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
				if st, err = x.edge().dial(ask{topics: []string{topic}, after: last}); err == nil {
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

// finish ends the publishers, waits until every reader has what was acknowledged, and checks what must be
// true. It returns the gaps that were told.
func (x *tier) finish() (gaps []string) {
	x.t.Helper()
	close(x.stop)
	x.publish.Wait()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		missing := x.missing()
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			x.t.Fatal(missing)
		}
	}
	time.Sleep(100 * time.Millisecond) // what comes twice comes late
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closing.Store(true)
	for topic, all := range x.acked {
		seen := map[string]bool{}
		for _, e := range all {
			if seen[e.id] {
				x.t.Errorf("I5: %s: the id %s was given twice", topic, e.id)
			}
			seen[e.id] = true
		}
	}
	for i, r := range x.readers {
		seen := map[string]bool{}
		for k, e := range r.got {
			if seen[e.data] {
				x.t.Errorf("I2: reader %d of %s got %s twice", i, r.topic, e.data)
			}
			seen[e.data] = true
			if k > 0 && !idLess(r.got[k-1].id, e.id) {
				x.t.Errorf("I3: reader %d of %s got %s behind %s", i, r.topic, e.id, r.got[k-1].id)
			}
		}
		gaps = append(gaps, r.gaps...)
	}
	return gaps
}

// missing says which reader lacks what; "" if none lacks anything it was not told of.
func (x *tier) missing() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, r := range x.readers {
		if len(r.gaps) > 0 {
			continue // what lies in it is not looked at here
		}
		at := 0
		for _, e := range x.acked[r.topic][r.began:] {
			for at < len(r.got) && r.got[at].data != e.data {
				at++
			}
			if at == len(r.got) {
				return fmt.Sprintf("I1: reader %d of %s lacks %s (%s); it has %d of %d events, the last %v", i, r.topic, e.data, e.id, len(r.got), len(x.acked[r.topic])-r.began, lastOf(r.got))
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
