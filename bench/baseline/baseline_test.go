package baseline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAStreamGetsTheEventsOfItsTopicOnceAndInOrder(t *testing.T) {
	for _, threads := range []int{1, 3} {
		t.Run(fmt.Sprint(threads, " threads"), func(t *testing.T) {
			const topics, perTopic, publishers, events = 3, 15, 4, 50
			s, _ := serve(t, Config{Threads: threads})
			var streams []*client
			for i := range topics * perTopic {
				streams = append(streams,
					subscribe(t, s.Addr(), fmt.Sprint("t", i%topics, "&x=1"[:i%2*4])))
			}
			var all sync.WaitGroup
			for p := range publishers {
				out := dial(t, s.Addr())
				all.Go(func() {
					for n := range events {
						for topic := range topics {
							out.publish(fmt.Sprint("t", topic),
								fmt.Sprintf("%d %d %d", topic, p, n))
						}
					}
				})
			}
			all.Wait()
			orders := make([]string, topics) // of all ids, the same for every stream of a topic
			for i, c := range streams {
				var ids []string
				var next [publishers]int
				last := ""
				for range publishers * events {
					data, id := c.event()
					var topic, p, n int
					fmt.Sscan(data, &topic, &p, &n)
					if topic != i%topics || n != next[p] || id <= last || len(id) != idDigits+2 {
						t.Fatalf("stream %d of topic %d: %q with id %s after %s; expected number %d of publisher %d",
							i, i%topics, data, id, last, next[p], p)
					}
					next[p], last = n+1, id
					ids = append(ids, id)
				}
				order := strings.Join(ids, " ")
				if i < topics {
					orders[i] = order
				} else if order != orders[i%topics] {
					t.Fatalf("stream %d has another order than stream %d", i, i%topics)
				}
			}
			if s.Cut() != 0 {
				t.Errorf("%d streams cut", s.Cut())
			}
		})
	}
}

func TestAStreamWithoutATopicGetsEventsWithoutOne(t *testing.T) {
	s, _ := serve(t, Config{})
	c, out := dial(t, s.Addr()), dial(t, s.Addr())
	c.write("GET /events HTTP/1.1\r\nReferer: /?topic=x\r\n\r\n")
	c.readHead()
	out.publish("x", "not this")
	out.write("POST /publish HTTP/1.1\r\ncontent-length:4\r\n\r\nthis")
	if data, _ := c.event(); data != "this" {
		t.Error(data)
	}
}

func TestAConnectionThatSaysNothingAtFirstIsTaken(t *testing.T) {
	r := newRig(t)
	// Otherwise the kernel hands them over only after seconds.
	unix.SetsockoptInt(int(r.listener), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0)
	c, out := dial(t, r.addr), dial(t, r.addr)
	waiting := func() (n int) {
		for _, s := range r.connections {
			if s.place == undecided {
				n++
			}
		}
		return n
	}
	r.until(func() bool { return waiting() == 2 })
	c.ask("a")
	r.until(func() bool { return r.streams() == 1 })
	c.readHead()
	r.publish(out, "a", "hello")
	if data, _ := c.event(); data != "hello" {
		t.Error(data)
	}
}

func TestAStreamThatDoesNotReadIsCutAndCounted(t *testing.T) {
	r := newRig(t)
	slow, good, out := r.subscribe("a"), r.subscribe("a"), dial(t, r.addr)
	data := strings.Repeat("x", 10_000)
	for n := 0; r.server.Cut() == 0; n++ {
		if n == 10_000 {
			t.Fatal("100 MB were taken for a client that does not read")
		}
		r.publish(out, "a", data)
		if got, id := good.event(); got != data || id != fmt.Sprint(idFirst+n+1, "-0") {
			t.Fatalf("event %d: %d bytes, id %s", n, len(got), id)
		}
	}
	if r.server.Cut() != 1 || r.streams() != 1 {
		t.Errorf("%d cut, %d left", r.server.Cut(), r.streams())
	}
	slow.ended()
	r.publish(out, "a", "one more")
	if got, _ := good.event(); got != "one more" {
		t.Error(got)
	}
}

func TestAClientThatHasGoneIsNotCounted(t *testing.T) {
	r := newRig(t)
	var streams []*client
	for range 5 {
		streams = append(streams, r.subscribe("a"))
	}
	gone := []int{0, 2, 4}
	for _, i := range gone {
		streams[i].Conn.(*net.TCPConn).SetLinger(0)
		streams[i].Close()
	}
	for _, data := range []string{"first", "second"} { // before epoll is asked: the send finds out
		r.server.post(r.thread, []byte("a"), []byte(data))
		r.take()
		r.check()
	}
	if r.server.Cut() != 0 || r.streams() != len(streams)-len(gone) {
		t.Errorf("%d cut, %d left", r.server.Cut(), r.streams())
	}
	for _, i := range []int{1, 3} {
		// closing the others moved them, and they were sent to once for all that
		for _, want := range []string{"first", "second"} {
			if data, _ := streams[i].event(); data != want {
				t.Errorf("stream %d: expected %q, found %q", i, want, data)
			}
		}
	}
}

