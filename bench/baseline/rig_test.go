package baseline

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 30 * time.Second

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// serve runs a server until the test ends, or until the function it returns is called, which gives
// what Serve said.
func serve(t *testing.T, c Config) (*Server, func() error) {
	t.Helper()
	c.Listen = loopback
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	said := make(chan error, 1)
	go func() { said <- s.Serve(ctx) }()
	stop := func() error {
		cancel()
		err := <-said
		said <- err
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s, stop
}

// rig is a server of one thread that moves only when the test says so.
type rig struct {
	*thread
	t *testing.T
}

func newRig(t *testing.T) rig {
	t.Helper()
	s, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	r := rig{s.threads[0], t}
	t.Cleanup(func() {
		for fd, s := range r.connections {
			if s.place != unused {
				r.close(int32(fd))
			}
		}
		s.release()
	})
	return r
}

// until lets the thread take its turns until something has happened, and then holds its lists
// against its connections.
func (r rig) until(happened func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !happened(); {
		if time.Now().After(deadline) {
			r.t.Fatal("it does not happen")
		}
		r.step(1)
		if r.err != nil {
			r.t.Fatal(r.err)
		}
	}
	r.check()
}

// step is a turn with what there is, or comes soon.
func (r rig) step(milliseconds int) (events int) {
	events, _ = unix.EpollWait(int(r.epoll), r.events[:], milliseconds)
	events = max(0, events) // a signal may come
	r.turn(events)
	return events
}

func (r rig) check() {
	r.t.Helper()
	listed := 0
	for topic, list := range r.lists {
		listed += len(list)
		for i, fd := range list {
			if s := r.connections[fd]; s != (connection{int32(topic), int32(i + 1)}) {
				r.t.Fatalf("number %d of topic %d is %+v", i, topic, s)
			}
		}
	}
	if seated := r.streams(); seated != listed {
		r.t.Fatalf("%d streams are connected, %d are listed", seated, listed)
	}
}

func (r rig) streams() (n int) {
	for _, s := range r.connections {
		if s.place > 0 {
			n++
		}
	}
	return n
}

// subscribe opens a stream and has it taken.
func (r rig) subscribe(topic string) *client {
	r.t.Helper()
	before := r.streams()
	c := dial(r.t, r.addr)
	c.ask(topic)
	r.until(func() bool { return r.streams() == before+1 })
	c.readHead()
	return c
}

// publish has an event taken, and sent.
func (r rig) publish(out *client, topic, data string) {
	r.t.Helper()
	before := r.taken
	out.write(request(topic, data))
	r.until(func() bool { return r.taken > before })
	out.answered()
}

// client is a connection: of a stream or of a publisher.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, target netip.AddrPort) *client {
	t.Helper()
	conn, err := net.Dial("tcp", target.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func subscribe(t *testing.T, target netip.AddrPort, topic string) *client {
	t.Helper()
	c := dial(t, target)
	c.ask(topic)
	c.readHead()
	return c
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) ask(topic string) {
	c.t.Helper()
	c.write("GET /events?topic=" + topic + " HTTP/1.1\r\nHost: x\r\n\r\n")
}

func (c *client) readHead() {
	c.t.Helper()
	c.expect(streamHead)
}

func (c *client) expect(text string) {
	c.t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c.in, got); string(got) != text {
		c.t.Fatalf("expected %q, found %q, %v", text, got[:n], err)
	}
}

func request(topic, data string) string {
	return fmt.Sprintf("POST /publish?topic=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
		topic, len(data), data)
}

func (c *client) answered() {
	c.t.Helper()
	c.expect(string(published))
}

func (c *client) publish(topic, data string) {
	c.t.Helper()
	c.write(request(topic, data))
	c.answered()
}

// event is the next one on a stream; heartbeats before it are skipped.
func (c *client) event() (data, id string) {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("expected an event, found %q, %v", line, err)
		}
		line = strings.TrimSuffix(line, "\n")
		switch field, value, _ := strings.Cut(line, ": "); {
		case line == "" && id != "":
			return data, id
		case line == "" || line == ":":
		case field == "data":
			data = value
		case field == "id":
			id = value
		default:
			c.t.Fatalf("expected a line of an event, found %q", line)
		}
	}
}

// ended fails unless the server closes the connection, whatever it sends before.
func (c *client) ended() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.in)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}
