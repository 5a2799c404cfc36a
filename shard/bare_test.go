package shard

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/log"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

var (
	bareRounds  = flag.Int("rounds", 100, "BenchmarkAgainstTheBareLoop: broadcasts of each kind")
	bareStreams = flag.Int("streams", 9000,
		"BenchmarkAgainstTheBareLoop: streams, or fewer if so many files may not be open")
)

// threadCPU is what the calling thread has used, in nanoseconds.
func threadCPU() int64 {
	var used unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used) // fails for unknown clocks only
	return used.Nano()
}

// meteredKernel notes what the shard's thread has used whenever it looks at its sockets: the last
// time is when it goes to sleep.
type meteredKernel struct {
	sys.Kernel
	cpu atomic.Int64
}

func (k *meteredKernel) Wait(events []sys.Event, timeout time.Duration) int {
	k.cpu.Store(threadCPU())
	return k.Kernel.Wait(events, timeout)
}

// bareLoop sends b to all of fds with as many threads, and returns the CPU that they used for it.
func bareLoop(fds []int, threads int, b []byte) int64 {
	var cpu atomic.Int64
	var all sync.WaitGroup
	for first := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began := threadCPU()
			for i := first; i < len(fds); i += threads {
				if n, _ := sys.Send(fds[i], b); n != len(b) {
					panic("a socket is full")
				}
			}
			cpu.Add(threadCPU() - began)
		})
	}
	all.Wait()
	return cpu.Load()
}

// audience reads all that comes, on one thread, and counts it.
type audience struct {
	epoll int
	bytes atomic.Int64
	left  atomic.Bool
	gone  sync.WaitGroup
}

func newAudience(b *testing.B) *audience {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	a := &audience{epoll: epoll}
	a.gone.Go(a.read)
	return a
}

// leave ends the thread before its descriptor can become another's.
func (a *audience) leave() {
	a.left.Store(true)
	a.gone.Wait()
	unix.Close(a.epoll)
}

func (a *audience) read() {
	runtime.LockOSThread()
	events, buf := make([]unix.EpollEvent, 512), make([]byte, 64<<10)
	for !a.left.Load() {
		n, _ := unix.EpollWait(a.epoll, events, 100) // interrupted at worst
		for _, ev := range events[:max(n, 0)] {
			if n, err := unix.Read(int(ev.Fd), buf); err == nil {
				a.bytes.Add(int64(n))
			}
		}
	}
}

// await waits until so many bytes have come.
func (a *audience) await(b *testing.B, bytes int64) {
	for deadline := time.Now().Add(time.Minute); a.bytes.Load() < bytes; time.Sleep(
		time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("found %d of %d bytes", a.bytes.Load(), bytes)
		}
	}
}

// connections are both ends of TCP connections over loopback.
func connections(b *testing.B, count int) (servers, clients []int) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	take := func(c net.Conn, err error) int {
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			b.Fatal(err)
		}
		own := -1
		raw.Control(func(fd uintptr) { own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
		if err != nil {
			b.Fatal(err)
		}
		return own
	}
	for range count {
		clients = append(clients, take(net.Dial("tcp4", ln.Addr().String())))
		servers = append(servers, take(ln.Accept()))
	}
	return servers, clients
}

// BenchmarkAgainstTheBareLoop is what a shard adds to send(2), on each wire: broadcasts by shards
// and by as many threads that do nothing but send the same bytes as a raw stream is sent, in random
// order over the same sockets. One run is one measurement, however often b asks for it.
//
//	go test ./shard -run '^$' -bench BareLoop -args -rounds 200
func BenchmarkAgainstTheBareLoop(b *testing.B) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		b.Fatal(err)
	}
	streams := min(*bareStreams, int(files.Cur)/2-100)
	for shards := range 2 {
		b.Run(fmt.Sprintf("shards=%d", shards+1), func(b *testing.B) {
			againstTheBareLoop(b, shards+1, streams)
		})
	}
}

func againstTheBareLoop(b *testing.B, shards, streams int) {
	// a place for the audience too
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + shards + 1))
	c := patient()
	c.Shards, c.TurnSends, c.TurnTime = shards, 128, 200*time.Microsecond
	g, err := NewGroup(c, topic.Config{Retention: log.Retention{Events: 1000}, HistoryMax: 1 << 30,
		TopicsMax: 1})
	if err != nil {
		b.Fatal(err)
	}
	var metered []*meteredKernel
	for _, s := range g.shards {
		k := &meteredKernel{Kernel: s.kernel}
		s.kernel, metered = k, append(metered, k)
	}
	g.Start()
	servers, clients := connections(b, streams)
	defer g.Stop() // closes the servers' ends
	a := newAudience(b)
	defer a.leave()
	for i, fd := range clients {
		defer unix.Close(fd)
		unix.SetNonblock(fd, true)
		unix.SetNonblock(servers[i], true)
		if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd,
			&unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			b.Fatal(err)
		}
		topic, err := g.Table().Acquire([]byte("all"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.Join(Join{Fd: servers[i], Topic: topic}, nil); err != nil {
			b.Fatal(err)
		}
	}
	g.Wake()

	const pause = 20 * time.Millisecond // after everything has arrived: all sleep
	used := func() (sum int64) {
		for _, k := range metered {
			sum += k.cpu.Load()
		}
		return sum
	}
	body := append(append([]byte("data: "), bytes.Repeat([]byte("x"), 100)...), '\n')
	event := 0 // bytes of one, as a raw stream is sent it
	const bare = wires
	broadcast := func(wire Wire) float64 {
		if wire != bare {
			g.rewire(wire)
		}
		before, cpu := a.bytes.Load(), used()
		if wire != bare {
			if _, err := g.Table().Publish([]byte("all"), body); err != nil {
				b.Fatal(err)
			}
			a.await(b, before+int64(streams*len(body)))
			time.Sleep(pause)
			if wire == WireRaw {
				event = int(a.bytes.Load()-before) / streams
			}
			cpu = used() - cpu
		} else {
			cpu = bareLoop(servers, shards, bytes.Repeat([]byte("x"), event))
			a.await(b, before+int64(streams*event))
			time.Sleep(pause)
		}
		return float64(cpu) / 1e3 / float64(streams)
	}
	time.Sleep(time.Second)
	for range 3 { // the first to reach a socket make the kernel grow its buffers
		broadcast(WireRaw)
	}
	var costs [wires + 1][]float64
	for range *bareRounds {
		for _, kind := range rand.Perm(len(costs)) {
			costs[kind] = append(costs[kind], broadcast(Wire(kind)))
		}
	}
	report := func(all []float64, name string) (mean float64) {
		for _, cost := range all {
			mean += cost / float64(len(all))
		}
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name+"-median-us/delivery")
		b.ReportMetric(mean, name+"-mean-us/delivery")
		return mean
	}
	means := [wires + 1]float64{}
	for kind, name := range [wires + 1]string{WireRaw: "raw", WireChunk: "chunk", bare: "bare"} {
		means[kind] = report(costs[kind], name)
	}
	b.ReportMetric(means[WireRaw]/means[bare], "raw/bare")
	b.ReportMetric(means[WireChunk]/means[WireRaw], "chunk/raw")
	b.ReportMetric(0, "ns/op") // means nothing here
}

// rewire has all streams sent on that wire from now on. They must have everything.
func (g *Group) rewire(wire Wire) {
	var all sync.WaitGroup
	for _, s := range g.shards {
		all.Add(1)
		s.inbox.call(func() {
			defer all.Done()
			for i := range s.slots.ever {
				s.slots.at(i).wire = wire
			}
		})
	}
	all.Wait()
}
