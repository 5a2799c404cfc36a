package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/proto/sse"
)

const key = "the-key"

// node is a server of its own, closed at the test's end.
type node struct {
	t    testing.TB
	url  string
	addr string
	http *http.Client
}

func start(t testing.TB, change func(*engine.Config)) *node {
	t.Helper()
	c := engine.DefaultConfig()
	c.Listen, c.Admin = []string{"127.0.0.1:0"}, ""
	c.Logger = slog.New(slog.DiscardHandler)
	c.Keys, c.Anonymous = []string{"old-key", key}, []string{"*"}
	c.Shards, c.Pollers = 2, 2
	c.Rule.EventBytes, c.BodyBytes = 64<<10, 1<<20
	c.Retry, c.RetryJitter = time.Second, 0
	if change != nil {
		change(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	addr := e.Addrs()[0].String()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &node{t, "http://" + addr, addr,
		&http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

func dev(c *engine.Config) { c.Dev, c.Keys, c.Anonymous = true, nil, nil }

// said is an answer.
type said struct {
	status int
	header http.Header
	body   string
}

// reason is the error of a refusal, which must have the form of one.
func (s said) reason(t testing.TB) string {
	t.Helper()
	var a struct {
		Error  string
		Status int
	}
	if err := json.Unmarshal([]byte(s.body), &a); err != nil || a.Status != s.status ||
		a.Error == "" || strings.Count(s.body, "\n") != 1 {
		t.Errorf("%d %q is not one line of JSON with the reason", s.status, s.body)
	}
	return a.Error
}

// id is the id of a single receipt.
func (s said) id(t testing.TB) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(s.body), &r); err != nil || s.status != 200 || r.ID == "" {
		t.Fatalf("%d %q is not a receipt", s.status, s.body)
	}
	return r.ID
}

// post publishes. A body that is not a strings.Reader is sent in chunks. Fields come in pairs.
func (n *node) post(query, contentType string, body io.Reader, fields ...string) said {
	n.t.Helper()
	r, err := http.NewRequest("POST", n.url+"/publish"+query, body)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return n.do(r)
}

func (n *node) do(r *http.Request) said {
	n.t.Helper()
	resp, err := n.http.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return said{resp.StatusCode, resp.Header, string(text)}
}

func (n *node) json(body string) said {
	n.t.Helper()
	return n.post("", "application/json", strings.NewReader(body))
}

func (n *node) lines(body string) said {
	n.t.Helper()
	return n.post("", "application/x-ndjson", strings.NewReader(body))
}

func (n *node) raw(topic, body string) said {
	n.t.Helper()
	return n.post("?topic="+url.QueryEscape(topic), "text/plain", strings.NewReader(body))
}

// inChunks hides what a body is, so that it is sent without a length.
func inChunks(body string) io.Reader { return io.MultiReader(strings.NewReader(body)) }

// subscriber reads a stream as a browser would.
type subscriber struct {
	t       testing.TB
	conn    net.Conn
	resp    *http.Response
	decoder sse.Decoder
	ready   []sse.Message
	opened  bool // the opening has come
}

func (n *node) subscribe(query string, fields ...string) *subscriber {
	n.t.Helper()
	c := n.dialRaw("")
	return n.subscribeOn(c.Conn, c.r, query, fields...)
}

// subscribeKept is subscribe on a connection that net/http has, for it had a request before.
func (n *node) subscribeKept(query string, fields ...string) *subscriber {
	n.t.Helper()
	c := n.dialRaw("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if resp, body := c.answer(); resp.StatusCode != 404 || resp.Close {
		n.t.Fatalf("%s %s", resp.Status, body)
	}
	return n.subscribeOn(c.Conn, c.r, query, fields...)
}

func (n *node) subscribeOn(c net.Conn, r *bufio.Reader, query string,
	fields ...string) *subscriber {
	n.t.Helper()
	fmt.Fprintf(c, "GET /events?%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", query,
		strings.Join(append(fields, ""), "\r\n"))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		body, _ := io.ReadAll(resp.Body)
		n.t.Fatalf("%s %s", resp.Status, body)
	}
	s := &subscriber{t: n.t, conn: c, resp: resp}
	for !s.opened { // from now on nothing is missed
		s.read()
	}
	return s
}

func (s *subscriber) read() {
	s.t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // for this read, not for all the test
	buf := make([]byte, 64<<10)
	k, err := s.resp.Body.Read(buf)
	if err == nil {
		err = s.decoder.Feed(buf[:k], s.message)
	}
	if err != nil {
		s.t.Fatalf("after %d events: %v", len(s.ready), err)
	}
}

// message takes an event in, but for the server's own.
func (s *subscriber) message(m sse.Message) {
	if m.Event == "ssedge" {
		s.opened = true
		return
	}
	s.ready = append(s.ready, m)
}

// next is the next event.
func (s *subscriber) next() sse.Message {
	s.t.Helper()
	for len(s.ready) == 0 {
		s.read()
	}
	m := s.ready[0]
	s.ready = s.ready[1:]
	return m
}
