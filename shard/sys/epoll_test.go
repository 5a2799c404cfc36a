package sys

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair is a kernel and the two ends of a connection: a descriptor for the kernel,
// and what a client has.
type pair struct {
	Kernel
	fd     int
	client *os.File
}

func open(t *testing.T) Kernel {
	t.Helper()
	k, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Release)
	return k
}

func newPair(t *testing.T) pair {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		0)
	if err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(fds[1]), "client")
	t.Cleanup(func() { client.Close() })
	return pair{open(t), fds[0], client}
}

// wait is the events of one Wait.
func wait(k Kernel, timeout time.Duration) []Event {
	events := make([]Event, 8)
	return events[:k.Wait(events, timeout)]
}

func TestAHangUpIsReportedOnceWithItsUser(t *testing.T) {
	p := newPair(t)
	const user = 0xfedcba9876543210
	if errno := p.Watch(p.fd, user); errno != 0 {
		t.Fatal(errno)
	}
	if got := wait(p, 0); len(got) != 0 {
		t.Fatalf("before anything happened: %+v", got)
	}
	p.client.Close()
	got := wait(p, time.Minute)
	if len(got) != 1 || got[0].User != user || got[0].Flags&HangUp == 0 ||
		got[0].Flags&Writable != 0 {
		t.Fatalf("after the client has gone: %+v", got)
	}
	if got := wait(p, 0); len(got) != 0 {
		t.Errorf("reported again: %+v", got)
	}
	p.Close(p.fd)
}

func TestAHangUpBeforeTheWatchIsReported(t *testing.T) {
	p := newPair(t)
	p.client.Close()
	p.Watch(p.fd, 7)
	if got := wait(p, 0); len(got) != 1 || got[0].Flags&HangUp == 0 {
		t.Errorf("%+v", got)
	}
	p.Close(p.fd)
}

// fill sends until the socket is full, and returns how much it took.
func (p pair) fill(t *testing.T) (total int) {
	t.Helper()
	b := make([]byte, 1<<20)
	for {
		n, errno := p.Send(p.fd, b)
		if errno == EAGAIN {
			return total
		}
		if errno != 0 {
			t.Fatal(errno)
		}
		total += n
	}
}

func TestAFullSocketIsReportedWhenItHasRoom(t *testing.T) {
	p := newPair(t)
	p.Watch(p.fd, 1)
	total := p.fill(t)
	p.WatchWritable(p.fd, 2, true)
	if got := wait(p, 0); len(got) != 0 {
		t.Fatalf("reported while full: %+v", got)
	}
	for range 2 { // an edge each time, without asking again
		if _, err := io.ReadFull(p.client, make([]byte, total)); err != nil {
			t.Fatal(err)
		}
		if got := wait(p, time.Minute); len(got) != 1 || got[0] != (Event{2, Writable}) {
			t.Fatalf("with room: %+v", got)
		}
		if got := wait(p, 0); len(got) != 0 {
			t.Fatalf("reported again: %+v", got)
		}
		total = p.fill(t)
	}
	p.WatchWritable(p.fd, 3, false)
	io.ReadFull(p.client, make([]byte, total))
	if got := wait(p, 0); len(got) != 0 {
		t.Errorf("reported though it was not asked for: %+v", got)
	}
	p.client.Close()
	if got := wait(p, time.Minute); len(got) != 1 || got[0].User != 3 || got[0].Flags&HangUp == 0 {
		t.Errorf("a hang-up after all that: %+v", got)
	}
	p.Close(p.fd)
}

// Room that came between the short send and the question is no reason to wait.
func TestRoomBeforeTheQuestionIsReported(t *testing.T) {
	p := newPair(t)
	p.Watch(p.fd, 1)
	io.ReadFull(p.client, make([]byte, p.fill(t)))
	p.WatchWritable(p.fd, 1, true)
	if got := wait(p, 0); len(got) != 1 || got[0].Flags != Writable {
		t.Errorf("%+v", got)
	}
	p.Close(p.fd)
}

