package intake_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests in this file count what the whole process has; they do not run beside others.

func openFiles(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// steady waits for a count to be no more than it was.
func steady(t testing.TB, what string, before int, count func() int) {
	t.Helper()
	await(t, what+" is back to where it was", func() bool { return count() <= before })
}

// warm starts what a process starts once.
func warm(t testing.TB) {
	n := start(t, nil)
	n.ask(get("/nope") + get("/events?topic=t")).answer("GET")
	n.close(false)
}

func TestNoGoroutinePerHead(t *testing.T) {
	warm(t)
	n := start(t, nil)
	n.ask(get("/events?topic=t")).stream()
	before := runtime.NumGoroutine()
	files := openFiles(t)
	const heads = 2000
	var held []net.Conn
	for range heads {
		c, err := net.Dial("tcp", n.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, realHead[:100])
		held = append(held, c)
	}
	await(t, "all heads wait", func() bool { return n.in.HeadCount() == heads })
	if got := runtime.NumGoroutine(); got > before+10 {
		t.Errorf("%d goroutines with %d half heads, %d without", got, heads, before)
	}
	for _, c := range held {
		c.Close()
	}
	await(t, "no head waits", func() bool { return n.in.HeadCount() == 0 })
	steady(t, "the number of open files", files, func() int { return openFiles(t) })
}

// Whatever clients do, a closed intake leaves nothing open and nothing running.
func TestNothingIsLeftOfANode(t *testing.T) {
	warm(t)
	runtime.GC() // finalizers of earlier tests
	files, routines := openFiles(t), 0
	await(t, "goroutines settle", func() bool {
		last := routines
		routines = runtime.NumGoroutine()
		return routines == last
	})
	for round := range 4 {
		n := start(t, func(s *setup) { s.intake.HeadTimeout = 50 * time.Millisecond })
		storm(n, 12, 40)
		if round%2 == 0 {
			n.quiet()
		}
		n.close(false)
	}
	steady(t, "the number of open files", files, func() int { return openFiles(t) })
	steady(t, "the number of goroutines", routines, runtime.NumGoroutine)
}

// storm has clients come in many ways, many at once.
func storm(n *node, clients, times int) {
	requests := []string{
		"", "G", realHead, realHead[:50], "\x16", get("/nope"), get("/events"),
		get("/nope") + get("/events?topic=t"),
		"POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-key\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
		get("/nope") + "BAD", get("/events?topic=t", "Content-Length: 5"),
	}
	var all sync.WaitGroup
	for k := range clients {
		all.Go(func() {
			for i := range times {
				c, err := net.Dial(n.addr.Network(), n.addr.String())
				if err != nil {
					return // it is closed
				}
				io.WriteString(c, requests[(k+i)%len(requests)])
				if i%3 > 0 {
					c.SetReadDeadline(time.Now().Add(time.Duration(i%4) * time.Millisecond))
					io.ReadFull(c, make([]byte, 1))
				}
				if i%5 == 0 {
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	all.Wait()
}

// Another part of the process opens and closes files all the time. If a number were closed twice,
// or accepted on after it was closed, one of those files would not be what it was.
func TestCloseInAStorm(t *testing.T) {
	warm(t)
	files := openFiles(t)
	var stop atomic.Bool
	var bystander sync.WaitGroup
	bystander.Go(func() {
		for !stop.Load() {
			r, w, err := os.Pipe()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Write([]byte("mine")); err != nil {
				t.Errorf("my file was closed: %v", err)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(r, got); err != nil || string(got) != "mine" {
				t.Errorf("my file is another one: %q %v", got, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for round := range 12 {
		n := start(t, nil)
		var clients sync.WaitGroup
		clients.Go(func() { storm(n, 8, 60) })
		await(t, "the storm has come", func() bool {
			return n.admission.Accepted.Load() > uint64(round)
		})
		var closers sync.WaitGroup
		switch round % 3 {
		case 0:
			n.close(false)
		case 1:
			n.in.StopAccepting(0)
			n.in.StopAccepting(0)
			if _, err := net.Dial("tcp", n.addr.String()); err == nil {
				t.Error("it still accepts")
			}
		default:
			for range 3 {
				closers.Go(n.in.Close)
			}
		}
		closers.Wait()
		clients.Wait()
		n.close(false)
	}
	stop.Store(true)
	bystander.Wait()
	steady(t, "the number of open files", files, func() int { return openFiles(t) })
}

// Streams and requests under way outlive the listeners.
func TestStopAcceptingLeavesStreamsAndRequests(t *testing.T) {
	n := start(t, nil)
	stream, requests, head := n.ask(get("/events?topic=t")), n.ask(get("/nope")), n.ask("GET /ev")
	stream.stream()
	requests.answer("GET")
	await(t, "the head waits", func() bool { return n.in.HeadCount() == 1 })
	n.in.StopAccepting(0)
	head.ended()
	requests.send(get("/nope"))
	if resp, _ := requests.answer("GET"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	n.publish("t", "still here")
	if got := stream.until("data:"); got != "still here" {
		t.Errorf("got %q", got)
	}
}

// A client that has connected and is about to ask when the listeners close is served: with
// half a head, with a PROXY protocol header and nothing behind it, with nothing at all. A
// client that sends nothing is not waited for.
func TestStopAcceptingLetsConnectedClientsAsk(t *testing.T) {
	n := start(t, func(s *setup) {
		s.intake.Listen = []string{"127.0.0.1:0", "proxy:127.0.0.1:0"}
		behind(s, "x-forwarded-for", "127.0.0.1")
		s.admission.PerAddressMax = 0
	})
	plain, proxied := n.in.Addrs()[0], n.in.Addrs()[1]
	half := n.ask(get("/events?topic=t")[:9])
	later := n.ask("GET")
	silent := n.ask("G")
	n.addr = proxied
	headed := n.ask(line)
	await(t, "all wait", func() bool { return n.in.HeadCount() == 4 })
	stopped := make(chan struct{})
	go func() {
		n.in.StopAccepting(3 * time.Second)
		close(stopped)
	}()
	await(t, "no further connection is accepted", func() bool {
		c, err := net.Dial("tcp", plain.String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	half.send(get("/events?topic=t")[9:])
	half.stream()
	headed.send(get("/events?topic=t"))
	headed.stream()
	later.send(get("/nope")[3:])
	if resp, _ := later.answer("GET"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	if rest := silent.ended(); rest != "" {
		t.Errorf("the silent client is told %q", rest)
	}
	<-stopped
	n.expectCount("heads_max", 0)
}

// Between opening and serving a node may be given up.
func TestCloseWithoutServe(t *testing.T) {
	files := openFiles(t)
	n := open(t, nil)
	n.close(false)
	steady(t, "the number of open files", files, func() int { return openFiles(t) })
}
