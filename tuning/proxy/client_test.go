package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/proto/sse"
)

// client is one of a server, with one connection, unless more is asked at a time.
type client struct {
	t    *testing.T
	addr string
	from string // a loopback address; "": any
	http *http.Client

	opened atomic.Int64 // connections
}

func newClient(t *testing.T, addr, from string) *client {
	c := &client{t: t, addr: addr, from: from}
	var d net.Dialer
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	transport := &http.Transport{DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c.opened.Add(1)
			return d.DialContext(ctx, network, addr)
		}}
	c.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// publish publishes an event to the topic t.
func (c *client) publish(data string) {
	c.t.Helper()
	r, err := c.http.Post("http://"+c.addr+"/publish?topic=t", "text/plain",
		strings.NewReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if r.Body.Close(); err != nil || r.StatusCode != 200 {
		c.t.Fatalf("publishing: %s %s %v", r.Status, body, err)
	}
}

// ask asks for a stream of the topic t, with some fields: "Name: value".
func (c *client) ask(fields ...string) (*http.Response, error) {
	r, err := http.NewRequest("GET", "http://"+c.addr+"/events?topic=t", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return c.http.Do(r)
}

// stream is what a client has of a stream. It belongs to one goroutine.
type stream struct {
	t        *testing.T
	response *http.Response
	body     *bufio.Reader
	decoder  sse.Decoder
	ready    []sse.Message
	stop     func() bool
	once     sync.Once
}

// follow asks for a stream and expects one.
func (c *client) follow(fields ...string) *stream {
	c.t.Helper()
	r, err := c.ask(fields...)
	if err != nil {
		c.t.Fatal(err)
	}
	if r.StatusCode != 200 {
		body, _ := io.ReadAll(r.Body)
		c.t.Fatalf("%s %s", r.Status, body)
	}
	return newStream(c.t, r, patience)
}

func newStream(t *testing.T, r *http.Response, patience time.Duration) *stream {
	s := &stream{t: t, response: r, body: bufio.NewReader(r.Body)}
	s.stop = time.AfterFunc(patience, func() { r.Body.Close() }).Stop
	t.Cleanup(s.leave)
	return s
}

// receive returns the next event.
func (s *stream) receive() (sse.Message, error) {
	for len(s.ready) == 0 {
		line, err := s.body.ReadBytes('\n')
		if err != nil {
			return sse.Message{}, err
		}
		s.decoder.Feed(line, func(m sse.Message) {
			if m.Event != "ssedge" {
				s.ready = append(s.ready, m)
			}
		})
	}
	m := s.ready[0]
	s.ready = s.ready[1:]
	return m, nil
}

func (s *stream) next() sse.Message {
	s.t.Helper()
	m, err := s.receive()
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *stream) leave() {
	s.once.Do(func() {
		s.stop()
		s.response.Body.Close()
	})
}
