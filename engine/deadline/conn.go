package deadline

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"ssedge/shard/sys"
)

// Conn is a connection whose deadlines count time in which the process ran, by a clock. A read
// whose deadline has passed still gets what had come by then. A deadline that is already past when
// it is set ends a read or write at once, as net/http and others use it to wake them.
//
// Like any [net.Conn], it is safe from any goroutine.
type Conn struct {
	net.Conn
	clock       *Clock
	read, write limit
}

// limit is one deadline of a connection.
type limit struct {
	mu  sync.Mutex
	set bool          // it is in the future, or was when it was set
	at  time.Duration // on the clock
}

// NewConn returns a connection with the deadlines of this package.
func NewConn(c net.Conn, by *Clock) *Conn { return &Conn{Conn: c, clock: by} }

func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.read.begin(t, c.clock, c.Conn.SetReadDeadline)
}

func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.write.begin(t, c.clock, c.Conn.SetWriteDeadline)
}

// begin sets a deadline of the connection below.
func (l *limit) begin(t time.Time, by *Clock, set func(time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := time.Until(t)
	l.set = !t.IsZero() && left > 0
	l.at = by.Ran() + left
	return set(t)
}

// over reports whether a deadline that has passed below is over; if the process lost time
// meanwhile, it is set there anew. woken is whether it was past when it was set.
func (l *limit) over(by *Clock, set func(time.Time) error) (over, woken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.set {
		return true, true
	}
	left := l.at - by.Ran()
	if left <= 0 {
		return true, false
	}
	set(time.Now().Add(left))
	return false, false
}

// Read is [net.Conn]'s.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		over, woken := c.read.over(c.clock, c.Conn.SetReadDeadline)
		switch {
		case woken:
			return 0, err
		case over:
			if n := c.readArrived(p); n > 0 {
				return n, nil
			}
			return 0, err
		}
	}
}

// readArrived reads what has come, without waiting and whatever the deadline.
func (c *Conn) readArrived(p []byte) (n int) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { n, _ = sys.Recv(int(fd), p) })
	}
	return n
}

// Write is [net.Conn]'s.
func (c *Conn) Write(p []byte) (int, error) {
	for sent := 0; ; {
		n, err := c.Conn.Write(p[sent:])
		sent += n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		if over, _ := c.write.over(c.clock, c.Conn.SetWriteDeadline); over {
			return sent, err
		}
	}
}

// CloseWrite ends what this side sends. net/http looks for it before it closes a connection whose
// client is still sending: without it the client may lose the answer.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SyscallConn is [syscall.Conn]'s.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
