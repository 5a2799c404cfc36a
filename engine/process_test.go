package engine_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var scratch string // a directory of this run

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "ssedge-test"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "ssedge")
	args := []string{"build", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "ssedge/cmd/ssedge")...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, err
})

// process is a server in a process of its own.
type process struct {
	server
	cmd    *exec.Cmd
	pid    string
	stderr said
	ended  chan struct{} // closed when it has exited, with code
	code   int
}

// startProcess runs ssedge serve --dev with further flags. It is killed when the
// test ends, unless it has exited before.
func startProcess(t testing.TB, flags ...string) *process {
	t.Helper()
	return startProcessIn(t, nil, flags...)
}

// startProcessIn is startProcess with more in its environment.
func startProcessIn(t testing.TB, env []string, flags ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(path,
		append([]string{"serve", "--dev", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"},
			flags...)...)
	p.cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=10"), env...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = fmt.Sprint(p.cmd.Process.Pid)
	said := bufio.NewScanner(out)
	var addr, admin string
	for (addr == "" || admin == "") && said.Scan() {
		if before, after, ok := strings.Cut(said.Text(), "http://"); ok {
			if strings.Contains(before, "metrics") {
				admin = after
			} else {
				addr = after
			}
		}
	}
	go func() {
		for said.Scan() { // Wait must not close the pipe under it
		}
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		p.http.CloseIdleConnections()
	})
	p.server = newServer(addr, admin)
	if addr == "" || admin == "" {
		p.cmd.Process.Kill()
		<-p.ended
		t.Fatalf("the server did not start: %s", p.stderr.String())
	}
	return p
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v: %v", s, err)
	}
}

// exit waits for the end of the process and returns its code.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.code
	case <-time.After(patience):
		t.Fatal("the process does not exit")
		return 0
	}
}

// awaitNotReady waits until /readyz says so.
func (p *process) awaitNotReady(t testing.TB) {
	t.Helper()
	await(t, "/readyz to answer 503", func() (bool, string) {
		status, body := p.get(t, p.admin, "/readyz")
		return status == 503, fmt.Sprint(status, " ", body)
	})
}
