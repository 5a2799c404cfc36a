package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// standInVariable makes the test program behave as "ssedge serve" as far as the rows use it. Its value "lossy" makes
// it leave out the first broadcast and every seventh after it on every third stream: however few there are, one is lost.
const standInVariable = "ROWS_TEST_STAND_IN"

func TestMain(m *testing.M) {
	if how := os.Getenv(standInVariable); how != "" && len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, standIn(os.Args[2:], how == "lossy"))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// edge holds every stream as a channel; one lock keeps all events in order.
type edge struct {
	mu        sync.Mutex
	streams   map[string]map[chan []byte]int // by topic; the number counts streams
	last      int
	all       int // events of the topic "all"
	heartbeat time.Duration
	lossy     bool
}

func standIn(args []string, lossy bool) error {
	e := &edge{streams: make(map[string]map[chan []byte]int), lossy: lossy}
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.Bool("dev", false, "")
	listen := f.String("listen", "", "")
	f.String("admin", "", "")
	f.Int("shards", 1, "")
	f.DurationVar(&e.heartbeat, "heartbeat", time.Hour, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	http.HandleFunc("GET /events", e.subscribe)
	http.HandleFunc("POST /publish", e.publish)
	return http.ListenAndServe(*listen, nil)
}

func (e *edge) subscribe(w http.ResponseWriter, r *http.Request) {
	topic, events := r.URL.Query().Get("topic"), make(chan []byte, 10_000)
	e.mu.Lock()
	if e.streams[topic] == nil {
		e.streams[topic] = make(map[chan []byte]int)
	}
	e.streams[topic][events] = len(e.streams[topic])
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.streams[topic], events)
		e.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Transfer-Encoding", "identity")
	io.WriteString(w, ":\nretry: 3000\nid: 1-0\n\n")
	out := http.NewResponseController(w)
	beat := time.NewTicker(e.heartbeat)
	defer beat.Stop()
	for out.Flush() == nil {
		select {
		case event := <-events:
			w.Write(event)
		case <-beat.C:
			io.WriteString(w, ":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (e *edge) publish(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") == "application/x-ndjson" {
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			var event struct{ Topic, Data string }
			if json.Unmarshal(lines.Bytes(), &event) != nil {
				http.Error(w, "{}", http.StatusBadRequest)
				return
			}
			e.append(event.Topic, event.Data)
		}
	} else {
		data, _ := io.ReadAll(r.Body)
		e.append(r.URL.Query().Get("topic"), string(data))
	}
	io.WriteString(w, "{}")
}

func (e *edge) append(topic, data string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if topic == "all" {
		e.all++
	}
	event := []byte("data: " + data + "\nid: 2-" + strconv.Itoa(e.last) + "\n\n")
	for stream, number := range e.streams[topic] {
		if e.lossy && topic == "all" && number%3 == 0 && e.all%7 == 1 {
			continue
		}
		stream <- event
	}
}
