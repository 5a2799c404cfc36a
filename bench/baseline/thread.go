package baseline

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	eventsPerWait = 512
	receiveBytes  = 64 << 10

	hungUp = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

const streamHead = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/event-stream; charset=utf-8\r\n" +
	"Cache-Control: no-cache, no-transform\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"Connection: close\r\n" +
	"\r\n" +
	":\nretry: 3000\n\n"

// The variable's bytes are what the kernel is given: a conversion at every send would be charged to
// the stream.
var streamHeadBytes = []byte(streamHead)

// thread is one loop and the connections it owns. Only its own operating-system thread touches it,
// but for what stands below the line.
type thread struct {
	server   *Server
	number   int
	addr     netip.AddrPort
	listener int32
	epoll    int32
	topics   map[string]int32 // names to indices of lists; topics are never dropped
	// the streams of each topic, dense: the descriptors the send loop walks
	lists       [][]int32
	connections []connection // by descriptor, up to the highest there was
	// what publishers have sent of a request that has not all come; nearly always empty
	pending map[int32][]byte
	batch   []*event // taken out of the inbox
	spent   []*event // sent by this thread as the last one
	taken   uint64   // events taken out of the inbox so far
	beats   beats
	pulse   pulse
	err     error // what ends the thread
	events  [eventsPerWait]unix.EpollEvent
	buffer  [receiveBytes]byte

	// ---

	wake  int32 // eventfd
	cut   atomic.Uint64
	inbox []*event // guarded by server.mu
}

// connection is what a descriptor stands for.
type connection struct {
	topic int32 // of a stream
	place int32 // of a stream: 1 + its index in the topic's list; otherwise one of these
}

const (
	unused    = 0  // no connection
	undecided = -1 // connected, nothing received yet
	publisher = -2
)

func newThread(s *Server, number int) (_ *thread, err error) {
	t := &thread{
		server: s, number: number, listener: -1, epoll: -1, wake: -1, pulse: pulse{timer: -1},
		beats:  beats{timer: -1},
		topics: make(map[string]int32), pending: make(map[int32][]byte),
	}
	defer func() {
		if err != nil {
			t.release()
		}
	}()
	var fd int
	if fd, t.addr, err = listen(s.addr); err != nil {
		return nil, err
	}
	t.listener = int32(fd)
	if fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	t.epoll = int32(fd)
	if fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	t.wake = int32(fd)
	t.watch(unix.EPOLL_CTL_ADD, t.listener, unix.EPOLLIN)
	// edge-triggered: the counter need not be read
	t.watch(unix.EPOLL_CTL_ADD, t.wake, unix.EPOLLIN|unix.EPOLLET)
	if t.pulse.timer, err = t.newTimer(); err != nil {
		return nil, err
	}
	if s.heartbeat > 0 {
		if t.beats.timer, err = t.newTimer(); err != nil {
			return nil, err
		}
		t.repeat(t.beats.timer, s.heartbeat/beatsPerInterval)
	}
	return t, t.err
}

func (t *thread) release() {
	for _, fd := range []int32{t.listener, t.wake, t.pulse.timer, t.beats.timer, t.epoll} {
		if fd >= 0 {
			closeFD(fd)
		}
	}
}

func (t *thread) run() error {
	runtime.LockOSThread() // never unlocked: the thread ends with the loop
	for t.err == nil && !t.server.stopping.Load() {
		t.turn(t.wait())
	}
	for fd, s := range t.connections {
		if s.place != unused {
			t.close(int32(fd))
		}
	}
	return t.err
}

// turn takes what epoll has reported, then sends what is to be sent.
func (t *thread) turn(events int) {
	var beats uint64
	for i := range t.events[:events] {
		switch e := &t.events[i]; {
		case e.Fd == t.listener:
			t.acceptAll()
		case e.Fd == t.wake:
		case e.Fd == t.pulse.timer:
			ticks(e.Fd)
		case e.Fd == t.beats.timer:
			beats = ticks(e.Fd)
		default:
			t.handle(e.Fd, e.Events)
		}
	}
	for t.take() {
	}
	for range min(beats, beatsPerInterval) {
		// or a thread that cannot keep up would do nothing else
		t.beat()
	}
}

