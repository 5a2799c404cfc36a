package intake_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// afterFirstByte has the time of a head begin when the client has said something,
// however long that takes it: without a word there would be no answer.
func afterFirstByte(s *setup) { s.intake.Socket.DeferAccept = 10 * time.Second }

func TestSlowHeadIsAnswered(t *testing.T) {
	t.Parallel()
	const deadline = 300 * time.Millisecond
	n := start(t, func(s *setup) { s.intake.HeadTimeout = deadline; afterFirstByte(s) })
	began := time.Now()
	c := n.ask("GET /events?topic=t HTTP/1.1\r\nHo")
	resp, body := c.answer("GET")
	if took := time.Since(began); took < deadline-150*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	if resp.StatusCode != 408 || !strings.Contains(body, "in time") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if rest := c.ended(); rest != "" {
		t.Errorf("then %q", rest)
	}
	if got := n.in.RefusedCount("head_timeout"); got != 1 {
		t.Errorf("counted %d", got)
	}
	c.Close()
	n.quiet()
}

// A later head on a kept-alive connection has the same time as a first one, not
// the time that the connection may be idle.
func TestSlowLaterHeadIsAnswered(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.intake.HeadTimeout = 300 * time.Millisecond
		afterFirstByte(s)
	})
	c := n.ask(get("/nope"))
	c.answer("GET")
	c.send("GET /events?to")
	if resp, body := c.answer("GET"); resp.StatusCode != 408 {
		// within the client's patience, a third of the idle time
		t.Errorf("%s %s", resp.Status, body)
	}
	c.ended()
	c.Close()
	n.quiet()
}

// Dribbling does not move the deadline.
func TestDribblingHeadIsAnswered(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.intake.HeadTimeout = 300 * time.Millisecond
		afterFirstByte(s)
	})
	for _, first := range []string{"", get("/nope")} {
		c := n.ask(first)
		if first != "" {
			c.answer("GET")
		}
		c.send("GET /events HTTP/1.1\r\nHost: a\r\nX: ")
		stop := make(chan struct{})
		var sent sync.WaitGroup
		sent.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				case <-stop:
					return
				}
			}
		})
		if resp, _ := c.answer("GET"); resp.StatusCode != 408 {
			t.Error(resp.Status)
		}
		close(stop)
		sent.Wait()
		c.Close()
	}
	n.quiet()
}

// A client that sends nothing gets nothing but the end.
func TestSilentConnectionIsClosed(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HeadTimeout = 200 * time.Millisecond })
	if got := n.dial().ended(); got != "" {
		t.Errorf("got %q", got)
	}
	n.quiet()
}

func TestIdleKeptAliveConnectionIsClosed(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.httpIdle = 200 * time.Millisecond })
	c := n.ask(get("/nope"))
	c.answer("GET")
	if got := c.ended(); got != "" {
		t.Errorf("got %q", got)
	}
	n.quiet()
}

func TestHalfClosedHeadIsCleanedUpAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HeadTimeout = time.Hour })
	for _, text := range []string{"", "G", "GET /events?topic=t HTTP/1.1\r\nHost: a\r\n",
		get("/nope") + "GET /"} {
		c := n.ask(text)
		c.Conn.(*net.TCPConn).CloseWrite()
		c.ended()
		n.quiet()
	}
}

// A half-closed connection with a complete request is served.
func TestHalfClosedRequestIsAnswered(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	c := n.ask(get("/nope"))
	c.Conn.(*net.TCPConn).CloseWrite()
	if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	c.ended()
	n.quiet()
}
