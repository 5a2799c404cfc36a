package publish_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ssedge/bench/publish"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text        string
		more        bool
		connections int // for three events
	}{
		"length": {ok, true, 1},
		"interim": {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			true, 1},
		"no body": {"HTTP/1.1 204 No Content\r\n\r\n", true, 1},
		"empty":   {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", true, 1},
		"chunked": {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\n...\r\n0\r\n\r\n",
			true, 1},
		"close": {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
			false, 3},
		"until close":    {"HTTP/1.1 200 OK\r\n\r\nok", false, 3},
		"older protocol": {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, always(c.text, c.more))
			p := publisher(t, s, nil)
			r := run(t, p, publish.Schedule{Count: 3})
			if r.Acknowledged != 3 || len(r.Causes) != 0 || sum(p) != (counted{Sure: 3}) {
				t.Errorf("found %+v, %+v", r, sum(p))
			}
			if n := s.connected(); n != c.connections {
				t.Errorf("expected %d connections, found %d", c.connections, n)
			}
		})
	}
}

func TestWhatIsRefusedIsNotPublished(t *testing.T) {
	t.Parallel()
	full := "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\nfull \n up\r\n "
	often := "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
	s := serve(t, func(n int, r request) (string, bool) {
		switch n % 4 {
		case 0:
			return full, true
		case 1:
			return often, true
		}
		return ok, true
	})
	p := publisher(t, s, func(c *publish.Config) { c.Topics, c.Connections = 4, 4 })
	r := run(t, p, publish.Schedule{Count: 80})
	if r.Requests != 80 || r.Acknowledged != 40 || r.Refused != 40 || r.Unsure != 0 ||
		sum(p) != (counted{Sure: 40}) {
		t.Errorf("found %+v, %+v", r, sum(p))
	}
	// Of all connections together.
	if n := r.Causes["expected status 2xx, found 503 Service Unavailable: full up"]; n != 20 {
		t.Errorf("found %d of 20 in %v", n, r.Causes)
	}
	if n := r.Causes["expected status 2xx, found 429 Too Many Requests: "]; n != 20 {
		t.Errorf("found %d of 20 in %v", n, r.Causes)
	}
	if r.Answer.TotalCount() != 40 || s.connected() != 4 {
		t.Errorf("found times of %d answers, %d connections", r.Answer.TotalCount(), s.connected())
	}
}

// TestOfARefusedBatch some events may have been taken.
func TestOfARefusedBatch(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, r request) (string, bool) {
		if n == 2 {
			return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true
		}
		return ok, true
	})
	p := publisher(t, s, func(c *publish.Config) { c.Batch = 5 })
	if r := run(t, p, publish.Schedule{Count: 15}); r.Refused != 5 ||
		sum(p) != (counted{Sure: 10, Maybe: 5}) {
		t.Errorf("found %+v, %+v", r, sum(p))
	}
}

// TestAnAnswerThatBreaksOff leaves it unsure whether its event was taken; the next one goes by a
// new connection.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"nothing":     "",
		"in its head": "HTTP/1.1 200 O",
		"in its body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
		"in a chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
		"no HTTP":     "SSH-2.0-server\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(n int, r request) (string, bool) {
				if n == 3 {
					return part, false
				}
				return ok, true
			})
			p := publisher(t, s, nil)
			r := run(t, p, publish.Schedule{Count: 10})
			if r.Acknowledged != 9 || r.Unsure != 1 || r.Refused != 0 || len(r.Causes) != 1 ||
				sum(p) != (counted{Sure: 9, Maybe: 1}) {
				t.Errorf("found %+v, %+v", r, sum(p))
			}
			if n := len(s.requests()); n != 10 || s.connected() != 2 {
				t.Errorf("expected 10 requests by 2 connections, found %d by %d", n, s.connected())
			}
		})
	}
}

// TestAServerThatNeverAnswers ends the run.
func TestAServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, always("", false))
	p := publisher(t, s, nil)
	r, err := p.Run(t.Context(), publish.Schedule{Count: 100})
	if err == nil || !strings.Contains(err.Error(), "10 requests in a row") || r.Unsure != 10 ||
		sum(p) != (counted{Maybe: 10}) {
		t.Errorf("found %v, %+v, %+v", err, r, sum(p))
	}
}