func (t *thread) fail(call string, errno syscall.Errno) {
	if t.err == nil {
		t.err = fmt.Errorf("baseline: %s: %w", call, errno)
	}
}

func (t *thread) watch(op int, fd int32, events uint32) {
	if errno := control(t.epoll, op, fd, events); errno != 0 {
		t.fail("epoll_ctl", errno)
	}
}

func (t *thread) acceptAll() {
	for {
		switch fd, errno := accept(t.listener); errno {
		case 0:
			t.reach(fd)
			t.connections[fd] = connection{place: undecided}
			t.firstBytes(fd, true)
		case syscall.EAGAIN:
			return
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			t.fail("accept4", errno)
			return
		default: // concerns that one connection
		}
	}
}

// reach makes the table of connections long enough.
func (t *thread) reach(fd int32) {
	if int(fd) < len(t.connections) {
		return
	}
	if int(fd) >= cap(t.connections) {
		// Fresh memory comes from the kernel untouched: what no stream has reached yet costs
		// nothing.
		longer := make([]connection, max(1024, 2*int(fd)))
		copy(longer, t.connections)
		t.connections = longer
	}
	t.connections = t.connections[:fd+1]
}

func (t *thread) handle(fd int32, events uint32) {
	switch place := t.connections[fd].place; {
	case place == publisher:
		t.read(fd) // what was sent before it hung up counts
		if events&hungUp != 0 && t.connections[fd].place == publisher {
			t.close(fd)
		}
	case events&hungUp != 0:
		t.close(fd)
	case place == undecided:
		t.firstBytes(fd, false)
	}
}

// firstBytes decides what a connection is. fresh: it is not in the epoll set yet.
func (t *thread) firstBytes(fd int32, fresh bool) {
	op := unix.EPOLL_CTL_MOD
	if fresh {
		op = unix.EPOLL_CTL_ADD
	}
	n, errno := receive(fd, t.buffer[:])
	if errno == syscall.EAGAIN {
		if fresh {
			t.watch(op, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET)
		}
		return
	}
	if errno != 0 || n == 0 {
		t.close(fd)
		return
	}
	request := t.buffer[:n]
	if bytes.HasPrefix(request, post) {
		t.connections[fd].place = publisher
		t.watch(op, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET)
		// what the buffer did not hold is reported, as it was there before the watch
		t.input(fd, request)
		return
	}
	if _, errno := send(fd, streamHeadBytes); errno != 0 {
		t.close(fd)
		return
	}
	t.watch(op, fd, unix.EPOLLRDHUP|unix.EPOLLET)
	t.join(fd, topicOf(request))
}

// join makes fd a stream of a topic.
func (t *thread) join(fd int32, topic []byte) {
	number, known := t.topics[string(topic)]
	if !known {
		number = int32(len(t.lists))
		t.topics[string(topic)] = number
		t.lists = append(t.lists, nil)
	}
	list := t.lists[number]
	if len(list) == cap(list) {
		longer := make([]int32, len(list), max(1, 2*len(list)))
		copy(longer, list)
		list = longer
	}
	t.lists[number] = append(list, fd)
	t.connections[fd] = connection{topic: number, place: int32(len(list) + 1)}
}

// close forgets a connection before it gives up the descriptor: from then on another thread may be
// given it.
func (t *thread) close(fd int32) {
	switch s := t.connections[fd]; {
	case s.place > 0:
		list := t.lists[s.topic]
		last := list[len(list)-1]
		list[s.place-1] = last
		t.connections[last].place = s.place
		t.lists[s.topic] = list[:len(list)-1]
	case s.place == publisher:
		delete(t.pending, fd)
	}
	t.connections[fd] = connection{}
	closeFD(fd)
}
