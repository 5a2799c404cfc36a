package load

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"ssedge/bench/mark"
)

const (
	// more than a socket holds when the client keeps up: one recv empties it
	receiveBytes  = 256 << 10
	eventsPerWait = 512
	wakeSlot      = -1
	staleBytes    = 4 * receiveBytes // received at most before the tally is shown
	// of everything that waits for a time: ramps, retries, dribbling
	tick = 5 * time.Millisecond
)

// loop is one thread and the streams it owns. Fields above the line belong to that thread.
type loop struct {
	plan     *plan
	began    mark.Time
	now      mark.Time // of the last recv
	epoll    int
	streams  []stream
	lanes    []sequence       // of each stream, those of the lanes but the first
	cut      map[int32]*event // events that came in pieces; nearly always empty
	event    event
	markAt   int // where in its line the last mark stood
	ids      *idTable
	buffer   []byte
	tally    Totals
	said     uint64 // bytes when the tally was last shown
	latency  *hdrhistogram.Histogram
	first    *hdrhistogram.Histogram // from connect to the first byte
	opener   opener
	dribbles []int32 // slots read on the clock
	dribbled time.Time
	stopped  bool

	// ---

	wake  int
	inbox chan func()
	done  chan struct{}
	mu    sync.Mutex
	shown Totals // the tally, as others read it
}

func newLoop(p *plan) (*loop, error) {
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
		plan: p, began: mark.Now(), epoll: epoll, wake: wake,
		cut: make(map[int32]*event), ids: newIDTable(), buffer: make([]byte, receiveBytes),
		latency: newHistogram(), first: newHistogram(), opener: newOpener(p),
		inbox: make(chan func(), 16), done: make(chan struct{}),
	}
	l.now = l.began
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake,
		&unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot}); err != nil {
		unix.Close(epoll)
		unix.Close(wake)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	go l.run()
	return l, nil
}

// newHistogram has three digits from a microsecond to an hour.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Hour.Microseconds(), 3)
}

// do runs f on the loop's thread and waits for it. When it returns the totals show what f did.
func (l *loop) do(f func()) {
	ran := make(chan struct{})
	l.inbox <- func() { f(); l.show(); close(ran) }
	one := [8]byte{1} // little-endian, as every machine this runs on
	unix.Write(l.wake, one[:])
	<-ran
}

func (l *loop) run() {
	runtime.LockOSThread() // never unlocked: the thread, and its priority, end with the loop
	if l.plan.Nice != 0 {
		unix.Setpriority(unix.PRIO_PROCESS, 0, l.plan.Nice)
	}
	defer close(l.done)
	events := make([]unix.EpollEvent, eventsPerWait)
	for !l.stopped {
		n, err := unix.EpollWait(l.epoll, events, l.pollTimeout())
		if err != nil && !errors.Is(err, unix.EINTR) {
			// only a wrong descriptor or buffer can cause it
			panic(fmt.Sprintf("load: epoll_wait: %v", err))
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == wakeSlot {
				l.takeInbox()
				continue
			}
			l.handle(e.Fd, e.Events)
		}
		l.openMore()
		l.readSlowly()
		l.show()
	}
}

// pollTimeout is how long the loop may sleep, in milliseconds; -1 until something happens.
func (l *loop) pollTimeout() int {
	if l.opener.busy() || len(l.dribbles) > 0 {
		return int(tick.Milliseconds())
	}
	return -1
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

// show makes the tally readable for others.
func (l *loop) show() {
	l.mu.Lock()
	l.shown = l.tally
	l.mu.Unlock()
	l.said = l.tally.Bytes
}

// handle takes what epoll reported. Bytes first: a stream that ended may have sent events before.
func (l *loop) handle(slot int32, events uint32) {
	s := &l.streams[slot]
	if s.phase == connecting && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 &&
		!l.ask(slot) {
		return
	}
	for s.phase == awaitingHead || s.phase == streaming {
		if s.slow && s.phase == streaming &&
			events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
			return
		}
		n, more := l.read(slot, l.buffer)
		// A recv that did not fill the buffer emptied the socket, and what comes next is a new
		// edge; but an end that is already there was reported with this one.
		if !more || n < len(l.buffer) && events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
			return
		}
	}
}

