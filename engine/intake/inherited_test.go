package intake_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/sys"
)

// inherited opens n sockets on one address, as another process would, and returns them
// as files and where they listen.
func inherited(t *testing.T, network, address string, n int) (files []*os.File, addr net.Addr) {
	t.Helper()
	fds, addr, err := sys.Listen(network, address, n, sys.SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), fmt.Sprint("inherited ", fd))
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files, addr
}

func passing(files map[string][]*os.File, addresses ...string) func(*setup) {
	return func(s *setup) { s.intake.Inherited, s.intake.Listen = files, addresses }
}

// TestInheritedSockets: all of a name are listened on, and are one address if they are on one.
func TestInheritedSockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	several, shared := inherited(t, "tcp", "127.0.0.1:0", 3)
	one, _ := inherited(t, "tcp", "127.0.0.1:0", 1)
	local, _ := inherited(t, "unix", path, 1)
	n := start(t, passing(map[string][]*os.File{"web": append(several, one...), "local": local},
		"systemd:web", "127.0.0.1:0", "systemd:local"))
	addrs := n.in.Addrs()
	if len(addrs) != 4 || addrs[0].String() != shared.String() || addrs[3].String() != path {
		t.Fatalf("found %v, expected %s, two others and %s", addrs, shared, path)
	}
	for range 5 { // on whichever of them
		for _, n.addr = range addrs {
			n.ask(get("/events?topic=t")).stream()
		}
	}
}

// TestInheritedSocketsOutliveTheNode: a client that connects when it accepts nothing any more
// waits for the next one, and the path stays.
func TestInheritedSocketsOutliveTheNode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	several, _ := inherited(t, "tcp", "127.0.0.1:0", 4)
	local, _ := inherited(t, "unix", path, 1)
	files := map[string][]*os.File{"web": several, "local": local}
	first := start(t, passing(files, "systemd:web", "systemd:local"))
	addrs := first.in.Addrs()
	first.ask(get("/events?topic=t")).stream()
	first.in.StopAccepting(0)
	var waiting []*client
	for _, first.addr = range addrs {
		for range 16 { // on each of several sockets, with near certainty
			waiting = append(waiting, first.ask(get("/events?topic=t")), first.ask(""))
		}
	}
	for _, c := range waiting {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if k, err := c.Read(make([]byte, 1)); k != 0 || !os.IsTimeout(err) {
			t.Fatalf("a client that waits has got %d bytes, %v", k, err)
		}
	}
	first.close(false)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket's path was taken away: %v", err)
	}
	start(t, passing(files, "systemd:local", "systemd:web"))
	for i, c := range waiting {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if i%2 == 1 {
			fmt.Fprint(c, get("/events?topic=t"))
		}
		c.stream()
	}
}

// TestInheritedSocketsThatAreNot there, or are none.
func TestInheritedSocketsThatAreNot(t *testing.T) {
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	datagrams := os.NewFile(uintptr(fd), "datagrams")
	defer datagrams.Close()
	one, _ := inherited(t, "tcp", "127.0.0.1:0", 1)
	files := map[string][]*os.File{"web": one, "log": {datagrams}}
	for _, c := range []struct {
		change func(*setup)
		says   []string
	}{
		{passing(nil, "systemd:web"), []string{"--listen systemd:web: ", "FileDescriptorName=",
			"none was passed"}},
		{passing(files, "systemd:Web"), []string{"--listen systemd:Web: ", "passed were log, web"}},
		{passing(files, "systemd:web", "systemd:web"),
			[]string{"--listen systemd:web: ", "already"}},
		{passing(files, "127.0.0.1:0", "systemd:log"),
			[]string{"--listen systemd:log: ", "socket 1 of 1",
				"expected a listening stream socket", "datagram"}},
	} {
		_, err := tryOpen(t, c.change)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("found %v, expected one line with %q", err, c.says)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("found %q, expected %q in it", err, want)
			}
		}
	}
	// it was left as it was
	start(t, passing(files, "systemd:web")).ask(get("/events?topic=t")).stream()
}
