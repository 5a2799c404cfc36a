package baseline

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	backlog      = 4096 // the kernel caps it at net.core.somaxconn
	deferSeconds = 5    // a connection is accepted with its first bytes, or after about this long
)

// checkUnused fails if another process listens there: with SO_REUSEPORT two servers would share its
// connections, and neither would know.
func checkUnused(a netip.AddrPort) error {
	fd, err := socket(a)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, sockaddr(a))
}

func socket(a netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if !a.Addr().Is4() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listen opens one of the sockets that share an address, and returns the address with the port it
// got.
func listen(a netip.AddrPort) (fd int, _ netip.AddrPort, err error) {
	fd, err = socket(a)
	if err != nil {
		return -1, a, err
	}
	for _, option := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferSeconds},
		// accepted sockets inherit it, so it costs nothing per stream
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	} {
		if err == nil {
			err = unix.SetsockoptInt(fd, option.level, option.name, option.value)
		}
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(a))
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, a, err
	}
	port := a.Port()
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		port = uint16(name.Port)
	case *unix.SockaddrInet6:
		port = uint16(name.Port)
	}
	return fd, netip.AddrPortFrom(a.Addr(), port), nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// The following are raw: on a non-blocking descriptor they do not wait, so the Go scheduler need
// not know, and for the same reason none of them fails with EINTR.

func accept(listener int32) (int32, syscall.Errno) {
	fd, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0,
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int32(fd), errno
}

func receive(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return int(n), errno
}

func send(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func control(epoll int32, op int, fd int32, events uint32) syscall.Errno {
	e := unix.EpollEvent{Events: events, Fd: fd}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&e)), 0, 0)
	return errno
}

func closeFD(fd int32) { syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// wakeThread ends a wait of the thread whose eventfd it is, the present one or the next.
func wakeThread(wake int32) {
	one := uint64(1)
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(wake), uintptr(unsafe.Pointer(&one)),
		unsafe.Sizeof(one))
}
