package twin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// queueEvents is what a stream may be behind before its publishers wait for it. Waiting, not
	// dropping, so that every event published can be asked for at every stream.
	queueEvents      = 64
	dataBytesMax     = 1 << 20
	streamPreamble   = ":\nretry: 3000\n\n"
	topicMissing     = `{"error":"expected ?topic=…, found none"}`
	dataUnacceptable = `{"error":"expected a body of at most 1 MiB"}`
)

var comment = []byte(":\n\n")

// hub owns the topics. Safe for concurrent use.
type hub struct {
	heartbeat time.Duration
	mux       *http.ServeMux
	mu        sync.Mutex
	topics    map[string]*topic
}

// topic is the set of streams of one name. Its lock is held while an event is handed to every
// stream, which is what keeps events in one order for all of them.
type topic struct {
	mu      sync.Mutex
	streams map[*stream]struct{}
	ms, seq int64 // the last id
}

type stream struct {
	events chan []byte
	gone   <-chan struct{}
}

func newHub(heartbeat time.Duration) *hub {
	h := &hub{heartbeat: heartbeat, mux: http.NewServeMux(), topics: make(map[string]*topic)}
	h.mux.HandleFunc("GET /events", h.subscribe)
	h.mux.HandleFunc("POST /publish", h.publish)
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// topic finds or makes a topic. Topics are never dropped: the server lives for a measurement.
func (h *hub) topic(name string) *topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		t = &topic{streams: make(map[*stream]struct{})}
		h.topics[name] = t
	}
	return t
}

func (h *hub) subscribe(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("topic")
	if name == "" {
		http.Error(w, topicMissing, http.StatusBadRequest)
		return
	}
	s := &stream{events: make(chan []byte, queueEvents), gone: r.Context().Done()}
	t := h.topic(name)
	t.mu.Lock()
	t.streams[s] = struct{}{}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.streams, s)
		t.mu.Unlock()
	}()

	head := w.Header()
	head.Set("Content-Type", "text/event-stream; charset=utf-8")
	head.Set("Cache-Control", "no-cache, no-transform")
	// A body that ends with the connection, as ssedge sends it: no chunk framing between the
	// events.
	head.Set("Transfer-Encoding", "identity")
	out := http.NewResponseController(w)
	io.WriteString(w, streamPreamble)
	if out.Flush() != nil {
		return
	}
	var beats <-chan time.Time // nil: none ever comes
	if h.heartbeat > 0 {
		ticker := time.NewTicker(h.heartbeat)
		defer ticker.Stop()
		beats = ticker.C
	}
	for {
		var text []byte
		select {
		case text = <-s.events:
		case <-beats:
			text = comment
		case <-s.gone:
			return
		}
		if _, err := w.Write(text); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
	}
}

func (h *hub) publish(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("topic")
	if name == "" {
		http.Error(w, topicMissing, http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, dataBytesMax))
	if err != nil {
		http.Error(w, dataUnacceptable, http.StatusBadRequest)
		return
	}
	id := h.topic(name).append(data)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":%q}`, id)
}

// append gives the event its id and hands it to every stream, waiting for those whose queue is
// full.
func (t *topic) append(data []byte) (id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now().UnixMilli(); now > t.ms {
		t.ms, t.seq = now, 0
	} else {
		t.seq++
	}
	id = strconv.FormatInt(t.ms, 10) + "-" + strconv.FormatInt(t.seq, 10)
	event := fmt.Appendf(nil, "data: %s\nid: %s\n\n", data, id)
	for s := range t.streams {
		select {
		case s.events <- event:
		case <-s.gone:
		}
	}
	return id
}
