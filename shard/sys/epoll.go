package sys

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	wakeUser     = ^uint64(0)                     // no slot has this user value
	watchAlways  = unix.EPOLLRDHUP | unix.EPOLLET // EPOLLHUP and EPOLLERR come unasked
	watchBlocked = watchAlways | unix.EPOLLOUT    //
	sendFlags    = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
)

// epoll is the real kernel. The user data of an epoll_event is two 32-bit halves:
// the struct is packed on amd64.
type epoll struct {
	fd      int
	wakeFd  int
	raw     []unix.EpollEvent
	iovecs  [PiecesMax]unix.Iovec
	scratch [4096]byte
}

// Open creates the real kernel's side of one shard: an epoll set with an eventfd
// in it, two descriptors. The error says which could not be had.
func Open() (Kernel, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wakeFd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	k := &epoll{fd: fd, wakeFd: wakeFd}
	if errno := k.control(unix.EPOLL_CTL_ADD, wakeFd, wakeUser,
		unix.EPOLLIN|unix.EPOLLET); errno != 0 {
		k.Release()
		return nil, fmt.Errorf("epoll_ctl: %w", errno)
	}
	return k, nil
}

func (k *epoll) control(op, fd int, user uint64, flags uint32) Errno {
	ev := unix.EpollEvent{Events: flags, Fd: int32(user), Pad: int32(user >> 32)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(k.fd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

func (k *epoll) Watch(fd int, user uint64) Errno {
	return k.control(unix.EPOLL_CTL_ADD, fd, user, watchAlways)
}

func (k *epoll) WatchWritable(fd int, user uint64, on bool) Errno {
	flags := uint32(watchAlways)
	if on {
		flags = watchBlocked
	}
	return k.control(unix.EPOLL_CTL_MOD, fd, user, flags)
}

func (k *epoll) Unwatch(fd int) Errno { return k.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

func (k *epoll) Wait(events []Event, timeout time.Duration) int {
	if cap(k.raw) < len(events) {
		k.raw = make([]unix.EpollEvent, len(events))
	}
	raw := k.raw[:len(events)]
	var n uintptr
	var errno Errno
	if timeout == 0 {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.fd),
			uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw)), 0, 0, 0)
	} else {
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.fd),
			uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw)), milliseconds(timeout), 0, 0)
	}
	if errno != 0 { // EINTR; nothing else can happen to a set that exists
		return 0
	}
	m := 0
	for i := range raw[:n] {
		user := uint64(uint32(raw[i].Fd)) | uint64(uint32(raw[i].Pad))<<32
		if user == wakeUser {
			// Edge-triggered: the counter need not be read, only to be kept from
			// its limit of 2^64-2, which writes of 1 do not reach.
			continue
		}
		events[m] = Event{User: user, Flags: raw[i].Events}
		m++
	}
	return m
}

// milliseconds rounds up, so that a wait does not end just before its deadline
// and spin through it. Negative means for ever.
func milliseconds(d time.Duration) uintptr {
	if d < 0 {
		return ^uintptr(0)
	}
	return uintptr(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}

func (k *epoll) Wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(k.wakeFd), uintptr(unsafe.Pointer(&one[0])), 8)
}

// Go's scheduler is not told: it could not run a thread that the kernel would not.
func (k *epoll) Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

func (k *epoll) Unsent(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return -1
	}
	return n
}

func (k *epoll) Send(fd int, b []byte) (int, Errno) { return Send(fd, b) }

func (k *epoll) SendV(fd int, pieces [][]byte) (int, Errno) {
	count := 0
	for _, p := range pieces[:min(len(pieces), PiecesMax)] {
		if len(p) == 0 {
			continue
		}
		k.iovecs[count].Base = unsafe.SliceData(p)
		k.iovecs[count].SetLen(len(p))
		count++
	}
	msg := unix.Msghdr{Iov: &k.iovecs[0], Iovlen: uint64(count)}
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)),
			sendFlags)
		if errno == unix.EINTR {
			continue
		}
		clear(k.iovecs[:count]) // hold no log memory between calls
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

func (k *epoll) Close(fd int) {
	for range 16 { // bounded: a client that keeps sending is not waited for
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(&k.scratch[0])), uintptr(len(k.scratch)), unix.MSG_DONTWAIT, 0,
			0)
		if errno != 0 || n < uintptr(len(k.scratch)) {
			break
		}
	}
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

func (k *epoll) Release() {
	unix.Close(k.wakeFd)
	unix.Close(k.fd)
}
