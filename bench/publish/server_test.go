package publish_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"ssedge/bench/mark"
	"ssedge/bench/publish"
)

// patience is how long a test waits for what must happen.
const patience = 15 * time.Second

// request is one that a server got.
type request struct {
	connection int
	*http.Request
	body []byte
}

// marks are those of its events, one a line.
func (r request) marks() (all []mark.Mark) {
	for line := range bytes.Lines(r.body) {
		if m, at := mark.Find(line, 0); at >= 0 {
			all = append(all, m)
		}
	}
	return all
}

// server keeps what it is asked and writes what it is told to, byte by byte: a real one would hide
// what the publisher makes of odd answers.
type server struct {
	url string

	mu          sync.Mutex
	connections int
	got         []request
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// serve answers the n-th request, from 1, with what answer returns. An answer without its end, or
// "", closes the connection behind it.
func serve(t *testing.T, answer func(n int, r request) (text string, more bool)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{url: "http://" + l.Addr().String()}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.connections++
			number := s.connections
			s.mu.Unlock()
			context.AfterFunc(t.Context(), func() { conn.Close() })
			group.Go(func() { s.converse(conn, number, answer) })
		}
	})
	t.Cleanup(func() { l.Close(); group.Wait() })
	return s
}

func (s *server) converse(conn net.Conn, number int, answer func(int, request) (string, bool)) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		asked := request{number, r, body}
		s.mu.Lock()
		s.got = append(s.got, asked)
		n := len(s.got)
		s.mu.Unlock()
		text, more := answer(n, asked)
		if _, err := io.WriteString(conn, text); err != nil || !more {
			return
		}
	}
}

// requests are all so far.
func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[:len(s.got):len(s.got)]
}

// connected is how many connections there were.
func (s *server) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

func always(text string, more bool) func(int, request) (string, bool) {
	return func(int, request) (string, bool) { return text, more }
}

// publisher connects to a server with what most tests need.
func publisher(t *testing.T, s *server, change func(*publish.Config)) *publish.Publisher {
	t.Helper()
	c := publish.Config{URL: s.url + "/publish?topic=t{topic}", Body: "{payload}", Payload: 20}
	if change != nil {
		change(&c)
	}
	p, err := publish.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// run runs a schedule that must go well.
func run(t *testing.T, p *publish.Publisher, s publish.Schedule) publish.Report {
	t.Helper()
	r, err := p.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sum adds up what all topics have had. counted is load.Published of all topics together.
type counted struct{ Sure, Maybe uint32 }

func sum(p *publish.Publisher) (all counted) {
	for _, one := range p.Published() {
		all.Sure += one.Sure
		all.Maybe += one.Maybe
	}
	return all
}
