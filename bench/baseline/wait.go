package baseline

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// pulsePeriod and pulsesMax are for how long a thread keeps its P with nothing to do: some 300
	// ms, longer than the pauses within a load, and than the batches of the usual heartbeats are
	// apart.
	pulsePeriod = 25 * time.Millisecond
	pulsesMax   = 12
)

// pulse ends, at last, the waits that the Go scheduler does not know of. It is a timerfd in the
// epoll set, as a timeout at every wait is not free: it cost 1 % of accepting a stream.
type pulse struct {
	timer int32
	left  int // pulses until the scheduler is told; 0: the timer stands still
}

// wait is how many events there are; none if a signal came.
//
// A thread that has had something to do waits as a C program would, with its P. Only after a while
// of nothing does it tell the scheduler, because that is dear: the runtime's monitor wakes up,
// looks every few dozen microseconds whether it can take the P of a thread that waits, and does
// after 10 ms. When every wait was such a one it took 41 ms of CPU while a thread took 140 for
// 13,600 heartbeats in batches 16 ms apart; with batches 78 ms apart 70 to 105 ms.
func (t *thread) wait() int {
	p := &t.pulse
	var n int
	var errno syscall.Errno
	if p.left > 0 {
		n, errno = poll(t.epoll, t.events[:])
	} else {
		n, errno = pollKnown(t.epoll, t.events[:])
		t.repeat(p.timer, pulsePeriod)
		p.left = pulsesMax
	}
	switch {
	case errno != 0 && errno != syscall.EINTR:
		t.fail("epoll_wait", errno)
	case n == 1 && t.events[0].Fd == p.timer:
		if p.left--; p.left == 0 {
			t.repeat(p.timer, 0)
		}
	case n > 0:
		p.left = pulsesMax
	}
	return n
}

// poll is epoll_wait without a timeout. The scheduler does not know: the thread keeps its P.
func poll(epoll int32, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), forEver, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// pollKnown is the same with the scheduler's knowledge, which gives the P to others.
func pollKnown(epoll int32, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), forEver, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

const forEver = ^uintptr(0) // milliseconds, as epoll_wait understands it

// newTimer is a timerfd in the epoll set that has not been started.
func (t *thread) newTimer() (int32, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("timerfd_create: %w", err)
	}
	t.watch(unix.EPOLL_CTL_ADD, int32(fd), unix.EPOLLIN)
	return int32(fd), nil
}

// repeat has a timer go off again and again from now on, or never with 0.
func (t *thread) repeat(timer int32, every time.Duration) {
	spec := unix.NsecToTimespec(int64(every))
	both := unix.ItimerSpec{Interval: spec, Value: spec}
	const relative = 0
	_, _, errno := syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(timer), relative,
		uintptr(unsafe.Pointer(&both)), 0, 0, 0)
	if errno != 0 {
		t.fail("timerfd_settime", errno)
	}
}

// ticks is how often a timer has gone off since it was last asked, which also makes it go on.
func ticks(timer int32) (count uint64) {
	syscall.RawSyscall(unix.SYS_READ, uintptr(timer), uintptr(unsafe.Pointer(&count)),
		unsafe.Sizeof(count))
	return count
}
