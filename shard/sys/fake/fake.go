// Package fake is a kernel for shards whose sockets are a test's: it decides what they take, reads
// what they took, and hangs up. With it, a hand-set clock and a seed, a simulation is exact
// (shard, engine/fanin/redis). It belongs to one goroutine. Only tests import it.
package fake

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/sys"
)

// Unlimited is the room of a socket that never fills.
const Unlimited = 1 << 40

// Net is the descriptors of a process whose kernel is scripted. It is as strict as it can be:
// every misuse is a fault.
type Net struct {
	Sockets []*Socket // by descriptor; nil is a free one
	Open    int
	Faults  []string
	During  func() // if set, happens in the middle of every send
}

// Socket is one end of a connection. The test is its other end: it reads Got, makes room, hangs up.
type Socket struct {
	Unsent   int // what the other end is said not to have taken
	FD       int
	Room     int    // what it takes before it is full
	Got      []byte // what it took and was not read yet
	Closed   bool
	Released bool      // is watched no more, and open
	Broken   sys.Errno // what sends answer
	HungUp   bool
	Kernel   *Kernel // that watches it
	User     uint64
	Watches  bool // reports that it can be written
	Full     bool // cut a send short and was not reported writable since
	Refuses  sys.Errno
	RefusesW sys.Errno
}

func (n *Net) fault(format string, args ...any) {
	n.Faults = append(n.Faults, fmt.Sprintf(format, args...))
}

// Connect opens a socket with the lowest free descriptor, as kernels do.
func (n *Net) Connect() *Socket {
	fd := slices.Index(n.Sockets, nil)
	if fd < 0 {
		fd = len(n.Sockets)
		n.Sockets = append(n.Sockets, nil)
	}
	s := &Socket{FD: fd, Room: Unlimited}
	n.Sockets[fd] = s
	n.Open++
	return s
}

// Report tells the kernel that watches the socket. What was not fetched yet and
// this become one event.
func (s *Socket) Report(flags uint32) {
	if s.Kernel == nil || s.Closed {
		return
	}
	for i := range s.Kernel.Queue {
		if e := &s.Kernel.Queue[i]; e.socket == s {
			e.flags |= flags
			return
		}
	}
	s.Kernel.Queue = append(s.Kernel.Queue, event{s, s.User, flags})
}

// Free makes room.
func (s *Socket) Free(n int) {
	s.Room += n
	if s.Watches && n > 0 {
		s.Report(sys.Writable)
	}
}

// HangUp is the other end closing.
func (s *Socket) HangUp() {
	s.HungUp = true
	s.Report(unix.EPOLLRDHUP)
}

// Reset is the other end closing the hard way.
func (s *Socket) Reset() {
	s.Broken, s.HungUp = unix.ECONNRESET, true
	s.Report(unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLOUT)
}

// Take closes a descriptor that a kernel has released.
func (n *Net) Take(fd int) {
	s := n.Sockets[fd]
	if s == nil || !s.Released {
		n.fault("descriptor %d was handed over, and not released", fd)
		return
	}
	s.Closed = true
	n.Sockets[fd] = nil
	n.Open--
}

type event struct {
	socket *Socket
	user   uint64
	flags  uint32
}

// Kernel is one shard's side. Every descriptor it closes is reported once more, as hung up and
// writable, to the stream that has the slot by then: the worst a batch of real events can do.
type Kernel struct {
	Net      *Net
	Queue    []event
	Calls    int // of all kinds but Wait and Wake
	Sends    int
	Wakes    int
	Yields   int
	Others   time.Duration // take so long at each yield
	Clock    *int64
	Released bool
}

// socket is the open socket with a descriptor.
func (k *Kernel) socket(call string, fd int) *Socket {
	k.Calls++
	if k.Released {
		k.Net.fault("%s after Release", call)
	}
	if fd < 0 || fd >= len(k.Net.Sockets) || k.Net.Sockets[fd] == nil {
		k.Net.fault("%s of descriptor %d, which is not open", call, fd)
		return &Socket{Broken: unix.EBADF}
	}
	s := k.Net.Sockets[fd]
	if call != "Watch" && s.Kernel != k && s.Refuses == 0 && (call != "Send" || s.Kernel != nil) {
		// a greeting is sent first
		k.Net.fault("%s of descriptor %d, which this kernel does not watch", call, fd)
	}
	return s
}