// read receives once and takes what came; more is false if nothing is there now, or ever will be.
func (l *loop) read(slot int32, into []byte) (n int, more bool) {
	s := &l.streams[slot]
	n, errno := receive(s.fd, into)
	for errno == unix.EINTR {
		n, errno = receive(s.fd, into)
	}
	switch {
	case errno == unix.EAGAIN:
		return 0, false
	case errno != 0:
		l.end(slot, errno)
		return 0, false
	case n == 0:
		l.end(slot, errClosed)
		return 0, false
	}
	l.now = mark.Now()
	l.tally.Bytes += uint64(n)
	var err error
	if s.phase == streaming {
		err = l.body(slot, into[:n])
	} else {
		err = l.takeHead(slot, into[:n])
	}
	if err != nil {
		if s.phase == streaming && err != errLastChunk {
			l.damaged(slot)
		}
		l.end(slot, err)
		return n, false
	}
	if l.tally.Bytes-l.said >= staleBytes {
		l.show()
	}
	return n, true
}

var errClosed = errors.New("the server closed the connection")

// receive is recv(2) without telling the Go scheduler: it cannot block, and at a million calls a
// second that counts.
func receive(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// readSlowly reads a few bytes of each stream that reads slowly.
func (l *loop) readSlowly() {
	if len(l.dribbles) == 0 || time.Since(l.dribbled) < l.plan.Slow.Pause {
		return
	}
	l.dribbled = time.Now()
	for _, slot := range l.dribbles {
		if s := &l.streams[slot]; s.phase == streaming && s.slow {
			l.read(slot, l.buffer[:min(l.plan.Slow.Bytes, len(l.buffer))])
		}
	}
}

// readNormally ends the slow streams' slowness: they read like all others from now on.
func (l *loop) readNormally() {
	l.dribbles = nil
	for slot := range l.streams {
		s := &l.streams[slot]
		if !s.slow {
			continue
		}
		s.slow = false
		if s.phase == streaming {
			l.handle(int32(slot), unix.EPOLLIN|unix.EPOLLRDHUP) // no edge comes for what is there
		}
	}
}

// end takes the end of a stream that the server made, or of one that never became one.
func (l *loop) end(slot int32, err error) {
	s := &l.streams[slot]
	if s.phase == streaming {
		s.history |= endedByServer
		l.tally.Ended++
		l.shut(slot)
		return
	}
	l.fail(slot, err)
}

// shut resets the connection, so that its port is free at once and not in TIME_WAIT for a minute.
// An event that was cut is forgotten, as a browser does.
func (l *loop) shut(slot int32) {
	s := &l.streams[slot]
	if s.phase == closed {
		return
	}
	if s.phase == streaming {
		l.tally.Live--
	}
	unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(int(s.fd))
	s.phase = closed
	if s.cut {
		delete(l.cut, slot)
		s.cut = false
	}
}

// drop resets the connections of up to n live streams and returns of how many.
func (l *loop) drop(n int) (dropped int) {
	for slot := 0; slot < len(l.streams) && dropped < n; slot++ {
		if l.streams[slot].phase == streaming {
			l.shut(int32(slot))
			dropped++
		}
	}
	return dropped
}

// settle counts a stream when it opens or fails for the first time.
func (l *loop) settle(s *stream) {
	if !s.settled {
		s.settled = true
		l.tally.Settled++
	}
}

// stop runs on the loop's thread.
func (l *loop) stop() {
	for slot := range l.streams {
		l.shut(int32(slot))
	}
	l.stopOpening()
	l.stopped = true
}
