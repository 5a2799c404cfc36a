package load

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	receiveBytes  = 256 << 10 // more than a socket holds when the client keeps up: one recv empties it
	eventsPerWait = 512
	wakeSlot      = -1
	headBytesMax  = 8 << 10
	staleBytes    = 4 * receiveBytes // received at most before the totals are brought up to date
)

// loop is one thread and the streams it owns. Fields above the line belong to that thread.
type loop struct {
	client  *Client
	target  unix.SockaddrInet4 // a copy: connect writes into it
	epoll   int
	streams []stream
	heads   map[int32][]byte // response heads that came in pieces; nearly always empty
	buffer  []byte
	tally   tally
	said    uint64  // bytes at the last publishTotals
	toOpen  []int32 // numbers of the streams still to open
	opening int     // connections without a complete response head
	limit   int     // of opening
	request []byte  // scratch
	err     error   // the first thing that went wrong with a stream, for the report
	stopped bool

	// ---

	wake   int
	inbox  chan func()
	done   chan struct{}
	totals totals
}

// totals is a loop's tally as others may read it, brought up to date every staleBytes and at the end of a turn.
type totals struct {
	events, comments, gaps, bytes  atomic.Uint64
	opened, refused, endedByServer atomic.Uint64
}

func newLoop(c *Client) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{
		client: c, target: c.target, epoll: epoll, wake: wake,
		heads: make(map[int32][]byte), buffer: make([]byte, receiveBytes),
		inbox: make(chan func(), 16), done: make(chan struct{}),
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot}); err != nil {
		unix.Close(epoll)
		unix.Close(wake)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	go l.run()
	return l, nil
}

// do runs f on the loop's thread and waits for it.
func (l *loop) do(f func()) {
	ran := make(chan struct{})
	l.inbox <- func() { f(); close(ran) }
	l.ring()
	<-ran
}

func (l *loop) ring() {
	one := [8]byte{1} // little-endian, as every machine this runs on
	unix.Write(l.wake, one[:])
}

func (l *loop) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with the loop
	defer close(l.done)
	events := make([]unix.EpollEvent, eventsPerWait)
	for !l.stopped {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(fmt.Sprintf("load: epoll_wait: %v", err)) // only a wrong descriptor or buffer can cause it
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == wakeSlot {
				l.takeInbox()
				continue
			}
			l.handle(e.Fd, e.Events)
		}
		for len(l.toOpen) > 0 && l.opening < l.limit {
			l.open(l.toOpen[0])
			l.toOpen = l.toOpen[1:]
		}
		l.publishTotals()
	}
	unix.Close(l.epoll)
	unix.Close(l.wake)
}

func (l *loop) takeInbox() {
	var count [8]byte
	unix.Read(l.wake, count[:])
	for {
		select {
		case f := <-l.inbox:
			f()
		default:
			return
		}
	}
}

func (l *loop) publishTotals() {
	l.totals.events.Store(l.tally.events)
	l.totals.comments.Store(l.tally.comments)
	l.totals.gaps.Store(l.tally.gaps)
	l.totals.bytes.Store(l.tally.bytes)
	l.said = l.tally.bytes
}

// open starts a connection. On loopback the handshake is usually complete when connect returns, so the request is
// tried at once and waits for EPOLLOUT only if it was not.
func (l *loop) open(number int32) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.refuse(fmt.Errorf("socket: %w", err))
		return
	}
	err = bindSource(fd)
	if err == nil {
		err = unix.Connect(fd, &l.target)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		l.refuse(fmt.Errorf("connect: %w", err))
		return
	}
	slot := int32(len(l.streams))
	l.streams = append(l.streams, stream{fd: int32(fd), number: number, phase: connecting})
	l.opening++
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if !l.ask(slot) {
		events |= unix.EPOLLOUT
	}
	if l.streams[slot].phase == ended {
		return
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: slot}); err != nil {
		l.giveUp(slot, fmt.Errorf("epoll_ctl: %w", err))
	}
}

