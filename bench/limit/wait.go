package limit

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// holdMilliseconds is how long a thread that has been busy waits for more as a C program would, keeping its P: while
// connections come in a storm the next is never as far away.
const holdMilliseconds = 2

// sleeper is how a thread waits for longer: its goroutine is parked, and the runtime's poller watches the thread's epoll
// set, which is itself a descriptor that can be polled (epoll(7)). To wait in a system call that the scheduler knows of
// (syscall.Syscall6) is simpler, but wakes the runtime's monitor, which looks every few dozen microseconds whether it can
// take the waiting thread's P, and does after 10 ms. Measured with 15,000 streams and a heartbeat of 2 s: 41 ms of CPU
// for the monitor while the thread took 140 for the heartbeats; at 10 s 70 to 105 ms.
type sleeper struct {
	file  *os.File
	conn  syscall.RawConn
	look  func(uintptr) bool // made once, as a closure is an allocation
	count int
	errno syscall.Errno
}

// open makes the epoll set of a thread.
func (s *sleeper) open(t *thread) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not poll it
		unix.Close(fd)
		return fmt.Errorf("fcntl: %w", err)
	}
	t.epoll = int32(fd)
	s.file = os.NewFile(uintptr(fd), "epoll")
	s.conn, err = s.file.SyscallConn()
	s.look = func(uintptr) bool {
		s.count, s.errno = poll(t.epoll, t.events[:], 0)
		return s.count > 0 || s.errno != 0
	}
	return err
}

func (s *sleeper) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// wait is how many events there are. It returns none if a signal came.
func (t *thread) wait() int {
	n, errno := 0, syscall.Errno(0)
	if t.busy {
		n, errno = poll(t.epoll, t.events[:], holdMilliseconds)
	}
	if n == 0 && errno == 0 {
		if err := t.sleeper.conn.Read(t.sleeper.look); err != nil {
			t.err = fmt.Errorf("limit: epoll: %w", err) // the runtime cannot poll it
		}
		n, errno = t.sleeper.count, t.sleeper.errno
	}
	if errno != 0 && errno != syscall.EINTR {
		t.fail("epoll_wait", errno)
	}
	return n
}
