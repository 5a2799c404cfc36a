package intake

import (
	"bytes"
	"net"
	"os"
	"sync"

	"ssedge/engine/deadline"
)

// toHTTP hands a connection to net/http, with the bytes already read. That takes
// some system calls, so a worker does it; a burst that the workers cannot keep up
// with costs the poller the time, but is not refused.
func (in *Intake) toHTTP(fd int, from peer, received, origin []byte, place place) {
	if !in.places.enter(place) {
		in.refuse(fd, refuseHTTP, origin)
		return
	}
	in.entering.Add(1)
	received = bytes.Clone(received)
	handOver := func() {
		in.handing.Add(1)
		in.handOver(fd, from, received, place)
		in.handing.Add(-1)
	}
	if in.workers.Submit(handOver) != nil {
		handOver()
	}
}

// handOver makes a Conn of a descriptor, which it closes, and gives that to
// net/http. It does not wait.
func (in *Intake) handOver(fd int, from peer, received []byte, place place) {
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close()
	in.files.mu.RLock()
	conn, err := net.FileConn(f) // on a descriptor of its own
	in.files.mu.RUnlock()
	if err != nil {
		in.places.leave(place)
		in.entering.Add(-1)
		in.answer(fd, refuseFiles)
		return
	}
	c := &Conn{Conn: deadline.NewConn(conn, in.config.Clock), in: in, from: from, place: place,
		buf: received}
	if !in.http.offer(c) {
		c.Close()
	}
}

// httpListener is the listener that net/http serves: what it accepts is offered to it.
type httpListener struct {
	addr   net.Addr
	conns  chan *Conn // room for as many as there may be
	mu     sync.Mutex
	closed bool
}

// offer reports false if connections are no longer accepted; then c is still the caller's.
func (l *httpListener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.conns <- c
	}
	return !l.closed
}

func (l *httpListener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// Close also closes the connections that were not accepted yet. It may be called twice.
func (l *httpListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.conns)
		for c := range l.conns {
			c.Close()
		}
	}
	return nil
}

func (l *httpListener) Addr() net.Addr { return l.addr }
