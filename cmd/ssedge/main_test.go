package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 90 * time.Second

// asProgram in the environment makes the test binary the program itself.
const asProgram = "TEST_AS_SSEDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	for _, v := range os.Environ() { // settings of the shell that runs the tests
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "SSEDGE_") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// program is a running command.
type program struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	ended  chan struct{}

	mu     sync.Mutex
	stderr bytes.Buffer
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

// said is what stands on standard error so far.
func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// environment makes a process of the test binary behave as ssedge.
func environment() []string { return []string{asProgram + "=1", "GORACE=atexit_sleep_ms=10"} }

// watched are the tests whose processes run with the race detector, too: those of what several
// goroutines of cmd/ssedge itself do. What the processes of the others do is watched in the tests
// of engine and bench.
var watched = []string{
	"TestARestartUnderLoad", "TestDrainDelay", "TestJSONLogsParse", "TestPublish",
	"TestServeAnnouncesItself", "TestSIGHUPReadsTheKeysAgain",
	"TestSubscribeLosesNothingOverCutConnections", "TestTheManagerIsTold",
	"TestTheWatchdogIsTold",
}

// start runs ssedge with these arguments. It is killed when the test ends, unless
// it has exited before.
func start(t testing.TB, args ...string) *program {
	t.Helper()
	return startCommand(t, exec.Command(os.Args[0], args...))
}

// startCommand runs a command that becomes ssedge.
func startCommand(t testing.TB, cmd *exec.Cmd) *program {
	t.Helper()
	notRaced(t)
	p := &program{t: t, cmd: cmd, ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), p.cmd.Env...), environment()...)
	p.cmd.Stderr = p
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p.stdout = bufio.NewScanner(r)
	p.stdout.Buffer(nil, 1<<20)
	go func() { p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		r.Close()
	})
	return p
}

// line returns the next line of standard output.
func (p *program) line() string {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	if !p.stdout.Scan() {
		p.t.Fatalf("no more output; standard error: %s", p.said())
	}
	return p.stdout.Text()
}

// exit waits for the end and returns the exit code.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%q does not exit; standard error: %s", p.cmd.Args[1:], p.said())
		return 0
	}
}

func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) hangUp() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

// awaitSaid waits until text stands on standard error.
func (p *program) awaitSaid(text string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("%q", text), func() (bool, string) {
		said := p.said()
		return strings.Contains(said, text), said
	})
}

// run runs ssedge to its end.
func run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return runWith(t, "", args...)
}

// runWith has something on standard input.
func runWith(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	notRaced(t)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), environment()...)
	var out, errors bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait() // its exit code says how it went
	return out.String(), errors.String(), cmd.ProcessState.ExitCode()
}

// serve runs ssedge serve on free ports and returns its public and its admin URL.
func serve(t testing.TB, flags ...string) (p *program, url, admin string) {
	t.Helper()
	return serveOn(t, "127.0.0.1:0", flags...)
}

func serveOn(t testing.TB, addr string, flags ...string) (p *program, url, admin string) {
	t.Helper()
	p = start(t, append([]string{"serve", "--listen=" + addr, "--admin=127.0.0.1:0"}, flags...)...)
	_, url, _ = strings.Cut(p.line(), " listens on ")
	_, admin, _ = strings.Cut(p.line(), " health on ")
	return p, url, admin // what else it says on standard output fits into the pipe
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() (bool, string)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		ok, seen := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("expected %s, found %s", what, seen)
		}
	}
}

// notRaced skips a test under the race detector, unless its processes are to be watched: all of
// them would take a minute and a half of processor time.
func notRaced(t testing.TB) {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); raced && !slices.Contains(watched, name) {
		t.Skip("not run with -race, which watches the code of its processes in the tests of engine and bench: go test ./cmd/ssedge runs it")
	}
}

// oneLine fails unless a command failed with one line that has all of these in it.
func oneLine(t *testing.T, stderr string, code int, wants ...string) {
	t.Helper()
	if code == 0 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d and %q: expected a failure in one line", code, stderr)
	}
	for _, want := range wants {
		if !strings.Contains(stderr, want) {
			t.Errorf("found %q, expected %q in it", stderr, want)
		}
	}
}
