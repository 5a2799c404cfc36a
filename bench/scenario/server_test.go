package scenario

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// faulty is a small server of event streams, with faults. Without any it is faultless: it has every
// event since its start, and resumes after the id that is asked for.
type faulty struct {
	forgetful bool // no history: a stream gets what is published while it is open
	spoilAt   int  // this event, from 1,
	spoil     func(event string) string
	refuse    int // every refuse-th stream is refused
	// whether the n-th attempt to subscribe is refused, from 1; nil: none
	refused     func(n int) bool
	deaf        bool          // publishes are refused
	beat        time.Duration // between two heartbeats; 0: none
	mute        int           // every mute-th stream gets no heartbeats
	hangUp      bool          // streams end as soon as they are open,
	hangUpAfter int           // or all behind so many; 0: none
	garbage     bool          // with each heartbeat comes a line that is none
	publishing  func()        // called with each event before it is sent

	mu      sync.Mutex
	topics  map[string][]string
	changed chan struct{} // closed with each event
	opened  int
}

// start makes it a target.
func (f *faulty) start(t *testing.T) Target {
	t.Helper()
	f.topics, f.changed = make(map[string][]string), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", f.subscribe)
	mux.HandleFunc("POST /publish", f.publish)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return Target{Name: "faulty", Subscribe: server.URL + "/events?topic=t{topic}",
		PublishURL: server.URL + "/publish?topic=t{topic}", PublishBody: "{payload}"}
}

// attempts is how many have subscribed, or tried to.
func (f *faulty) attempts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

func (f *faulty) subscribe(w http.ResponseWriter, r *http.Request) {
	topic := r.FormValue("topic")
	f.mu.Lock()
	f.opened++
	refused := f.refuse > 0 && f.opened%f.refuse == 0 || f.refused != nil && f.refused(f.opened)
	var beats <-chan time.Time
	if f.beat > 0 && (f.mute == 0 || f.opened%f.mute != 0) {
		ticker := time.NewTicker(f.beat)
		defer ticker.Stop()
		beats = ticker.C
	}
	sent := len(f.topics[topic])
	ends := f.hangUp || f.hangUpAfter > 0 && f.opened > f.hangUpAfter
	f.mu.Unlock()
	if refused {
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" && !f.forgetful {
		sent, _ = strconv.Atoi(last)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.Flush()
	if ends {
		return
	}
	for {
		f.mu.Lock()
		events, changed := f.topics[topic], f.changed
		f.mu.Unlock()
		for ; sent < len(events); sent++ {
			io.WriteString(w, events[sent])
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-beats:
			if f.garbage {
				io.WriteString(w, "GARBAGE\n")
			}
			io.WriteString(w, ":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (f *faulty) publish(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	if f.deaf {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if f.publishing != nil {
		f.publishing()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	topic := r.FormValue("topic")
	n := len(f.topics[topic]) + 1
	event := fmt.Sprintf("data: %s\nid: %d\n\n", data, n)
	if n == f.spoilAt {
		event = f.spoil(event)
	}
	f.topics[topic] = append(f.topics[topic], event)
	close(f.changed)
	f.changed = make(chan struct{})
}

// small are options for a test: few streams, and half a second of silence means loss.
func small() Options {
	o := Defaults()
	o.Streams, o.Settle, o.Publishers, o.Run = 10, 50*time.Millisecond, 2, "test"
	return o
}
