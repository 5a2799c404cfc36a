package baseline

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	inFlightMax = 256
	// connections from one address: connect searches the free ports of it, and becomes slow
	perSource     = 10_000
	crowdPatience = 30 * time.Second
)

// crowd is many streams in the hands of the goroutine that made it: each call reads for all of
// them. What they get is counted and thrown away.
type crowd struct {
	t       testing.TB
	target  netip.AddrPort
	epoll   int32
	members []member
	bytes   int // of all
	buffer  []byte
	events  []unix.EpollEvent
	out     net.Conn // the publisher's
}

type member struct {
	fd    int32
	bytes int
}

func newCrowd(t testing.TB, target netip.AddrPort) *crowd {
	runtime.LockOSThread()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("tcp", target.String())
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{t: t, target: target, epoll: int32(epoll), buffer: make([]byte, 64<<10),
		events: make([]unix.EpollEvent, 512), out: out}
}

// open opens streams as fast as they are answered, and returns when all have their head.
func (c *crowd) open(streams int) {
	request := fmt.Appendf(nil, "GET /events?topic=all HTTP/1.1\r\nHost: %v\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
		c.target)
	for range streams {
		number := len(c.members)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
			0)
		if err != nil {
			c.t.Fatal(err)
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd,
			&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number/perSource)}}); err != nil {
			c.t.Fatal(err)
		}
		if err := unix.Connect(fd, sockaddr(c.target)); err != nil && err != unix.EINPROGRESS {
			c.t.Fatal(err)
		}
		n, errno := send(int32(fd), request)
		for errno == syscall.EAGAIN {
			// rare: on loopback the handshake is usually complete when connect returns
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 1000)
			n, errno = send(int32(fd), request)
		}
		if n != len(request) {
			c.t.Fatal("request: ", errno)
		}
		c.members = append(c.members, member{fd: int32(fd)})
		e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(number)}
		if err := unix.EpollCtl(int(c.epoll), unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			c.t.Fatal(err)
		}
		c.await((len(c.members) - inFlightMax) * len(streamHead))
	}
	c.await(len(c.members) * len(streamHead))
}

// await reads until the streams together have had so many bytes.
func (c *crowd) await(bytes int) {
	for deadline := time.Now().Add(crowdPatience); c.bytes < bytes; {
		if time.Now().After(deadline) {
			c.t.Fatalf("expected %d bytes on %d streams, found %d", bytes, len(c.members), c.bytes)
		}
		n, err := unix.EpollWait(int(c.epoll), c.events, 1000)
		if err != nil && err != unix.EINTR {
			c.t.Fatal("epoll_wait: ", err)
		}
		for _, e := range c.events[:max(n, 0)] {
			m := &c.members[e.Fd]
			for {
				n, errno := receive(m.fd, c.buffer)
				if errno == syscall.EAGAIN {
					break
				}
				if errno != 0 || n == 0 {
					c.t.Fatalf("stream %d has ended after %d bytes: %v", e.Fd, m.bytes, errno)
				}
				m.bytes += n
				c.bytes += n
				if n < len(c.buffer) {
					break
				}
			}
		}
	}
}

// publish posts one event and waits for the answer.
func (c *crowd) publish(data []byte) {
	request := fmt.Appendf(nil,
		"POST /publish?topic=all HTTP/1.1\r\nHost: %v\r\nContent-Length: %d\r\n\r\n%s", c.target,
		len(data), data)
	if _, err := c.out.Write(request); err != nil {
		c.t.Fatal(err)
	}
	var answer [1024]byte
	if n, err := c.out.Read(answer[:]); err != nil || string(answer[:n]) != string(published) {
		c.t.Fatalf("answer %q, %v", answer[:n], err)
	}
}

// verify fails if any stream had more or fewer bytes than it should.
func (c *crowd) verify(bytes int) {
	for i := range c.members {
		if got := c.members[i].bytes; got != bytes {
			c.t.Fatalf("expected %d bytes on each stream, found %d on stream %d", bytes, got, i)
		}
	}
}

// close resets the connections, so that their ports are free at once.
func (c *crowd) close() {
	for _, m := range c.members {
		unix.SetsockoptLinger(int(m.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(int(m.fd))
	}
	unix.Close(int(c.epoll))
	c.out.Close()
	runtime.UnlockOSThread()
}