func TestHangUpsLeaveTheListsRight(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t)
	out := dial(t, r.addr)
	type open struct {
		*client
		topic string
	}
	var streams []open
	for step := range 400 {
		topic := fmt.Sprint(random.IntN(3))
		switch n := len(streams); {
		case n < 2 || n < 60 && random.IntN(2) == 0:
			streams = append(streams, open{r.subscribe(topic), topic})
		case random.IntN(3) > 0:
			for range 1 + random.IntN(n/2) { // several at once
				i := random.IntN(len(streams))
				streams[i].Close()
				streams[i] = streams[len(streams)-1]
				streams = streams[:len(streams)-1]
			}
			r.until(func() bool { return r.streams() == len(streams) })
		}
		data := fmt.Sprint("event ", step)
		r.publish(out, topic, data)
		for i, s := range streams {
			if s.topic != topic {
				continue
			}
			if got, _ := s.event(); got != data {
				t.Fatalf("step %d, stream %d of topic %s: %q", step, i, topic, got)
			}
		}
	}
}

// TestStreamsComeAndGo is for the race detector, and for what turns do not reach: three threads
// reuse each other's descriptors.
func TestStreamsComeAndGo(t *testing.T) {
	s, stop := serve(t, Config{Threads: 3, Heartbeat: 20 * time.Millisecond})
	stays := subscribe(t, s.Addr(), "a")
	end := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					c := subscribe(t, s.Addr(), "a")
					c.event()
					c.Close()
				}
			}
		})
	}
	out := dial(t, s.Addr())
	for n := range 2000 {
		out.publish("a", fmt.Sprint(n))
		if data, _ := stays.event(); data != fmt.Sprint(n) {
			t.Fatalf("expected %d, found %s", n, data)
		}
		if n == 1000 {
			close(end)
		}
	}
	// Those that wait for an event get the ones after the thousandth.
	all.Wait()
	if err := stop(); err != nil || s.Cut() != 0 {
		t.Errorf("%v, %d cut", err, s.Cut())
	}
}

func TestEveryDescriptorIsClosedAtTheEnd(t *testing.T) {
	serve(t, Config{}) // the runtime opens its own with the first that it polls
	before := descriptors(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Listen(Config{Listen: loopback, Threads: 3, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan error)
	go func() { said <- s.Serve(ctx) }()
	var clients []*client
	for i := range 20 {
		clients = append(clients, subscribe(t, s.Addr(), fmt.Sprint(i)))
		out := dial(t, s.Addr())
		out.publish("a", "x")
		out.write("POST /publish?topic=a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf") // and no more
		clients = append(clients, out)
	}
	cancel()
	if err := <-said; err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		c.ended()
		c.Close()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A server that has run out of descriptors would go on measuring something else.
func TestServeFailsWhenFilesRunOut(t *testing.T) {
	s, err := Listen(Config{Listen: loopback, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan error)
	go func() { said <- s.Serve(t.Context()) }()
	subscribe(t, s.Addr(), "a") // everything is open by now
	var sockets []int
	for range 2 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		sockets = append(sockets, fd)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(sockets[0], sockaddr(s.Addr())); err != nil {
		t.Fatal(err)
	}
	unix.Write(sockets[0], []byte("GET / HTTP/1.1\r\n\r\n"))
	if err := <-said; err == nil || !strings.Contains(err.Error(), syscall.EMFILE.Error()) {
		t.Error(err)
	}
}

func TestListenRefusesWhatCannotWork(t *testing.T) {
	taken, _ := serve(t, Config{})
	for want, c := range map[string]Config{
		"found 65":               {Listen: loopback, Threads: 65},
		"found -1":               {Listen: loopback, Threads: -1},
		"10ms":                   {Listen: loopback, Heartbeat: time.Millisecond},
		"expected an address":    {},
		"address already in use": {Listen: taken.Addr()},
		"cannot assign":          {Listen: netip.MustParseAddrPort("192.0.2.1:0")},
	} {
		before := descriptors(t)
		if _, err := Listen(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; expected %q", c, err, want)
		}
		if after := descriptors(t); after != before {
			t.Errorf("%+v: %d descriptors, %d before", c, after, before)
		}
	}
}

func TestListenOnIPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this host has no IPv6 loopback address: go test ./bench/baseline runs it on a host that has ::1: ",
			err)
	}
	probe.Close()
	s, err := Listen(Config{Listen: netip.MustParseAddrPort("[::1]:0"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan error)
	go func() { said <- s.Serve(ctx) }()
	subscribe(t, s.Addr(), "a")
	cancel()
	if err := <-said; err != nil {
		t.Error(err)
	}
}
