package sys

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is the address at the other end of an accepted connection, filled in without allocation.
type Peer struct {
	raw  unix.RawSockaddrAny
	size uint32
}

// Addr returns the peer's IP address; the zero Addr for a unix socket.
func (p *Peer) Addr() netip.Addr {
	switch p.raw.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&p.raw)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&p.raw)).Addr).Unmap()
	}
	return netip.Addr{}
}

// Accept takes the next connection off a listening socket without waiting
// (accept4(2)); EAGAIN means that there is none. The connection is non-blocking.
func Accept(listener int, p *Peer) (int, Errno) {
	for {
		p.size = uint32(unsafe.Sizeof(p.raw))
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener),
			uintptr(unsafe.Pointer(&p.raw)), uintptr(unsafe.Pointer(&p.size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(fd), 0
		case unix.EINTR, unix.ECONNABORTED: // the client did not wait
			continue
		}
		return -1, errno
	}
}

// PeerOf returns the IP address at the other end of a connection; the zero Addr for a unix socket
// (getpeername(2)). It is an error if the connection has broken.
func PeerOf(fd int) (netip.Addr, Errno) {
	var p Peer
	p.size = uint32(unsafe.Sizeof(p.raw))
	_, _, errno := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd),
		uintptr(unsafe.Pointer(&p.raw)), uintptr(unsafe.Pointer(&p.size)))
	if errno != 0 {
		return netip.Addr{}, errno
	}
	return p.Addr(), 0
}

// Recv reads what there is without waiting (recv(2)); 0 bytes without an error is
// the end of the input.
func Recv(fd int, b []byte) (int, Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// Send writes what the socket takes of b, without waiting (send(2)).
func Send(fd int, b []byte) (int, Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), sendFlags, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// Close gives a descriptor back as it is.
func Close(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// ShutdownWrite ends the output: the peer reads to its end, and its own output can still be read.
func ShutdownWrite(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }

// Dup returns another number for the same connection, whose life is independent of the first.
func Dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
