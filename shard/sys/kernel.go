package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// Errno is the error of a system call; 0 is success.
type Errno = unix.Errno

// EAGAIN is what a send answers when the socket's buffer is full.
const EAGAIN = unix.EAGAIN

// PeerGone reports whether a send failed because the peer is gone.
func PeerGone(errno Errno) bool {
	switch errno {
	case unix.EPIPE, unix.ECONNRESET, unix.ETIMEDOUT, unix.ENOTCONN, unix.EHOSTUNREACH,
		unix.ENETUNREACH:
		return true
	}
	return false
}

// PiecesMax is how many pieces SendV looks at; the kernel would take twice as many
// (UIO_MAXIOV, 1024).
const PiecesMax = 512

// Flags of an [Event].
const (
	Writable = unix.EPOLLOUT
	HangUp   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

// Event says that something happened to the socket that was watched with this
// user value. After a Close there may still be one on its way: the user value
// must let the reader recognise it as stale.
type Event struct {
	User  uint64
	Flags uint32
}

// Kernel is what one shard needs of the operating system. All methods but Wake and Send
// belong to the shard's goroutine; those two may be called from any.
type Kernel interface {
	// Watch begins to report hang-ups of fd, edge-triggered (epoll(7)).
	Watch(fd int, user uint64) Errno
	// WatchWritable also reports, or no longer reports, that fd can be written.
	WatchWritable(fd int, user uint64, on bool) Errno
	// Unwatch ends both: the descriptor stays open, and is no longer the shard's. A report may
	// still be on its way.
	Unwatch(fd int) Errno
	// Wait fills events and returns how many there are. It waits until something
	// happens, Wake is called or the timeout has passed; 0 only looks, a negative
	// timeout waits for ever. Wake-ups are not reported as events.
	Wait(events []Event, timeout time.Duration) int
	// Wake ends a Wait, the present one or the next.
	Wake()
	// Yield lets other threads that could run go first (sched_yield(2)).
	Yield()
	// Send writes what the socket takes of b, without waiting (send(2)).
	Send(fd int, b []byte) (int, Errno)
	// SendV is Send for several pieces in one call (sendmsg(2)). It may take
	// fewer pieces than it is given.
	SendV(fd int, pieces [][]byte) (int, Errno)
	// Unsent is how much of what was sent the other end has not taken yet, in bytes (SIOCOUTQ:
	// tcp(7); on unix sockets with what the kernel needs for them); -1 if that cannot be told.
	Unsent(fd int) int
	// Close gives the descriptor back. Input that was never read is thrown away
	// first: closing over it would reset the connection and destroy what is still
	// on its way to the client (RFC 9112 9.6).
	Close(fd int)
	// Release ends the kernel's own descriptors. Nothing may be called after it.
	Release()
}
