package engine_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/proto/sse"
)

// event is what was published: its id and its data.
type event struct{ id, data string }

// ask is a request for a stream.
type ask struct {
	topics        []string
	after         string // last event id …
	inQuery       bool   // … given in the query, not in the header
	poll          string // of a poll: how long it waits
	receiveBuffer int    // SO_RCVBUF; 0: the kernel's
	readBuffer    int    // of the client
}

func (a *ask) head() string {
	q := url.Values{"topic": a.topics}
	if a.after != "" && a.inQuery {
		q.Set("last_event_id", a.after)
	}
	if a.poll != "" {
		q.Set("poll", a.poll)
	}
	head := "GET /events?" + q.Encode() + " HTTP/1.1\r\nHost: localhost\r\n"
	if a.after != "" && !a.inQuery {
		head += "Last-Event-ID: " + a.after + "\r\n"
	}
	return head + "\r\n"
}

// stream is a client: a connection, and what an EventSource would make of it. It
// belongs to one goroutine.
type stream struct {
	conn    net.Conn
	r       *bufio.Reader
	decoder sse.Decoder
	beats   int      // comments received
	states  []string // of the server's own events
	queue   []sse.Message
	buf     []byte
	tail    []byte // the last bytes received
}

// dial opens a stream. It returns when the response head has arrived.
func (s *server) dial(a ask) (*stream, error) {
	d := net.Dialer{Timeout: patience}
	if a.receiveBuffer > 0 { // before connecting: it decides on the window
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, a.receiveBuffer)
			})
		}
	}
	conn, err := d.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	if a.readBuffer == 0 {
		a.readBuffer = 4096
	}
	st := &stream{conn: conn, r: bufio.NewReaderSize(conn, a.readBuffer)}
	st.decoder.OnComment = func(string) { st.beats++ }
	st.decoder.Reset(a.after)
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, a.head()); err != nil {
		conn.Close()
		return nil, err
	}
	got, err := http.ReadResponse(st.r, &http.Request{Method: "GET"})
	if err == nil && got.StatusCode != 200 {
		body, _ := io.ReadAll(got.Body)
		err = fmt.Errorf("%s: %s", got.Status, body)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return st, nil
}

// open is dial for the test's own goroutine. The stream is closed when the test ends.
func (s *server) open(t testing.TB, a ask) *stream {
	t.Helper()
	st, err := s.dial(a)
	if err != nil {
		t.Fatalf("opening a stream: %v", err)
	}
	t.Cleanup(st.reset)
	return st
}

// opened is open, and waits for the opening with the id the stream begins at.
func (s *server) opened(t testing.TB, a ask) *stream {
	t.Helper()
	st := s.open(t, a)
	if err := st.opening(); err != nil {
		t.Fatal(err)
	}
	return st
}

// reset ends the connection at once, with RST, so that it leaves nothing behind.
func (st *stream) reset() {
	if c, ok := st.conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	st.conn.Close()
}

// read takes in up to n bytes of the body. It waits for as long as patience lasts.
func (st *stream) read(n int) error {
	if cap(st.buf) < n {
		st.buf = make([]byte, n)
	}
	st.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := st.r.Read(st.buf[:n])
	st.tail = append(st.tail, st.buf[:n]...)
	if len(st.tail) > 64 {
		st.tail = append(st.tail[:0], st.tail[len(st.tail)-64:]...)
	}
	if bad := st.decoder.Feed(st.buf[:n], st.message); bad != nil {
		return bad
	}
	return err
}

// message takes an event in; those of the server's own are kept apart.
func (st *stream) message(m sse.Message) {
	if m.Event != "ssedge" {
		st.queue = append(st.queue, m)
		return
	}
	var own struct{ State string }
	if json.Unmarshal([]byte(m.Data), &own) != nil || own.State == "" {
		own.State = "unreadable: " + m.Data
	}
	st.states = append(st.states, own.State)
}

// opening reads until the stream has an id to resume from.
func (st *stream) opening() error {
	for st.decoder.LastEventID() == "" {
		if err := st.read(1024); err != nil {
			return fmt.Errorf("in the opening: %w", err)
		}
	}
	return nil
}

// next returns the next event.
func (st *stream) next() (sse.Message, error) {
	for len(st.queue) == 0 {
		if err := st.read(4096); err != nil {
			return sse.Message{}, err
		}
	}
	m := st.queue[0]
	st.queue = st.queue[1:]
	return m, nil
}

// take returns the next n events.
func (st *stream) take(n int) (all []sse.Message, _ error) {
	for len(all) < n {
		m, err := st.next()
		if err != nil {
			return all, fmt.Errorf("after %d of %d events: %w", len(all), n, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// untilEnd returns everything up to the orderly end of the stream.
func (st *stream) untilEnd() (all []sse.Message, _ error) {
	for {
		m, err := st.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

// gap is the data of a gap event.
type gap struct {
	Topic, Cause string
	From, To     *string
}

// follows checks that a stream with one topic says the truth: every event is the
// one after the last, or a gap says exactly which are missing. It returns the gaps
// and how many events of what was published remain.
func follows(published []event, got []sse.Message) (gaps []gap, left int, _ error) {
	at, last := 0, ""
	for i, m := range got {
		if m.Event == "gap" {
			var g gap
			if err := json.Unmarshal([]byte(m.Data), &g); err != nil {
				return gaps, 0, fmt.Errorf("event %d: a gap that is no JSON: %s", i, m.Data)
			}
			if last != "" && (g.From == nil || *g.From != last) {
				return gaps, 0, fmt.Errorf("event %d: a gap after %q, but the last event was %s", i,
					m.Data, last)
			}
			if g.To == nil || m.LastEventID != *g.To {
				return gaps, 0, fmt.Errorf("event %d: gap %s has the id %s", i, m.Data,
					m.LastEventID)
			}
			from := at
			for at < len(published) && published[at].id != *g.To {
				at++
			}
			if at++; at > len(published) || at == from {
				return gaps, 0, fmt.Errorf("event %d: gap %s names nothing that is missing", i,
					m.Data)
			}
			gaps = append(gaps, g)
			last = m.LastEventID
			continue
		}
		if at == len(published) || m.LastEventID != published[at].id ||
			m.Data != published[at].data {
			return gaps, 0,
				fmt.Errorf("event %d: found %s %.40q, expected number %d of what was published", i,
					m.LastEventID, m.Data, at)
		}
		last = m.LastEventID
		at++
	}
	return gaps, len(published) - at, nil
}

// numbered makes n texts that begin with their number and are size bytes long.
func numbered(n, size int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%d ", i)
		all[i] += strings.Repeat("x", max(size-len(all[i]), 0))
	}
	return all
}
