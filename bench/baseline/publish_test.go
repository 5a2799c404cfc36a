package baseline

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	const head = "POST /publish?topic=news HTTP/1.1\r\nHost: x\r\n"
	for text, want := range map[string]string{
		head + "Content-Length: 5\r\n\r\nhello":            "news hello",
		head + "content-LENGTH:5 \r\n\r\nhello":            "news hello",
		head + "Content-Length: 5\r\n\r\nhelloPOST":        "news hello",
		head + "Content-Length: 5\r\n\r\nhell":             "more",
		head + "Content-Length: 5\r\n":                     "more",
		head + "\r\n":                                      "news ",
		"POST /publish?x=1&topic=a%20b&y HTTP/1.1\r\n\r\n": "a%20b ",
		"POST /publish HTTP/1.1\r\nX: topic=no\r\n\r\n":    " ",
		"PO":                                   "more",
		"PUT":                                  "refused",
		"GET /events?topic=a HTTP/1.1\r\n\r\n": "refused",
		head + "Content-Length: -5\r\n\r\n":    "refused",
		head + "Content-Length: 99999999999999999999\r\n\r\n":                 "refused",
		head + fmt.Sprintf("Content-Length: %d\r\n\r\n", bodyBytesMax):        "more",
		head + fmt.Sprintf("Content-Length: %d\r\n\r\n", bodyBytesMax+1):      "refused",
		head + "X: " + strings.Repeat("x", headBytesMax):                      "refused",
		head + "X: " + strings.Repeat("x", headBytesMax-len(head)-len("X: ")): "more",
	} {
		topic, body, size, ok := parse([]byte(text))
		got := string(topic) + " " + string(body)
		switch {
		case !ok:
			got = "refused"
		case size == 0:
			got = "more"
		}
		if got != want {
			t.Errorf("%.80q: expected %q, found %q", text, want, got)
		}
	}
}

func TestABodyMayComeInPieces(t *testing.T) {
	r := newRig(t)
	c, out := r.subscribe("a"), dial(t, r.addr)
	text := request("a", "first") + request("a", "second") + request("a", "third")
	for cut := 4; cut < len(text); cut++ { // the first bytes decide what a connection is
		out.write(text[:cut])
		taken := r.taken
		complete := strings.Count(text[:cut], "POST") - 1
		r.until(func() bool { return int(r.taken-taken) >= complete })
		out.write(text[cut:])
		r.until(func() bool { return r.taken == taken+3 })
		for _, want := range []string{"first", "second", "third"} {
			out.answered()
			if data, _ := c.event(); data != want {
				t.Fatalf("cut at %d: expected %q, found %q", cut, want, data)
			}
		}
	}
	for _, piece := range text {
		out.write(string(piece))
		r.step(0)
	}
	r.until(func() bool { return r.server.last%3 == 0 && r.taken == r.server.last })
}

func TestALargeBodyIsTakenWhole(t *testing.T) {
	r := newRig(t)
	out := dial(t, r.addr)
	var body strings.Builder
	for i := 0; body.Len() < bodyBytesMax; i++ {
		fmt.Fprintf(&body, "%07d ", i)
	}
	data := body.String()[:bodyBytesMax]
	for range 2 {
		before := r.taken
		// more than the socket takes at once
		go io.WriteString(out, request("a", data)+request("a", "after"))
		r.until(func() bool { return r.taken == before+2 })
		out.answered()
		out.answered()
		var texts []string
		for _, e := range append(r.spent, r.server.free...) {
			texts = append(texts, string(e.text))
		}
		want := fmt.Sprintf("data: %s\nid: %d-0\n\n", data, idFirst+before+1)
		if all := strings.Join(texts, ""); !strings.Contains(all, want) ||
			!strings.Contains(all, "data: after\n") {
			t.Error("the body was changed")
		}
	}
	if len(r.pending) != 1 {
		t.Errorf("%d publishers with a buffer", len(r.pending))
	}
	out.Close()
	r.until(func() bool { return len(r.pending) == 0 })
}

func TestAPublisherThatEndsHasPublished(t *testing.T) {
	r := newRig(t)
	c, out := r.subscribe("a"), dial(t, r.addr)
	r.publish(out, "a", "first")
	out.write(request("a", "last"))
	out.Close() // one report of epoll for both
	r.until(func() bool { return r.taken == 2 })
	for _, want := range []string{"first", "last"} {
		if data, _ := c.event(); data != want {
			t.Errorf("expected %q, found %q", want, data)
		}
	}
}

func TestWhatIsNoPublishEndsTheConnection(t *testing.T) {
	s, _ := serve(t, Config{})
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"} {
		out := dial(t, s.Addr())
		out.publish("a", "x")
		out.write(text)
		out.ended()
	}
}

// TestNothingIsAllocated: a publish and its broadcast in a steady state, the publisher's and the
// streams' ends included.
func TestNothingIsAllocated(t *testing.T) {
	const streams = 50
	r := newRig(t)
	var fds []int
	connect := func(first string) int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := unix.Connect(fd, sockaddr(r.addr)); err != nil {
			t.Fatal(err)
		}
		unix.Write(fd, []byte(first))
		return fd
	}
	for range streams {
		fds = append(fds, connect("GET /events?topic=all HTTP/1.1\r\n\r\n"))
	}
	r.until(func() bool { return r.streams() == streams })
	text := []byte(request("all", strings.Repeat("x", 100)))
	half := len(text) / 2
	out := connect(string(text))
	r.until(func() bool { return r.taken == 1 })

	var buffer [4096]byte
	run := func() {
		before := r.taken
		for _, piece := range [][]byte{text[:half], text[half:]} { // so that the rest is kept
			unix.Write(out, piece)
			for r.step(1000) == 0 {
			}
		}
		if r.taken != before+1 {
			t.Fatalf("%d events taken", r.taken-before)
		}
		for range beatsPerInterval {
			r.beat()
		}
		unix.Read(out, buffer[:])
		for _, fd := range fds {
			unix.Read(fd, buffer[:])
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if r.streams() != streams || r.server.Cut() != 0 {
		t.Errorf("%d streams left", r.streams())
	}
}

func TestAConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(connection{}); size != 8 {
		t.Errorf("%d bytes", size)
	}
}
