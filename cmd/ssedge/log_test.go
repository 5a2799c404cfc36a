package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/freeport"
)

// stuck is a writer that takes nothing until it is let go.
type stuck struct {
	free chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.free
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(b)
}

// TestLineQueue: writing does not wait; at the bound lines are dropped and counted, and that is
// said as soon as it can be.
func TestLineQueue(t *testing.T) {
	w := &stuck{free: make(chan struct{})}
	q := newLineQueue(w, func(w io.Writer, n uint64) {
		fmt.Fprintf(w, "%d lines were dropped\n", n)
	})
	line := []byte("line 0\n")
	q.Write(line)
	line[5] = '!' // it is the caller's again
	await(t, "the first line is being written", func() (bool, string) {
		return len(q.lines) == 0, fmt.Sprint(len(q.lines))
	})
	for n := range logLines {
		fmt.Fprintf(q, "line %d\n", n+1)
	}
	if n := q.dropped.Load(); n != 0 {
		t.Fatalf("%d lines were dropped within the bound", n)
	}
	for range 3 {
		io.WriteString(q, "dropped\n")
	}
	began := time.Now()
	if q.flush(); time.Since(began) < logPatience || q.dropped.Load() != 3 {
		t.Errorf("after %v %d lines were dropped, expected 3", time.Since(began), q.dropped.Load())
	}
	close(w.free)
	q.flush()
	got := w.got.String()
	if !strings.HasPrefix(got, "line 0\nline 1\n") ||
		!strings.HasSuffix(got, fmt.Sprintf("line %d\n3 lines were dropped\n", logLines)) ||
		strings.Count(got, "\n") != logLines+2 {
		t.Errorf("written were %d lines, at last %.200q", strings.Count(got, "\n"),
			got[len(got)-200:])
	}
}

// TestTheLogHoldsUpNothing: whatever becomes of the pipes that a server writes to, it serves, and
// ends in order.
func TestTheLogHoldsUpNothing(t *testing.T) {
	notRaced(t)
	for level, format := range map[string]string{"debug": "text", "info": "json", "warn": "text",
		"error": "json"} {
		for _, pipes := range []string{"closed", "full"} {
			t.Run(level+" "+format+" "+pipes, func(t *testing.T) {
				t.Parallel()
				serveWithPipes(t, pipes == "closed", "--log-level="+level, "--log-format="+format)
			})
		}
	}
}

func serveWithPipes(t *testing.T, closed bool, flags ...string) {
	free, err := freeport.Addresses(2)
	if err != nil {
		t.Fatal(err)
	}
	url, admin := "http://"+free[0].String(), "http://"+free[1].String()
	cmd := exec.Command(os.Args[0],
		append([]string{"serve", "--dev", "--listen=" + free[0].String(),
			"--admin=" + free[1].String()}, flags...)...)
	cmd.Env = append(os.Environ(), environment()...)
	for _, f := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if closed {
			r.Close()
		} else {
			defer r.Close()
			fill(t, w)
		}
		defer w.Close()
		*f = w
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer cmd.Process.Kill()
	await(t, "it is there", func() (bool, string) {
		got, err := http.Get(admin + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		got.Body.Close()
		return got.StatusCode == 200, got.Status
	})
	stream, err := http.Get(url + "/events?topic=t")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	for range 2 * logLines { // each is a line at level debug
		got, err := http.Post(url+"/nothing", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, got.Body)
		got.Body.Close()
	}
	// is answered with a line at any level: a development server has no keys
	cmd.Process.Signal(syscall.SIGHUP)
	if got, err := http.Post(url+"/publish?topic=t", "text/plain",
		strings.NewReader("heard")); err != nil || got.StatusCode != 200 {
		t.Fatal(got, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	said, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(said), "data: heard\n") ||
		!strings.Contains(string(said), `{"state":"drain"}`) {
		t.Errorf("the stream was sent %q, %v", said, err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%v: exit code %d", cmd.ProcessState, code)
	}
}

// fill writes to a pipe until nothing fits any more.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		syscall.SetNonblock(int(fd), true)
		for n := 4096; n > 0; {
			if _, err := syscall.Write(int(fd), make([]byte, n)); err != nil {
				n /= 2
			}
		}
		syscall.SetNonblock(int(fd), false)
	})
}
