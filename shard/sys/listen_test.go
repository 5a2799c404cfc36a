package sys

import (
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Servers that are started at the same time on a port of the kernel's choice each
// get one of their own, although each shares its own among its sockets.
func TestPickedPortsAreNotShared(t *testing.T) {
	t.Parallel()
	const servers = 2000
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		taken = map[string]bool{}
		open  []int
	)
	for range servers {
		all.Go(func() {
			fds, addr, err := Listen("tcp", "127.0.0.1:0", 2, SocketOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if taken[addr.String()] {
				t.Errorf("%s was given twice", addr)
			}
			taken[addr.String()] = true
			open = append(open, fds...)
		})
	}
	all.Wait()
	if len(open) != 2*servers {
		t.Errorf("%d sockets are open, want %d", len(open), 2*servers)
	}
	for _, fd := range open {
		Close(fd)
	}
}

// A unix socket whose server is too busy to answer is not taken for one that was left behind.
func TestASocketOfABusyServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	fds, _, err := Listen("unix", path, 1, SocketOptions{Backlog: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fds[0])
	var waiting []int
	for {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
			0)
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, fd)
		if unix.Connect(fd, &unix.SockaddrUnix{Name: path}) == unix.EAGAIN {
			break
		}
	}
	if _, _, err := Listen("unix", path, 1, SocketOptions{}); err == nil ||
		!strings.Contains(err.Error(), "another server") {
		t.Errorf("the second server: %v", err)
	}
	for _, fd := range waiting {
		Close(fd)
	}
	for range waiting[1:] { // those that were let in
		fd, _ := Accept(fds[0], &Peer{})
		Close(fd)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first server is gone: %v", err)
	} else {
		c.Close()
	}
}

// What is set on the listening socket is true of the connections that it accepts.
func TestConnectionsHaveTheOptionsOfTheirListener(t *testing.T) {
	t.Parallel()
	o := SocketOptions{SendBuffer: 65536, NotSentLowat: 12345,
		UserTimeout: 54321 * time.Millisecond}
	fds, addr, err := Listen("tcp", "127.0.0.1:0", 1, o)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fds[0])
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd, errno := Accept(fds[0], &Peer{})
	for errno == EAGAIN {
		time.Sleep(time.Millisecond)
		fd, errno = Accept(fds[0], &Peer{})
	}
	defer Close(fd)
	for name, option := range map[string]struct{ level, option, want int }{
		"SO_SNDBUF, which the kernel doubles": {unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * 65536},
		"TCP_NOTSENT_LOWAT":                   {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 12345},
		"TCP_USER_TIMEOUT":                    {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 54321},
		"TCP_NODELAY":                         {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	} {
		if got, err := unix.GetsockoptInt(fd, option.level, option.option); err != nil ||
			got != option.want {
			t.Errorf("%s is %d, %v; want %d", name, got, err, option.want)
		}
	}
}

// Whatever is set, it is TCP and not MPTCP.
func TestListenersAreOfTCP(t *testing.T) {
	t.Parallel()
	for _, o := range []SocketOptions{{}, {UserTimeout: time.Minute}} {
		fds, _, err := Listen("tcp", "127.0.0.1:0", 2, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil ||
				got != unix.IPPROTO_TCP {
				t.Errorf("%+v: the protocol is %d, %v; want %d", o, got, err, unix.IPPROTO_TCP)
			}
			Close(fd)
		}
	}
}
