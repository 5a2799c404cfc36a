package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/bench/mark"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// streamHead begins a stream that ends with its connection.
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

// scripted is a server that does to each connection what its script says, in the order they come.
type scripted struct {
	url string

	mu       sync.Mutex
	requests []*http.Request
	scripts  []func(net.Conn)
}

// serve answers the n-th connection by the n-th script; the last answers all further ones. A
// connection is held open after its script, until the test ends or the script has closed it.
func serve(t *testing.T, scripts ...func(net.Conn)) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{url: "http://" + l.Addr().String() + "/events?topic={topic}", scripts: scripts}
	var group sync.WaitGroup
	ending := make(chan struct{})
	t.Cleanup(func() { l.Close(); close(ending); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				request, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				s.next(request)(conn)
				<-ending
			})
		}
	})
	return s
}

func (s *scripted) next(r *http.Request) func(net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	script := s.scripts[0]
	if len(s.scripts) > 1 {
		s.scripts = s.scripts[1:]
	}
	return script
}

// asked are the requests so far.
func (s *scripted) asked() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

// says is a script that sends these bytes.
func says(parts ...string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, strings.Join(parts, "")) }
}

// thenCloses is says, and the end of the connection.
func thenCloses(parts ...string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, strings.Join(parts, ""))
		c.Close()
	}
}

// numbered is number seq of a topic, with an id.
func numbered(topic, seq int) string { return eventWith(topic, seq, fmt.Sprintf("17-%d", seq)) }

func eventWith(topic, seq int, id string) string {
	m := mark.Mark{Topic: uint32(topic), Seq: uint32(seq), Due: mark.Now()}
	return fmt.Sprintf("data: %s\nid: %s\n\n", mark.Append(nil, m, 30), id)
}

// events are some of topic 0.
func events(numbers ...int) string {
	var b strings.Builder
	for _, n := range numbers {
		b.WriteString(numbered(0, n))
	}
	return b.String()
}

// crowd makes one that is closed with the test, and takes events that were due an hour before it.
func crowd(t *testing.T, c Config) *Crowd {
	t.Helper()
	made := fresh(t, c)
	for _, l := range made.members[0].(*Client).loops {
		l.do(func() { l.began = l.began.Add(-time.Hour) })
	}
	return made
}

// fresh makes one that takes events from now on.
func fresh(t *testing.T, c Config) *Crowd {
	t.Helper()
	made, err := NewCrowd(c, 100, Workers{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close() })
	return made
}

// awaits waits until the totals are as they must be.
func awaits(t *testing.T, c *Crowd, what string, until func(Totals) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Wait(ctx, until); err != nil {
		totals, _ := c.Totals()
		t.Fatalf("expected %s, found %+v", what, totals)
	}
}

// opens opens n streams, of which so many must fail.
func opens(t *testing.T, c *Crowd, n, failing int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Open(ctx, n, 0); err != nil {
		t.Fatal(err)
	}
	if totals, _ := c.Totals(); totals.Failed != uint64(failing) {
		causes, _ := c.Causes()
		t.Fatalf("expected %d failures, found %d: %v", failing, totals.Failed, causes)
	}
}

func verdict(t *testing.T, c *Crowd, published ...Published) Verdicts {
	t.Helper()
	v, err := c.Verify(published)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