// ask sends the request; false means the connection is not there yet.
func (l *loop) ask(slot int32) bool {
	s := &l.streams[slot]
	l.request = l.client.appendRequest(l.request[:0], int(s.number))
	n, err := unix.Write(int(s.fd), l.request)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil:
		l.giveUp(slot, fmt.Errorf("request: %w", err))
	case n < len(l.request):
		l.giveUp(slot, fmt.Errorf("request: only %d of %d bytes were taken", n, len(l.request)))
	default:
		s.phase = awaitingHead
	}
	return true
}

// handle takes what epoll reported. Bytes first: a stream that ended may have sent events before.
func (l *loop) handle(slot int32, events uint32) {
	s := &l.streams[slot]
	if s.phase == connecting && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 && !l.ask(slot) {
		return
	}
	for s.phase == awaitingHead || s.phase == streaming {
		n, errno := receive(s.fd, l.buffer)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			l.giveUp(slot, fmt.Errorf("receive: %w", errno))
			return
		case n == 0:
			l.giveUp(slot, errors.New("the server closed the stream"))
			return
		}
		l.tally.bytes += uint64(n)
		if s.phase == streaming {
			s.scan(l.buffer[:n], &l.tally)
		} else {
			l.takeHead(slot, l.buffer[:n])
		}
		if l.tally.bytes-l.said >= staleBytes {
			l.publishTotals()
		}
		// A recv that did not fill the buffer emptied the socket, and what comes next is a new edge; but an end that
		// is already there was reported with this one.
		if n < len(l.buffer) && events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
			return
		}
	}
}

// receive is recv(2) without telling the Go scheduler: it cannot block, and at a million calls a second that counts.
func receive(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// takeHead waits for the whole response head, checks it and passes on what follows it.
func (l *loop) takeHead(slot int32, b []byte) {
	s := &l.streams[slot]
	if pending := l.heads[slot]; pending != nil {
		b = append(pending, b...)
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > headBytesMax {
			l.giveUp(slot, fmt.Errorf("no end of the response head within %d bytes", headBytesMax))
			return
		}
		l.heads[slot] = bytes.Clone(b)
		return
	}
	delete(l.heads, slot)
	if err := checkHead(b[:end]); err != nil {
		l.giveUp(slot, err)
		return
	}
	s.phase, s.opened = streaming, true
	l.opening--
	l.totals.opened.Add(1)
	s.scan(b[end+4:], &l.tally)
}

func checkHead(head []byte) error {
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("expected HTTP/1.1 200, found %q", status)
	}
	lower := bytes.ToLower(head)
	if !bytes.Contains(lower, []byte("\r\ncontent-type: text/event-stream")) {
		return errors.New("expected Content-Type: text/event-stream, found another or none")
	}
	if bytes.Contains(lower, []byte("\r\ntransfer-encoding: chunked")) {
		return errors.New("expected a body that ends with the connection, found a chunked one")
	}
	return nil
}

func (l *loop) refuse(err error) {
	l.totals.refused.Add(1)
	if l.err == nil {
		l.err = err
	}
}

// giveUp closes a stream that the server ended, or that never became one.
func (l *loop) giveUp(slot int32, err error) {
	s := &l.streams[slot]
	if s.phase == streaming {
		l.totals.endedByServer.Add(1)
		if l.err == nil {
			l.err = err
		}
	} else {
		l.opening--
		l.refuse(err)
	}
	delete(l.heads, slot)
	l.shut(s)
}

// shut resets the connection, so that its port is free at once and not in TIME_WAIT for a minute.
func (l *loop) shut(s *stream) {
	unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(int(s.fd))
	s.phase = ended
}

// stop runs on the loop's thread.
func (l *loop) stop() {
	for i := range l.streams {
		if s := &l.streams[i]; s.phase != ended {
			l.shut(s)
		}
	}
	l.toOpen, l.stopped = nil, true
}
