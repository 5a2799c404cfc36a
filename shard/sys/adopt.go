package sys

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// adoptable is what Adopt takes, in the words of systemd.socket(5).
const adoptable = "expected a listening stream socket (ListenStream= and Accept=no) of TCP or unix"

// Adopt takes part in a listening socket that another process has opened and keeps, such as one
// that systemd passes (sd_listen_fds(3)). The descriptor it returns is its own, non-blocking and
// not inherited; the file stays the caller's. The options and the non-blocking mode are the
// socket's: every process that has it open shares them. Connections that waited before they were
// set do not have them. SO_REUSEPORT stays as it is. The error says what was expected and what was
// found. Safe for concurrent use on different sockets.
func Adopt(file *os.File, o SocketOptions) (fd int, addr net.Addr, err error) {
	if fd, err = Dup(int(file.Fd())); err != nil {
		return -1, nil, fmt.Errorf("%s: %w", adoptable, err)
	}
	defer func() {
		if err != nil {
			Close(fd)
			fd, addr = -1, nil
		}
	}()
	if err := checkAdoptable(fd); err != nil {
		return fd, nil, err
	}
	ln, err := net.FileListener(file) // knows addresses of all families; does not unlink
	if err != nil {
		return fd, nil, err
	}
	defer ln.Close()
	if err := setOptions(fd, ln.Addr().Network(), false, o); err != nil {
		return fd, nil, err
	}
	if o.Backlog > 0 {
		if err := unix.Listen(fd, o.Backlog); err != nil {
			return fd, nil, err
		}
	}
	return fd, ln.Addr(), unix.SetNonblock(fd, true)
}

// checkAdoptable asks the kernel what a descriptor is (socket(7), SO_TYPE and the like).
func checkAdoptable(fd int) error {
	found := func(what string, n int) error { return fmt.Errorf("%s, found "+what, adoptable, n) }
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if errors.Is(err, unix.ENOTSOCK) {
		return errors.New(adoptable + ", found no socket")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", adoptable, err)
	}
	switch kind {
	case unix.SOCK_STREAM:
	case unix.SOCK_DGRAM:
		return errors.New(adoptable + ", found a datagram socket")
	case unix.SOCK_SEQPACKET:
		return errors.New(adoptable + ", found a socket of sequential packets")
	default:
		return found("a socket of type %d", kind)
	}
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return fmt.Errorf("%s: %w", adoptable, err)
	}
	switch family {
	case unix.AF_UNIX:
	case unix.AF_INET, unix.AF_INET6: // MPTCP has no TCP_USER_TIMEOUT
		if protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil ||
			protocol != unix.IPPROTO_TCP {
			return found("protocol %d (SocketProtocol=)", protocol)
		}
	default:
		return found("address family %d", family)
	}
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("%s: %w", adoptable, err)
	}
	if listens == 0 {
		return errors.New(adoptable + ", found one that does not listen")
	}
	return nil
}
