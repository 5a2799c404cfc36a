package shard

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/sys"
)

const unlimited = 1 << 40

// fakeNet is the descriptors of a process whose kernel is scripted. It is as
// strict as it can be with whoever uses it: every misuse is a fault.
type fakeNet struct {
	sockets []*fakeSocket // by descriptor; nil is a free one
	open    int
	faults  []string
	during  func() // if set, happens in the middle of every send
}

// fakeSocket is one end of a connection. The test is its other end: it reads got,
// makes room, hangs up.
type fakeSocket struct {
	fd       int
	room     int    // what it takes before it is full
	got      []byte // what it took and nobody has read
	closed   bool
	broken   sys.Errno // what sends answer
	hungUp   bool
	kernel   *fakeKernel // that watches it
	user     uint64
	watches  bool // reports that it can be written
	full     bool // cut a send short and was not reported writable since
	refuses  sys.Errno
	refusesW sys.Errno
}

func (n *fakeNet) fault(format string, args ...any) {
	n.faults = append(n.faults, fmt.Sprintf(format, args...))
}

// connect opens a socket with the lowest free descriptor, as kernels do.
func (n *fakeNet) connect() *fakeSocket {
	fd := slices.Index(n.sockets, nil)
	if fd < 0 {
		fd = len(n.sockets)
		n.sockets = append(n.sockets, nil)
	}
	s := &fakeSocket{fd: fd, room: unlimited}
	n.sockets[fd] = s
	n.open++
	return s
}

// report tells the kernel that watches the socket. What was not fetched yet and
// this become one event.
func (s *fakeSocket) report(flags uint32) {
	if s.kernel == nil || s.closed {
		return
	}
	for i := range s.kernel.queue {
		if e := &s.kernel.queue[i]; e.socket == s {
			e.flags |= flags
			return
		}
	}
	s.kernel.queue = append(s.kernel.queue, fakeEvent{s, s.user, flags})
}

// free makes room.
func (s *fakeSocket) free(n int) {
	s.room += n
	if s.watches && n > 0 {
		s.report(sys.Writable)
	}
}

// hangUp is the other end closing; reset is its doing so the hard way.
func (s *fakeSocket) hangUp() {
	s.hungUp = true
	s.report(unix.EPOLLRDHUP)
}

func (s *fakeSocket) reset() {
	s.broken, s.hungUp = unix.ECONNRESET, true
	s.report(unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLOUT)
}

type fakeEvent struct {
	socket *fakeSocket
	user   uint64
	flags  uint32
}

// fakeKernel is one shard's side. Every descriptor it closes is reported once
// more, as hung up and writable, to whoever has the slot by then: the worst a
// batch of real events can do.
type fakeKernel struct {
	net      *fakeNet
	queue    []fakeEvent
	calls    int // of all kinds but Wait and Wake
	sends    int
	wakes    int
	yields   int
	others   time.Duration // take so long at each yield
	clock    *int64
	released bool
}

// socket is the open socket with a descriptor.
func (k *fakeKernel) socket(call string, fd int) *fakeSocket {
	k.calls++
	if k.released {
		k.net.fault("%s after Release", call)
	}
	if fd < 0 || fd >= len(k.net.sockets) || k.net.sockets[fd] == nil {
		k.net.fault("%s of descriptor %d, which is not open", call, fd)
		return &fakeSocket{broken: unix.EBADF}
	}
	s := k.net.sockets[fd]
	if call != "Watch" && s.kernel != k && s.refuses == 0 && (call != "Send" || s.kernel != nil) { // a greeting is sent first
		k.net.fault("%s of descriptor %d, which this kernel does not watch", call, fd)
	}
	return s
}

func (k *fakeKernel) Watch(fd int, user uint64) sys.Errno {
	s := k.socket("Watch", fd)
	if s.refuses != 0 {
		return s.refuses
	}
	if s.kernel != nil {
		k.net.fault("descriptor %d is watched twice", fd)
	}
	s.kernel, s.user = k, user
	if s.hungUp {
		s.report(unix.EPOLLRDHUP)
	}
	return 0
}

func (k *fakeKernel) WatchWritable(fd int, user uint64, on bool) sys.Errno {
	s := k.socket("WatchWritable", fd)
	if s.user != user || s.watches == on {
		k.net.fault("descriptor %d of user %x: WatchWritable %v for %x, was %v", fd, s.user, on, user, s.watches)
	}
	if s.refusesW != 0 {
		return s.refusesW
	}
	s.watches = on
	if on && s.room > 0 {
		s.report(sys.Writable)
	}
	return 0
}

// Wait reports as epoll does: one event for each descriptor, of what is true now.
func (k *fakeKernel) Wait(events []sys.Event, _ time.Duration) int {
	m := 0
	for len(k.queue) > 0 && m < len(events) {
		e := k.queue[0]
		k.queue = k.queue[1:]
		if !e.socket.closed && e.flags == sys.Writable && (e.socket.room == 0 || !e.socket.watches) {
			continue
		}
		if e.flags&sys.Writable != 0 {
			e.socket.full = false
		}
		events[m] = sys.Event{User: e.user, Flags: e.flags}
		m++
	}
	return m
}

func (k *fakeKernel) Wake() { k.wakes++ }

func (k *fakeKernel) Yield() {
	k.yields++
	if k.clock != nil {
		*k.clock += int64(k.others)
	}
}

func (k *fakeKernel) Send(fd int, b []byte) (int, sys.Errno) {
	return k.SendV(fd, [][]byte{b})
}

func (k *fakeKernel) SendV(fd int, pieces [][]byte) (int, sys.Errno) {
	s := k.socket("Send", fd)
	k.sends++
	if k.net.during != nil {
		k.net.during()
	}
	if s.broken != 0 {
		return 0, s.broken
	}
	if s.full {
		k.net.fault("descriptor %d is full, and was sent to again", fd)
	}
	total := 0
	for _, p := range pieces[:min(len(pieces), sys.PiecesMax)] {
		n := min(len(p), s.room)
		s.got = append(s.got, p[:n]...)
		s.room -= n
		total += n
		if n < len(p) {
			// With more pieces than it looks at, a caller cannot know why it stopped.
			s.full = len(pieces) <= sys.PiecesMax || total == 0
			break
		}
	}
	if total == 0 {
		if bytesIn(pieces) == 0 {
			k.net.fault("descriptor %d was sent nothing", fd)
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

func (k *fakeKernel) Close(fd int) {
	s := k.socket("Close", fd)
	if s.broken == unix.EBADF {
		return
	}
	s.report(sys.Writable | unix.EPOLLRDHUP)
	s.closed = true
	k.net.sockets[fd] = nil
	k.net.open--
}

func (k *fakeKernel) Release() { k.released = true }
