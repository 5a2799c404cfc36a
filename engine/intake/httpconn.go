package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/engine/deadline"
	"ssedge/engine/refuse"
	"ssedge/proto/http1"
	"ssedge/shard/sys"
)

// Conn is a connection that net/http serves. It reads each request head with the same parser as the
// intake does, and gives net/http no byte of one before it is complete and found in order: a later
// request on a kept-alive connection is held to the same rules, and refused in the same words, as a
// first one. After a body in chunks, whose end only net/http sees, there is no later request: such
// a head is given to net/http as if the client had asked for the connection's end.
type Conn struct {
	*deadline.Conn
	in    *Intake
	from  peer
	place place
	state atomic.Int32 // http.ConnState

	// net/http reads from one goroutine at a time.
	parser http1.Parser
	head   http1.Head
	buf    []byte // received and not yet given to net/http …
	ready  int    // … of which so many bytes may be
	body   int64  // bytes of the body that are still to be received
	last   bool   // the rest is a body in chunks

	once, entered sync.Once
}

func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if c.ready > 0 {
			n := copy(p, c.buf[:c.ready])
			c.ready -= n
			if c.buf = c.buf[n:]; len(c.buf) == 0 {
				c.buf = nil
			}
			return n, nil
		}
		if c.body > 0 {
			n, err := c.Conn.Read(p[:min(int64(len(p)), c.body)])
			c.body -= int64(n)
			return n, err
		}
		if c.last {
			return c.Conn.Read(p)
		}
		if err := c.nextHead(); err != nil {
			return 0, err
		}
	}
}

// nextHead receives until the next request head is complete and readies it, with
// what there is of its body.
//
// A later head that has begun has as long as a first one. net/http's own deadline
// for that begins with the first byte that it sees, which is too late here. While
// a request is served the deadline is net/http's alone: it ends a read that way.
func (c *Conn) nextHead() error {
	c.parser.Reset()
	for timed := false; ; {
		n, done, bad := c.parser.Parse(c.buf, &c.in.config.Limits, &c.head)
		if bad != nil {
			return c.refuse(refuse.Unreadable(bad))
		}
		if done {
			c.admitHead(n)
			return nil
		}
		if len(c.buf) > 0 && !timed && !c.serving() {
			c.Conn.SetReadDeadline(time.Now().Add(c.in.config.HeadTimeout))
			timed = true
		}
		if err := c.receive(); err != nil {
			if timed && errors.Is(err, os.ErrDeadlineExceeded) {
				return c.refuse(refuseTimeout)
			}
			return err
		}
	}
}

func (c *Conn) receive() error {
	if cap(c.buf)-len(c.buf) < 512 {
		c.buf = append(make([]byte, 0, max(2*len(c.buf), 1024)), c.buf...)
	}
	n, err := c.Conn.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// admitHead readies a head of n bytes.
func (c *Conn) admitHead(n int) {
	for bytes.HasPrefix(c.buf, []byte("\r\n")) { // net/http does not skip them
		c.buf, n = c.buf[2:], n-2
	}
	switch {
	case c.head.Chunked:
		c.buf = slices.Insert(c.buf, n-len("\r\n"), []byte("Connection: close\r\n")...)
		c.last = true
		c.ready = len(c.buf)
	case c.head.ContentLength > 0:
		here := min(c.head.ContentLength, int64(len(c.buf)-n))
		c.ready, c.body = n+int(here), c.head.ContentLength-here
	default:
		c.ready = n
	}
}

// serving reports whether net/http is between a request and the end of its answer.
func (c *Conn) serving() bool { return http.ConnState(c.state.Load()) == http.StateActive }

// refuse answers a bad head, unless an answer to the request before it is still
// being written: then only the error is returned, and the same head is refused
// again when net/http asks for the next request.
func (c *Conn) refuse(r *refuse.Answer) error {
	if c.serving() {
		return io.ErrUnexpectedEOF
	}
	c.in.Refused(r.Cause)
	c.Conn.SetDeadline(time.Now().Add(lingerTicks * headTick))
	c.Conn.Write(c.in.admission.answers.refusal(r, nil))
	c.CloseWrite()
	io.Copy(io.Discard, io.LimitReader(c.Conn, 1<<20))
	return io.EOF
}

func (c *Conn) Close() error {
	c.once.Do(func() { c.in.places.leave(c.place) })
	c.handlerStarted()
	return c.Conn.Close()
}

// Crowded reports whether the connection should end after the answer, to make room for others.
func (c *Conn) Crowded() bool { return c.in.places.crowded(c.place) }

// From returns the values of [Request]'s Remote and Forwarded for a request with these fields.
func (c *Conn) From(h http.Header) (remote netip.Addr, forwarded []byte) {
	if p := &c.in.admission.config.Proxies; p.trustsFields(c.from) {
		forwarded = []byte(strings.Join(h.Values(p.field), ", "))
	}
	return c.from.addr, forwarded
}

// WarnOfProxy is to be told of each stream that is refused: one for its address, from a proxy that
// --trusted-proxies does not name, is worth a warning.
func (c *Conn) WarnOfProxy(refusal *refuse.Answer, h http.Header) {
	c.in.warnOfProxy(c.from, refusal, func(field string) bool { return h.Get(field) != "" })
}

// Poll makes a poll of a request, of which [Admission.Check] has found nothing to refuse, and takes
// the connection away from net/http: with fd, a descriptor from Dup, it goes on where streams are.
// What net/http has received behind the request goes with it. fields are the request's.
func (c *Conn) Poll(h http.Hijacker, fd int, r *Request, fields http.Header) {
	_, received, err := h.Hijack() // nothing is read there any more
	if err != nil {
		sys.Close(fd)
		return
	}
	behind, _ := received.Reader.Peek(received.Reader.Buffered())
	r.from, r.behind = c.from, append(bytes.Clone(behind), c.buf...)
	c.Close()
	a := c.in.admission
	if refusal := a.Admit(fd, r); refusal != nil {
		c.WarnOfProxy(refusal, fields)
		c.in.refuse(fd, refusal, r.Origin)
	}
	a.Wake()
}

// Dup returns a descriptor of the connection, independent of this Conn.
func (c *Conn) Dup() (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var failed error
	c.in.files.mu.RLock()
	defer c.in.files.mu.RUnlock()
	err = raw.Control(func(n uintptr) { fd, failed = sys.Dup(int(n)) })
	return fd, errors.Join(err, failed)
}

type connKey struct{}

// WithConn and ConnState are for http.Server's fields ConnContext and ConnState.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func ConnState(c net.Conn, s http.ConnState) {
	if c, ok := c.(*Conn); ok {
		c.state.Store(int32(s))
	}
}

// HandlerStarted is to be called by the handler of a request: net/http's Shutdown waits for its
// answer from then on. Before, it would close the connection without one.
func HandlerStarted(ctx context.Context) {
	if c := ConnFrom(ctx); c != nil {
		c.handlerStarted()
	}
}

func (c *Conn) handlerStarted() { c.entered.Do(func() { c.in.entering.Add(-1) }) }

// ConnFrom returns the connection of a request; nil if it did not come through an intake.
func ConnFrom(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}
