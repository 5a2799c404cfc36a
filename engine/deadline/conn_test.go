package deadline

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair returns both ends of a connection, and the clock of the first, which is at the test's
// disposal.
func pair(t *testing.T) (*Conn, net.Conn, *Clock) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	clock := newClock()
	t.Cleanup(func() { far.Close(); near.Close() })
	return NewConn(near, clock), far, clock
}

// stop has the clock notice that the process did not run for so long before now.
func (c *Clock) stop(d time.Duration) {
	c.at.Store(&reading{time.Since(c.began), d})
}

// keep has the clock beat until the test ends.
func keep(t *testing.T, c *Clock) {
	go c.run()
	t.Cleanup(c.Close)
}

// A read that waits is not over when its deadline passes while the process is stopped: it has what
// was left.
func TestAStopIsNotCounted(t *testing.T) {
	t.Parallel()
	near, far, clock := pair(t)
	near.SetReadDeadline(time.Now().Add(time.Hour))
	near.read.at = time.Minute // of which the rest is left …
	clock.stop(time.Hour)
	near.Conn.SetReadDeadline(time.Now()) // … when the deadline below passes
	go func() {
		time.Sleep(20 * time.Millisecond)
		io.WriteString(far, "late")
	}()
	p := make([]byte, 10)
	if n, err := near.Read(p); err != nil || string(p[:n]) != "late" {
		t.Errorf("read %q, %v", p[:n], err)
	}
	// The same for a write.
	near.SetWriteDeadline(time.Now().Add(time.Hour))
	near.write.at = time.Minute
	near.Conn.SetWriteDeadline(time.Now().Add(-time.Second))
	if n, err := near.Write([]byte("answer")); n != 6 || err != nil {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	if n, err := far.Read(p); err != nil || string(p[:n]) != "answer" {
		t.Errorf("the other side read %q, %v", p[:n], err)
	}
}

// What has come when the deadline is over is read; nothing has: the read ends. One that was over
// when it was set reads nothing.
func TestWhatHasComeIsReadAfterTheDeadline(t *testing.T) {
	t.Parallel()
	near, far, clock := pair(t)
	keep(t, clock)
	io.WriteString(far, "in time")
	near.SetReadDeadline(time.Now().Add(time.Hour))
	near.read.at = 0                                      // it is over …
	near.Conn.SetReadDeadline(time.Now().Add(-time.Hour)) // … and below, too
	p, n := make([]byte, 10), 0
	for end := time.Now().Add(20 * time.Second); n == 0 && time.Now().Before(end); {
		// the kernel may not have it yet
		n, _ = near.Read(p)
	}
	if string(p[:n]) != "in time" {
		t.Errorf("read %q", p[:n])
	}
	near.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := near.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent read ended with %d bytes, %v", n, err)
	}
	io.WriteString(far, "later")
	near.SetReadDeadline(time.Unix(1, 0)) // as net/http wakes a read
	if n, err := near.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that was woken got %d bytes, %v", n, err)
	}
	near.SetReadDeadline(time.Time{})
	if got, err := io.ReadAll(io.LimitReader(near, 5)); string(got) != "later" {
		t.Errorf("without a deadline: %q, %v", got, err)
	}
}

// A write that the other side does not read ends at its deadline, and says how much was taken.
func TestAWriteEnds(t *testing.T) {
	t.Parallel()
	near, far, clock := pair(t)
	keep(t, clock)
	near.SetDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := near.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("ended with %v", err)
	}
	near.Close()
	if got, _ := io.Copy(io.Discard, far); got != int64(n) {
		t.Errorf("%d bytes were written, %d were read", n, got)
	}
}
