package intake_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/deadline"
	"ssedge/engine/fanin"
	"ssedge/engine/httpapi"
	"ssedge/engine/intake"
	"ssedge/proto/http1"
	"ssedge/proto/rule"
	"ssedge/shard"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// setup is what a test can change of a node.
type setup struct {
	intake    intake.Config
	admission intake.AdmissionConfig
	shard     shard.Config
	topicsMax int
	idle      bool                            // the shards are not started
	handler   func(http.Handler) http.Handler // around the public one
	dev       bool
	httpIdle  time.Duration
}

// node is an intake with all that stands behind it.
type node struct {
	clock     *deadline.Clock
	t         testing.TB
	in        *intake.Intake
	admission *intake.Admission
	group     *shard.Group
	public    *httpapi.Public
	http      *http.Server
	addr      net.Addr
	stopped   atomic.Bool
}

const key = "a-key"

// start opens a node on a free port and serves; the test's end closes it.
func start(t testing.TB, change func(*setup)) *node {
	t.Helper()
	n := open(t, change)
	if err := n.in.Serve(); err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t testing.TB, change func(*setup)) *node {
	t.Helper()
	n, err := tryOpen(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tryOpen(t testing.TB, change func(*setup)) (*node, error) {
	static, err := auth.NewStatic([]string{key}, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	s := &setup{
		intake: intake.Config{
			Listen: []string{"127.0.0.1:0"},
			ConnectionLimits: intake.ConnectionLimits{
				Limits:      http1.DefaultLimits,
				HeadTimeout: 10 * time.Second, HeadsMax: 8192, HTTPConnectionsMax: 1024,
				HTTPIdle: time.Minute,
				Workers:  64, Pollers: 2,
			},
			Logger: logger, Clock: deadline.NewClock(),
		},
		admission: intake.AdmissionConfig{
			Logger:       logger,
			StreamLimits: intake.StreamLimits{StreamsMax: 10_000},
			Request: intake.RequestLimits{TopicsPerStream: 4, TopicBytes: 64,
				PollMax: time.Minute},
			Authorizer: static,
		},
		shard: shard.Config{
			Delivery: shard.Delivery{WriteStall: 30 * time.Second, Retry: time.Second,
				RestBytes: 1 << 20, InboxMax: 16384},
			Turns: shard.Turns{Shards: 2, TurnSends: 256, TurnTime: time.Millisecond},
		},
		topicsMax: 1000,
		httpIdle:  time.Minute,
	}
	if change != nil {
		change(s)
	}
	n := &node{t: t, clock: s.intake.Clock}
	n.admission = intake.NewAdmission(s.admission)
	s.shard.OnClose, s.shard.OnDone = n.admission.Closed, n.admission.Done
	n.group, err = shard.NewGroup(s.shard, topic.Config{
		Retention: log.Retention{Events: 1000, Bytes: 1 << 20, AgeMS: 60_000}, HistoryMax: 16 << 20,
		TopicsMax: s.topicsMax,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.idle {
		n.group.Start()
	}
	n.admission.Attach(n.group)
	if n.in, err = intake.Open(s.intake, n.admission); err != nil {
		n.group.Stop()
		n.clock.Close()
		return nil, err
	}
	n.addr = n.in.Addrs()[0]
	source := fanin.NewMemory(fanin.MemoryConfig{KeyLimit: fanin.KeyLimit{KeysMax: 100},
		KeyTTL: time.Minute})
	source.Attach(n.group.Table())
	n.public = httpapi.NewPublic(httpapi.PublicConfig{
		Admission: n.admission, Authorizer: s.admission.Authorizer, Source: source,
		Rule: rule.Limits{EventBytes: 32 << 20, TopicBytes: 64, KeyBytes: 64},
		BodyLimits: httpapi.BodyLimits{BodyBytes: 64 << 20, PublishBytes: 1 << 30,
			BodyTimeout: 10 * time.Second}, Dev: s.dev,
		Draining: func() bool { return false }, Refused: n.in.Refused, Logger: logger,
	})
	handler := http.Handler(n.public)
	if s.handler != nil {
		handler = s.handler(handler)
	}
	n.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: s.intake.HeadTimeout, IdleTimeout: s.httpIdle,
		MaxHeaderBytes: s.intake.HeadBytes,
		ConnContext:    intake.WithConn, ConnState: intake.ConnState,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go n.http.Serve(n.in.HTTP())
	t.Cleanup(func() { n.close(s.idle) })
	return n, nil
}

func (n *node) close(idle bool) {
	if n.stopped.Swap(true) {
		return
	}
	n.in.Close()
	n.http.Close()
	if idle {
		n.group.Start()
	}
	n.group.Stop()
	n.clock.Close()
}

// client is a raw connection, closed at the test's end.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (n *node) dial() *client {
	n.t.Helper()
	c, err := net.Dial(n.addr.Network(), n.addr.String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{n.t, c, bufio.NewReader(c)}
}

// ask dials and sends.
func (n *node) ask(request string) *client {
	n.t.Helper()
	c := n.dial()
	c.send(request)
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads a complete response to a request with that method.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("status %d, body %q: %v", resp.StatusCode, body, err)
	}
	return resp, string(body)
}

// stream reads the head of a stream and what opens it.
func (c *client) stream() *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"),
		"text/event-stream") {
		body, _ := io.ReadAll(resp.Body)
		c.t.Fatalf("not a stream: %d %s", resp.StatusCode, body)
	}
	c.until(`data: {"state":`)
	return resp
}

// until reads lines up to one that begins with prefix, and returns the rest of it.
func (c *client) until(prefix string) string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no line %q…: %v", prefix, err)
		}
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
}

// ended reads up to the end of the connection and returns what there was.
func (c *client) ended() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	if err != nil && !strings.Contains(err.Error(), "connection reset") {
		c.t.Fatalf("the connection does not end: %v", err)
	}
	return string(rest)
}

func (n *node) publish(topic, data string) {
	n.t.Helper()
	if _, err := n.group.Table().Publish([]byte(topic), []byte("data: "+data+"\n")); err != nil {
		n.t.Fatal(err)
	}
}

// await waits until something is true.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("not within the time: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// quiet waits until no client is connected any more.
func (n *node) quiet() {
	n.t.Helper()
	await(n.t, "counts at zero", func() bool {
		return n.admission.Streams() == 0 && n.in.HeadCount() == 0 && n.in.HTTPCount() == 0
	})
}

func get(target string, fields ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
		strings.Join(append(fields, ""), "\r\n"))
}
