package intake_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine/intake"
	"ssedge/proto/http1"
)

// What is bounded: idle connections of all, where the oldest goes first, and before any head; and
// those of one address.
func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HeadsMax = 8 })
	var kept []*client
	for range 4 {
		c := n.ask(poll("poll=0"))
		c.answered()
		kept = append(kept, c)
		await(t, "it is idle", func() bool { return n.in.IdleCount() >= min(len(kept), 2) })
	}
	for _, c := range kept[:2] { // a quarter of 8 is for one address
		if rest := c.ended(); rest != "" {
			t.Errorf("then came %q", rest)
		}
	}
	if n.in.IdleCount() != 2 {
		t.Errorf("%d are idle", n.in.IdleCount())
	}
	var heads []*client
	for range 8 {
		heads = append(heads, n.ask("GET "))
		await(t, "a head", func() bool { return n.in.HeadCount() >= len(heads) })
	}
	for _, c := range kept[2:] {
		if rest := c.ended(); rest != "" {
			t.Errorf("then came %q", rest)
		}
	}
	if n.in.IdleCount() != 0 || n.in.HeadCount() != 8 {
		t.Errorf("%d are idle of %d", n.in.IdleCount(), n.in.HeadCount())
	}
	for _, c := range heads {
		c.Close()
	}
	n.quiet()
}

// Behind a PROXY protocol header the address stays the client's for every poll.
func TestPollsKeepTheAddressOfTheirConnection(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.intake.Listen = []string{"proxy:127.0.0.1:0"}
		s.admission.Proxies, _ = intake.NewProxies([]string{"127.0.0.1"}, intake.XForwardedFor)
		s.admission.PerAddressMax = 1
	})
	holder := n.ask("PROXY TCP4 10.0.0.1 10.0.0.9 1 2\r\n" + get("/events?topic=t"))
	holder.stream()
	c := n.ask("PROXY TCP4 10.0.0.2 10.0.0.9 1 2\r\n" + poll("poll=0"))
	for range 3 {
		c.answered()
		c.send(poll("poll=0"))
	}
	c.answered()
	other := n.ask("PROXY TCP4 10.0.0.1 10.0.0.9 1 2\r\n" + poll("poll=0"))
	if resp, _ := other.answer("GET"); resp.StatusCode != 503 {
		t.Errorf("%s: the address has its stream", resp.Status)
	}
}

// Polls beside streams, publishers and strangers, on connections that are kept, cut and reset: each
// gets every event once, in order.
func TestPollsAmongOthers(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.intake.HeadsMax = 40 })
	const events = 300
	var all sync.WaitGroup
	fail := func(format string, args ...any) { t.Errorf(format, args...) }
	for k := range 6 {
		all.Go(func() {
			at, got := "", 0
			var c *client
			for i := 0; got < events; i++ {
				if c == nil {
					conn, err := net.Dial("tcp", n.addr.String())
					if err != nil {
						fail("%v", err)
						return
					}
					conn.SetDeadline(time.Now().Add(20 * time.Second))
					c = &client{t, conn, bufio.NewReader(conn)}
					if k%3 == 1 {
						io.WriteString(conn, get("/nope"))
						if resp, err := http.ReadResponse(c.r, nil); err == nil {
							io.Copy(io.Discard, resp.Body)
						}
					}
				}
				id := "earliest"
				if at != "" {
					id = at
				}
				request := poll("poll=5s&last_event_id="+id, asJSON)
				if _, err := io.WriteString(c, request); err != nil {
					c.Close()
					c = nil // it was idle, and there was no room
					continue
				}
				resp, err := http.ReadResponse(c.r, nil)
				if err != nil {
					c.Close()
					c = nil
					continue
				}
				var said []struct{ ID, Data string }
				err = json.NewDecoder(resp.Body).Decode(&said)
				if err != nil || resp.StatusCode != 200 {
					fail("%s: %v", resp.Status, err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				at = resp.Header.Get("Last-Event-ID")
				for _, e := range said {
					if e.Data != fmt.Sprint(got) {
						fail("client %d: got %q after %d events", k, e.Data, got)
						return
					}
					got++
				}
				if i%7 == k {
					c.Close()
					c = nil
				}
			}
			if c != nil {
				c.Close()
			}
		})
	}
	all.Go(func() {
		for i := range events {
			n.publish("t", fmt.Sprint(i))
			if i%10 == 0 {
				time.Sleep(time.Millisecond)
			}
			if i%20 == 0 {
				if conn, err := net.Dial("tcp", n.addr.String()); err == nil {
					all := []string{"GET /ev", get("/events?topic=t"), "junk\r\n"}
					io.WriteString(conn, all[i/20%3])
					conn.Close()
				}
			}
		}
	})
	all.Wait()
	n.quiet()
}

// What is sent behind polls that wait is bounded: beyond, a connection ends with the answer.
// Nothing of it remains, however the connections end.
func TestWhatIsSentBehindPollsIsBounded(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	request := poll("poll=20s")
	more := strings.Repeat("x", http1.DefaultLimits.HeadBytes-len(request)-10)
	const behindMax = 4 << 20
	var all []*client
	for range behindMax/len(more) + 10 {
		all = append(all, n.ask(request+more))
	}
	await(t, "all are parked", func() bool {
		streams := int64(0)
		for _, s := range n.group.Stats() {
			streams += s.Streams.Load()
		}
		return streams == int64(len(all))
	})
	gone := len(all) / 4
	for _, c := range all[:gone] {
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	n.publish("t", "x")
	kept, closed := 0, 0
	for _, c := range all[gone:] {
		_, _, resp := c.answered()
		if resp.Close {
			closed++
		} else if kept++; true {
			if resp, _ := c.answer("GET"); resp.StatusCode != 400 {
				t.Errorf("what came behind is answered %s", resp.Status)
			}
		}
		c.Close()
	}
	if closed == 0 || kept == 0 {
		t.Errorf("%d are kept, %d closed", kept, closed)
	}
	n.quiet()
	c := n.ask(poll("poll=0") + poll("poll=0"))
	for range 2 {
		if _, _, resp := c.answered(); resp.Close {
			t.Error("something remains")
		}
	}
}