// TestAServerThatIsGone has taken nothing.
func TestAServerThatIsGone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := publish.New(t.Context(),
		publish.Config{URL: "http://" + l.Addr().String(), Body: "{payload}", Payload: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l.Close() // what waits to be accepted is reset
	r, err := p.Run(t.Context(), publish.Schedule{Count: 100})
	if err == nil || !strings.Contains(err.Error(), "refused") || r.Requests != 10 ||
		r.Unsure != 1 || r.Refused != 9 || sum(p).Maybe != 1 {
		t.Errorf("found %v, %+v, %+v", err, r, sum(p))
	}
	if _, err := publish.New(t.Context(), publish.Config{URL: "http://" + l.Addr().String(),
		Body: "{payload}", Payload: 16}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("found %v", err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, always(ok, true))
	p := publisher(t, s, func(c *publish.Config) {
		c.URL, c.Method, c.Run = s.url+"?t={topic}&at={now}", "PUT", "r1"
		c.Headers = []string{"X-Topic: {topic}/{run}", "Content-Type: text/plain"}
		c.Body, c.Payload, c.TopicFirst = "<{payload}>", 30, 9
	})
	before := time.Now().UnixMilli()
	run(t, p, publish.Schedule{Count: 1})
	r := s.requests()[0]
	if r.Method != "PUT" || r.URL.Path != "/" || r.URL.Query().Get("t") != "9" ||
		r.Header.Get("X-Topic") != "9/r1" || r.Host != strings.TrimPrefix(s.url, "http://") {
		t.Errorf("found %s %s, %q", r.Method, r.URL, r.Header)
	}
	var at int64
	if _, err := fmt.Sscan(r.URL.Query().Get("at"), &at); err != nil || at < before ||
		at > time.Now().UnixMilli() {
		t.Errorf("found {now} %d, began at %d", at, before)
	}
	if len(r.body) != 32 || r.body[0] != '<' || r.body[31] != '>' || r.marks()[0].Topic != 9 {
		t.Errorf("found %q", r.body)
	}
	// A payload may be in the URL only.
	p = publisher(t, s, func(c *publish.Config) { c.URL, c.Body = s.url+"/{payload}#part", "" })
	run(t, p, publish.Schedule{Count: 1})
	if r := s.requests()[1]; len(r.URL.Path) != 21 || r.URL.Path[1] != '~' || len(r.body) != 0 ||
		strings.Contains(r.RequestURI, "#") {
		t.Errorf("found %s, %q", r.RequestURI, r.body)
	}
}

// TestConnectingEndsWithItsContext where a server accepts and does not speak TLS.
func TestConnectingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := l.Accept(); err == nil {
			conn.Read(make([]byte, 1)) // the handshake has begun
			cancel()
			<-t.Context().Done()
			conn.Close()
		}
	}()
	if _, err := publish.New(ctx, publish.Config{URL: "https://" + l.Addr().String(),
		Body: "{payload}", Payload: 16}); err == nil || !strings.Contains(err.Error(), "TLS with") {
		t.Errorf("found %v", err)
	}
}

// TestReasonsAreBounded: not one for each port or body that a server thinks of, and nothing that
// steers a terminal.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, r request) (string, bool) {
		body := fmt.Sprintf("\x1b[31m%d", n)
		return fmt.Sprintf("HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
			true
	})
	r := run(t, publisher(t, s, nil), publish.Schedule{Count: 50})
	if len(r.Causes) > 21 || r.Causes["others"] < 30 || r.Refused != 50 {
		t.Errorf("found %v", r.Causes)
	}
	for cause := range r.Causes {
		if strings.Contains(cause, "\x1b") {
			t.Errorf("found %q", cause)
		}
	}
	s = serve(t, func(n int, r request) (string, bool) { return "", false })
	r = run(t, publisher(t, s, nil), publish.Schedule{Count: 5})
	if len(r.Causes) != 1 || r.Unsure != 5 {
		t.Errorf("five connections that were closed: found %v", r.Causes)
	}
}
