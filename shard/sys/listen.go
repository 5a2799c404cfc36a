package sys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketOptions are set on a listening socket, from which Linux hands them down to
// the connections it accepts (but for Backlog and DeferAccept, which are its own).
// A zero leaves the kernel's default.
type SocketOptions struct {
	// SO_SNDBUF: the kernel doubles it and stops sizing it by itself.
	SendBuffer int `type:"size" default:"0" range:"0..1GiB" metric:"-" help:"Kernel send buffer of a stream in bytes (SO_SNDBUF); 0: the kernel sizes it."`
	// TCP_NOTSENT_LOWAT: with more unsent bytes the socket is not writable.
	NotSentLowat int           `type:"size" default:"16KiB" range:"0..1GiB" metric:"-" help:"Unsent bytes from which on a socket counts as full (TCP_NOTSENT_LOWAT); 0: the kernel's."`
	UserTimeout  time.Duration `default:"60s" range:"0 or 1ms..500h" unit:"1ms" metric:"-" help:"Sent bytes that are not acknowledged for this long end the connection (TCP_USER_TIMEOUT); 0: the kernel's."`

	// TCP_DEFER_ACCEPT: accept with the first bytes, or after about this long
	DeferAccept time.Duration `kong:"-"`
	// connections waiting to be accepted; the kernel caps it at net.core.somaxconn
	Backlog int `kong:"-"`
}

// Network is what net.Listen calls the network of a host:port: 0.0.0.0 is all of
// IPv4 and nothing else, which "tcp" would not say.
func Network(address string) string {
	host, _, _ := net.SplitHostPort(address)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// Listen opens n listening sockets on one address: TCP ones share the port (SO_REUSEPORT), so that
// each can have a thread of its own; of a unix socket there is only one, with mode 666: every user
// that can reach it may connect. network is "tcp", "tcp4" or "unix"; port 0 picks a free one. It
// fails if anything else listens there, with or without SO_REUSEPORT.
func Listen(network, address string, n int, o SocketOptions) (fds []int, addr net.Addr, err error) {
	defer func() {
		if err != nil {
			for _, fd := range fds {
				Close(fd)
			}
			fds = nil
		}
	}()
	if network == "unix" {
		if err := removeStale(address); err != nil {
			return nil, nil, err
		}
		n = 1
	}
	shared := false
	for range n {
		fd, a, err := listenOne(network, address, shared, n > 1, o)
		if err != nil {
			return fds, nil, err
		}
		fds, addr = append(fds, fd), a
		address, shared = a.String(), true // the port that was picked
	}
	return fds, addr, nil
}

// listenOne opens one socket. The first of several finds out whether the port is
// free before it offers to share it. A port that the kernel picks always is: for
// that it does not count another's offer to share (ip(7), ip_local_port_range).
func listenOne(network, address string, joins, share bool, o SocketOptions) (int, net.Addr, error) {
	if share && !joins && !strings.HasSuffix(address, ":0") {
		probe, err := net.Listen(network, address)
		if err != nil {
			return -1, nil, err
		}
		probe.Close()
	}
	lc := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: false},
		Control: func(_, _ string, c syscall.RawConn) error {
			var failed error
			err := c.Control(func(fd uintptr) { failed = setOptions(int(fd), network, share, o) })
			return errors.Join(err, failed)
		},
	}
	// Go would try MPTCP first, which has no TCP_USER_TIMEOUT, and take TCP if setting that fails:
	// what protocol it is must not depend on an option.
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return -1, nil, err
	}
	defer ln.Close()
	var file *os.File
	switch l := ln.(type) {
	case *net.TCPListener:
		file, err = l.File()
	case *net.UnixListener:
		l.SetUnlinkOnClose(false)
		file, err = l.File()
	default:
		err = fmt.Errorf("cannot listen on network %q", network)
	}
	if err != nil {
		return -1, nil, err
	}
	defer file.Close()
	fd, err := Dup(int(file.Fd()))
	if err != nil {
		return -1, nil, err
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o666); err != nil {
			// connecting needs the right to write (unix(7))
			Close(fd)
			return -1, nil, err
		}
	}
	if o.Backlog > 0 {
		if err := unix.Listen(fd, o.Backlog); err != nil {
			Close(fd)
			return -1, nil, err
		}
	}
	return fd, ln.Addr(), unix.SetNonblock(fd, true)
}

// removeStale removes a unix socket on which no process listens any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	c, err := net.Dial("unix", path)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case err == nil:
		c.Close()
		fallthrough
	case errors.Is(err, syscall.EAGAIN): // it is too busy to answer
		return fmt.Errorf("%s: another server listens there", path)
	}
	return err
}

func setOptions(fd int, network string, share bool, o SocketOptions) error {
	set := func(level, option, value int) error {
		if value == 0 {
			return nil
		}
		return unix.SetsockoptInt(fd, level, option, value)
	}
	err := set(unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer)
	if network == "unix" {
		return err
	}
	reuse := 0
	if share {
		reuse = 1
	}
	return errors.Join(err,
		set(unix.SOL_SOCKET, unix.SO_REUSEPORT, reuse),
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		set(unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, o.NotSentLowat),
		set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout.Milliseconds())),
		set(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int(o.DeferAccept.Seconds())),
	)
}