func TestAWakeEndsAWaitThePresentOneOrTheNext(t *testing.T) {
	k := open(t)
	for range 100 {
		go k.Wake()
		if got := wait(k, -1); len(got) != 0 {
			t.Fatalf("a wake-up is reported as %+v", got)
		}
	}
	k.Wake()
	k.Wake()
	begin := time.Now()
	wait(k, time.Minute)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("an earlier wake-up was forgotten; waited %v", took)
	}
	begin = time.Now()
	wait(k, 30*time.Millisecond) // of two wake-ups before one wait only one counts
	if took := time.Since(begin); took < 25*time.Millisecond {
		t.Errorf("woken twice, after %v", took)
	}
}

func TestATimeoutIsNotShorterThanAsked(t *testing.T) {
	k := open(t)
	for _, d := range []time.Duration{1, time.Microsecond, 1500 * time.Microsecond,
		5 * time.Millisecond} {
		begin := time.Now()
		wait(k, d)
		if took := time.Since(begin); took < d {
			t.Errorf("waited %v for %v", took, d)
		}
	}
}

func TestManyAndEmptyPiecesArriveInOrder(t *testing.T) {
	p := newPair(t)
	var pieces [][]byte
	for i := range 2*PiecesMax + 5 {
		pieces = append(pieces, bytes.Repeat([]byte{byte(i)}, i%4), nil, []byte{})
	}
	want := bytes.Join(pieces, nil)
	sent := 0
	for left := pieces; len(left) > 0; left = left[min(PiecesMax, len(left)):] {
		n, errno := p.SendV(p.fd, left)
		if errno != 0 || n != len(bytes.Join(left[:min(PiecesMax, len(left))], nil)) {
			t.Fatalf("sent %d, %v", n, errno)
		}
		sent += n
	}
	p.Close(p.fd)
	if got, err := io.ReadAll(p.client); err != nil || sent != len(want) ||
		!bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, %v, want %d", len(got), err, len(want))
	}
}

func TestASendToAClosedPeerIsAnErrorAndNoSignal(t *testing.T) {
	p := newPair(t)
	p.client.Close()
	if _, errno := p.Send(p.fd, []byte("x")); !PeerGone(errno) {
		t.Errorf("Send: %v", errno)
	}
	if _, errno := p.SendV(p.fd, [][]byte{[]byte("x"), []byte("y")}); !PeerGone(errno) {
		t.Errorf("SendV: %v", errno)
	}
	p.Close(p.fd)
	if _, errno := p.Send(p.fd, []byte("x")); errno != unix.EBADF || PeerGone(errno) {
		t.Errorf("after Close: %v", errno)
	}
}

func TestSendsDoNotAllocate(t *testing.T) {
	p := newPair(t)
	p.Watch(p.fd, 1)
	pieces := [][]byte{[]byte("a"), []byte("bc")}
	buf, events := make([]byte, 100), make([]Event, 4)
	if got := testing.AllocsPerRun(100, func() {
		p.Send(p.fd, pieces[0])
		p.SendV(p.fd, pieces)
		p.WatchWritable(p.fd, 1, true)
		p.Wait(events, 0)
		p.WatchWritable(p.fd, 1, false)
		p.client.Read(buf)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	p.Close(p.fd)
}

func TestAnUnwatchedDescriptorStaysOpen(t *testing.T) {
	p := newPair(t)
	for range 2 { // and may be watched again
		if errno := p.Watch(p.fd, 7); errno != 0 {
			t.Fatal(errno)
		}
		if errno := p.Unwatch(p.fd); errno != 0 {
			t.Fatal(errno)
		}
	}
	if n, errno := p.Send(p.fd, []byte("x")); n != 1 || errno != 0 {
		t.Error(n, errno)
	}
	p.client.Close()
	if got := wait(p, 10*time.Millisecond); len(got) != 0 {
		t.Errorf("reported: %+v", got)
	}
	p.Close(p.fd)
}
