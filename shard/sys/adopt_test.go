package sys

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opened is a socket that another process might have opened, as a file.
func opened(t *testing.T, family, kind int) *os.File {
	t.Helper()
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	return f
}

// listen is net.Listen, but for MPTCP.
func listen(network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), network, address)
}

// passed is what a listener listens on, as a file.
func passed(t *testing.T, ln net.Listener, err error) *os.File {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestAnAdoptedSocketIsLikeOneOfOurs: its connections have the options, its descriptor
// neither blocks nor is inherited, and to give it up is not to end it.
func TestAnAdoptedSocketIsLikeOneOfOurs(t *testing.T) {
	t.Parallel()
	ln, err := listen("tcp", "127.0.0.1:0")
	file := passed(t, ln, err)
	fd, addr, err := Adopt(file, SocketOptions{SendBuffer: 65536, NotSentLowat: 12345,
		UserTimeout: 54321 * time.Millisecond, DeferAccept: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if addr.Network() != "tcp" || addr.String() != ln.Addr().String() {
		t.Errorf("found %s %s, expected %s", addr.Network(), addr, ln.Addr())
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil ||
		flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v: children inherit it", flags, err)
	}
	if _, errno := Accept(fd, &Peer{}); errno != EAGAIN {
		t.Errorf("accept answers %v, expected that it does not wait", errno)
	}
	for name, option := range map[string]struct{ level, option, want int }{
		"SO_SNDBUF, which the kernel doubles": {unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * 65536},
		"TCP_NOTSENT_LOWAT":                   {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 12345},
		"TCP_USER_TIMEOUT":                    {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 54321},
		"TCP_NODELAY":                         {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"TCP_DEFER_ACCEPT":                    {unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1},
	} {
		if got, err := unix.GetsockoptInt(fd, option.level, option.option); err != nil ||
			got != option.want {
			t.Errorf("%s is %d, %v; want %d", name, got, err, option.want)
		}
	}
	Close(fd)
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatalf("the other holder's socket is gone: %v", err)
	}
	c.Close()
}

// TestAllFamiliesAreAdopted, with the addresses that net.Listen would give.
func TestAllFamiliesAreAdopted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	for _, c := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"},
		{"tcp", "[::1]:0"}, {"tcp", ":0"}, {"unix", path}, {"unix", "@" + path}} {
		ln, err := listen(c.network, c.address)
		if err != nil && strings.HasPrefix(c.address, "[::1]") {
			t.Log("this host has no IPv6 loopback: ", err)
			continue
		}
		fd, addr, err := Adopt(passed(t, ln, err),
			SocketOptions{SendBuffer: 4096, UserTimeout: time.Second})
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		if want := ln.Addr(); addr.Network() != want.Network() || addr.String() != want.String() {
			t.Errorf("found %s %s, expected %s %s", addr.Network(), addr, want.Network(), want)
		}
		Close(fd)
	}
}

// TestWhatIsNoListenerIsRefused in one line that says what it should be.
func TestWhatIsNoListenerIsRefused(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	gone := opened(t, unix.AF_UNIX, unix.SOCK_STREAM)
	gone.Close()
	multipath, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC,
		unix.IPPROTO_MPTCP)
	if err == nil {
		f := os.NewFile(uintptr(multipath), "multipath")
		defer f.Close()
		if _, _, err := Adopt(f, SocketOptions{}); err == nil ||
			!strings.Contains(err.Error(), "found protocol 262") {
			t.Errorf("MPTCP: %v", err)
		}
	}
	for says, file := range map[string]*os.File{
		"found no socket":                      null,
		"found a datagram socket":              opened(t, unix.AF_INET, unix.SOCK_DGRAM),
		"found a socket of sequential packets": opened(t, unix.AF_UNIX, unix.SOCK_SEQPACKET),
		"found one that does not listen":       opened(t, unix.AF_INET6, unix.SOCK_STREAM),
		"bad file descriptor":                  gone,
	} {
		fd, _, err := Adopt(file, SocketOptions{})
		if err == nil || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), "ListenStream=") {
			t.Errorf("found %d, %v: expected one line with %q", fd, err, says)
		}
	}
}
