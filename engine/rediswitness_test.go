package engine_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// witness is a client that writes down all it is sent, and comes and goes with the phases of a
// stage. What it makes of a stream is written anew here: nothing is shared with what it judges.
type witness struct {
	stage *stage
	stay  []stay
	slow  bool // from the fault until it is over it reads in bursts, through a small window

	mu     sync.Mutex
	record record
	lastID string
}

// stay is a time at an edge, from the beginning of one phase until that of another.
type stay struct {
	edge        int
	from, until int
	after       time.Duration // it comes so long after the phase has begun
}

// live goes through all its stays. The last one is for ever.
func (w *witness) live() {
	defer w.stage.clients.Done()
	for i, s := range w.stay {
		<-w.stage.phases[s.from]
		time.Sleep(s.after)
		until := w.stage.phases[s.until]
		if i == len(w.stay)-1 {
			until = w.stage.closed
		}
		for over(until) == false && !over(w.stage.closed) {
			w.visit(s.edge, until)
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// over reports whether a channel is closed.
func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// visit is one connection. It ends when the edge ends it, or at a given time: then what was not
// read is not.
func (w *witness) visit(edge int, until <-chan struct{}) {
	w.mu.Lock()
	after := w.lastID
	w.mu.Unlock()
	v := visit{edge: edge, resumed: after, dialled: time.Now()}
	d := net.Dialer{Timeout: 5 * time.Second}
	if w.slow {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
			})
		}
	}
	conn, err := d.Dial("tcp", w.stage.edges[edge].addr)
	if err != nil {
		return
	}
	defer conn.Close()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-until:
		case <-w.stage.closed:
		case <-done:
		}
		conn.Close()
	}()
	a := ask{topics: w.record.topics, after: after}
	if _, err := io.WriteString(conn, a.head()); err != nil {
		return
	}
	r := bufio.NewReaderSize(&burst{conn, w}, 4096)
	answer, err := http.ReadResponse(r, &http.Request{Method: "GET"})
	if err != nil || answer.StatusCode != 200 {
		return
	}
	v.head = time.Now()
	w.mu.Lock()
	w.record.visits = append(w.record.visits, v)
	w.mu.Unlock()
	w.read(bufio.NewReaderSize(answer.Body, 4096))
}

// burst reads little and seldom while its witness is slow.
type burst struct {
	net.Conn
	w *witness
}

func (b *burst) Read(p []byte) (int, error) {
	s := b.w.stage
	if b.w.slow && over(s.phases[fault]) && !over(s.phases[mended]) {
		select {
		case <-time.After(150 * time.Millisecond):
		case <-s.phases[mended]:
		}
		p = p[:min(len(p), 1024)]
	}
	return b.Conn.Read(p)
}

// read takes events in until the connection ends (WHATWG HTML 9.2.6).
func (w *witness) read(r *bufio.Reader) {
	var data []string
	name, id := "", w.lastID
	for {
		line, err := r.ReadString('\n')
		if err != nil { // what is not whole is dropped
			return
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			w.mu.Lock()
			w.lastID = id
			if data != nil {
				got := &w.record.visits[len(w.record.visits)-1].got
				*got = append(*got, incident{time.Now(), name, strings.Join(data, "\n"), id})
			}
			w.mu.Unlock()
			name, data = "", nil
		case field == "data":
			data = append(data, value)
		case field == "event":
			name = value
		case field == "id":
			id = value
		}
	}
}

// copy is what it has written down so far.
func (w *witness) copy() record {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.record
	c.visits = append([]visit(nil), c.visits...)
	return c
}

// attempt publishes once, without a key: what is tried again is another event. The error says that
// it was not acknowledged, which says nothing about whether it was published.
func (s *stage) attempt(by, topic string, n, edge, size int) error {
	data := fmt.Sprintf("%s %s %d", topic, by, n)
	if size > len(data) {
		data += " " + strings.Repeat("x", size-len(data)-1)
	}
	s.mu.Lock()
	s.tried[data] = true
	s.mu.Unlock()
	sent := time.Now()
	id, err := s.edges[edge].post(topic, data)
	if err == nil && id == "" {
		err = errors.New("no id")
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.acked[topic] = append(s.acked[topic], receipt{topic, data, id, by, n, sent, time.Now()})
	s.mu.Unlock()
	return nil
}
