package sys

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadSet is an epoll set of connections that have something to say, with a clock in it: a set is
// itself a descriptor that can be polled (epoll(7)), readable when one of its members is.
type ReadSet struct {
	fd    int
	timer int
	raw   [64]unix.EpollEvent
}

// OpenReadSet takes two descriptors.
func OpenReadSet() (*ReadSet, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		Close(fd)
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	r := &ReadSet{fd: fd, timer: timer}
	if errno := r.control(unix.EPOLL_CTL_ADD, timer, wakeUser); errno != 0 {
		r.Close()
		return nil, fmt.Errorf("epoll_ctl: %w", errno)
	}
	return r, nil
}

// Fd returns the set's own descriptor.
func (r *ReadSet) Fd() int { return r.fd }

func (r *ReadSet) control(op, fd int, user uint64) Errno {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(user),
		Pad: int32(user >> 32)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(r.fd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

// Add begins to report, level-triggered, that fd can be read. user must not be ^0.
func (r *ReadSet) Add(fd int, user uint64) Errno { return r.control(unix.EPOLL_CTL_ADD, fd, user) }

// Remove ends it. A report may still be on its way.
func (r *ReadSet) Remove(fd int) Errno { return r.control(unix.EPOLL_CTL_DEL, fd, 0) }

// Tick makes the set readable every period from now on, until it is set to 0.
func (r *ReadSet) Tick(period time.Duration) {
	t := unix.NsecToTimespec(int64(period))
	unix.TimerfdSettime(r.timer, 0, &unix.ItimerSpec{Interval: t, Value: t}, nil)
}

// TickNow is Tick with the first tick at once.
func (r *ReadSet) TickNow(period time.Duration) {
	unix.TimerfdSettime(r.timer, 0, &unix.ItimerSpec{
		Interval: unix.NsecToTimespec(int64(period)), Value: unix.NsecToTimespec(1),
	}, nil)
}

// Ready appends the user values of those that can be read, without waiting, and
// reports whether the clock has ticked.
func (r *ReadSet) Ready(users []uint64) (_ []uint64, ticked bool) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(r.fd),
		uintptr(unsafe.Pointer(&r.raw[0])), uintptr(len(r.raw)), 0, 0, 0)
	if errno != 0 {
		return users, false
	}
	for i := range r.raw[:n] {
		user := uint64(uint32(r.raw[i].Fd)) | uint64(uint32(r.raw[i].Pad))<<32
		if user == wakeUser {
			var count [8]byte
			unix.Read(r.timer, count[:])
			ticked = binary.NativeEndian.Uint64(count[:]) > 0
			continue
		}
		users = append(users, user)
	}
	return users, ticked
}

// Close gives the set's descriptors back; its members stay open.
func (r *ReadSet) Close() {
	Close(r.timer)
	Close(r.fd)
}