func (k *Kernel) Watch(fd int, user uint64) sys.Errno {
	s := k.socket("Watch", fd)
	if s.Refuses != 0 {
		return s.Refuses
	}
	if s.Kernel != nil {
		k.Net.fault("descriptor %d is watched twice", fd)
	}
	s.Kernel, s.User = k, user
	if s.HungUp {
		s.Report(unix.EPOLLRDHUP)
	}
	return 0
}

func (k *Kernel) WatchWritable(fd int, user uint64, on bool) sys.Errno {
	s := k.socket("WatchWritable", fd)
	if s.User != user || s.Watches == on {
		k.Net.fault("descriptor %d of user %x: WatchWritable %v for %x, was %v", fd, s.User, on,
			user, s.Watches)
	}
	if s.RefusesW != 0 {
		return s.RefusesW
	}
	s.Watches = on
	if on && s.Room > 0 {
		s.Report(sys.Writable)
	}
	return 0
}

// Unwatch also reports what Close does.
func (k *Kernel) Unwatch(fd int) sys.Errno {
	s := k.socket("Unwatch", fd)
	if s.Broken == unix.EBADF {
		return s.Broken
	}
	s.Report(sys.Writable | unix.EPOLLRDHUP)
	s.Kernel, s.User, s.Watches, s.Released = nil, 0, false, true
	return 0
}

// Wait reports as epoll does: one event for each descriptor, of what is true now.
func (k *Kernel) Wait(events []sys.Event, _ time.Duration) int {
	m := 0
	for len(k.Queue) > 0 && m < len(events) {
		e := k.Queue[0]
		k.Queue = k.Queue[1:]
		if !e.socket.Closed && e.flags == sys.Writable &&
			(e.socket.Room == 0 || !e.socket.Watches) {
			continue
		}
		if e.flags&sys.Writable != 0 {
			e.socket.Full = false
		}
		events[m] = sys.Event{User: e.user, Flags: e.flags}
		m++
	}
	return m
}

func (k *Kernel) Wake() { k.Wakes++ }

func (k *Kernel) Yield() {
	k.Yields++
	if k.Clock != nil {
		*k.Clock += int64(k.Others)
	}
}

func (k *Kernel) Unsent(fd int) int {
	if s := k.socket("Unsent", fd); s != nil {
		return s.Unsent
	}
	return -1
}

func (k *Kernel) Send(fd int, b []byte) (int, sys.Errno) {
	return k.SendV(fd, [][]byte{b})
}

func (k *Kernel) SendV(fd int, pieces [][]byte) (int, sys.Errno) {
	s := k.socket("Send", fd)
	k.Sends++
	if k.Net.During != nil {
		k.Net.During()
	}
	if s.Broken != 0 {
		return 0, s.Broken
	}
	if s.Full {
		k.Net.fault("descriptor %d is full, and was sent to again", fd)
	}
	total := 0
	for _, p := range pieces[:min(len(pieces), sys.PiecesMax)] {
		n := min(len(p), s.Room)
		s.Got = append(s.Got, p[:n]...)
		s.Room -= n
		total += n
		if n < len(p) {
			// With more pieces than it looks at, a caller cannot know why it stopped.
			s.Full = len(pieces) <= sys.PiecesMax || total == 0
			break
		}
	}
	if total == 0 {
		if bytesIn(pieces) == 0 {
			k.Net.fault("descriptor %d was sent nothing", fd)
		}
		return 0, sys.EAGAIN
	}
	return total, 0
}

func bytesIn(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}

func (k *Kernel) Close(fd int) {
	s := k.socket("Close", fd)
	if s.Broken == unix.EBADF {
		return
	}
	s.Report(sys.Writable | unix.EPOLLRDHUP)
	s.Closed = true
	k.Net.Sockets[fd] = nil
	k.Net.Open--
}

func (k *Kernel) Release() { k.Released = true }
