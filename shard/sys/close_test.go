package sys

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A client that has sent something that was not read still gets every byte, and a clean
// end: a close over unread input would reset the connection.
func TestCloseOverUnreadInputIsClean(t *testing.T) {
	k := open(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, unread := range []int{0, 1, 4096, 50_000} {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		f, err := server.(*net.TCPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := client.Write(make([]byte, unread)); err != nil {
			t.Fatal(err)
		}
		for waiting := 0; waiting < unread; { // until it has all arrived
			if waiting, err = unix.IoctlGetInt(fd, unix.SIOCINQ); err != nil {
				t.Fatal(err)
			}
		}
		if n, errno := k.Send(fd, make([]byte, 10_000)); n != 10_000 || errno != 0 {
			t.Fatal(n, errno)
		}
		k.Close(fd)
		if got, err := io.ReadAll(client); err != nil || len(got) != 10_000 {
			t.Errorf("with %d bytes unread the client got %d bytes and %v", unread, len(got), err)
		}
		client.Close()
	}
}

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	r, w, err := os.Pipe() // the runtime opens its own with the first that it polls
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestNoDescriptorIsLeft(t *testing.T) {
	before := descriptors(t)
	for range 50 {
		k, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		k.Watch(fds[0], 1)
		k.WatchWritable(fds[0], 1, true)
		k.Close(fds[0])
		k.Close(fds[1])
		k.Release()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func TestOpenSaysWhichDescriptorCouldNotBeHad(t *testing.T) {
	before := descriptors(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	for room, want := range map[uint64]string{0: "epoll_create1", 1: "eventfd"} {
		free, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // the lowest one
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(free)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE,
			&unix.Rlimit{Cur: uint64(free) + room, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		_, err = Open()
		unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %d descriptors left: %v, want %s", room, err, want)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}
