package intake_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func listenOn(address string) func(*setup) {
	return func(s *setup) { s.intake.Listen = []string{address} }
}

// serveOne opens a node and expects one stream of it to work.
func serveOne(t *testing.T, address string) *node {
	t.Helper()
	n := start(t, listenOn(address))
	c := n.ask(get("/events?topic=t"))
	c.stream()
	n.publish("t", "x")
	if got := c.until("data:"); got != "x" {
		t.Errorf("got %q", got)
	}
	c = n.ask(get("/nope") + get("/events?topic=t"))
	c.answer("GET")
	c.stream()
	return n
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("this host has no IPv6 loopback address: go test ./engine/intake runs it on a host that has ::1: ",
			err)
	} else {
		ln.Close()
	}
	serveOne(t, "[::1]:0")
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	n := serveOne(t, "unix:"+path)
	if got := n.addr.String(); got != path {
		t.Errorf("it says it listens on %s", got)
	}
}

func TestSeveralListeners(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	n := start(t, func(s *setup) {
		s.intake.Listen = []string{"127.0.0.1:0", "unix:" + path, "127.0.0.1:0"}
	})
	addrs := n.in.Addrs()
	if len(addrs) != 3 || addrs[0].String() == addrs[2].String() {
		t.Fatalf("%v", addrs)
	}
	for _, a := range addrs {
		n.addr = a
		n.ask(get("/events?topic=t")).stream()
	}
}

// The socket of a server that was killed does not stop the next one.
func TestStaleUnixSocketIsRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	serveOne(t, "unix:"+path)
}

func TestLiveUnixSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	n := serveOne(t, "unix:"+path)
	if _, err := tryOpen(t, listenOn("unix:"+path)); err == nil ||
		!strings.Contains(err.Error(), "another server") || !strings.Contains(err.Error(), path) {
		t.Errorf("the second server: %v", err)
	}
	n.ask(get("/events?topic=t")).stream()
}

func TestFileIsNotTakenForASocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, listenOn("unix:"+path)); err == nil ||
		!strings.Contains(err.Error(), "not a socket") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "x" {
		t.Errorf("the file has become %q, %v", text, err)
	}
}

// The port is shared within a server (SO_REUSEPORT), not between servers.
func TestSecondServerOnOnePort(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	_, err := tryOpen(t, listenOn(n.addr.String()))
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), n.addr.String()) {
		t.Errorf("the second server: %v", err)
	}
	if _, err := tryOpen(t, func(s *setup) {
		s.intake.Listen = []string{n.addr.String()}
		s.intake.Pollers = 1 // would not share
	}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the second server: %v", err)
	}
}

func TestUnusableAddressIsNamed(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"192.0.2.1:0", "127.0.0.1:99999", "unix:/nowhere/at/all"} {
		if _, err := tryOpen(t, listenOn(address)); err == nil ||
			!strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// 0.0.0.0 is all of IPv4 and nothing else.
func TestIPv4OnlyIsNoIPv6(t *testing.T) {
	t.Parallel()
	n := serveOne(t, "0.0.0.0:0")
	_, port, _ := net.SplitHostPort(n.addr.String())
	if n.addr.String() != "0.0.0.0:"+port {
		t.Errorf("it says it listens on %s", n.addr)
	}
	if c, err := net.Dial("tcp6", "[::1]:"+port); err == nil {
		c.Close()
		t.Error("it listens on IPv6 too")
	}
}

// A socket that another server has put in its place is not taken away.
func TestTheNextServersSocketStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	first := serveOne(t, "unix:"+path)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	second := serveOne(t, "unix:"+path)
	first.in.StopAccepting(0)
	second.ask(get("/events?topic=t")).stream()
}
