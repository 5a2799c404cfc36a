package clients

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/freeport"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// serverHost is an address that no connection comes from: a port that is given up for a moment is
// still free afterwards.
const serverHost = "127.81.0.2"

var scratch string // a directory of this run

// atOnce is how many trials go on at a time: most of the time they wait.
const atOnce = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", atOnce)
	var err error
	if scratch, err = os.MkdirTemp("", "ssedge-clients"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	closeBrowsers()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// binary builds the server once; CLIENTS_BINARY names one that is built already.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CLIENTS_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(scratch, "ssedge")
	out, err := exec.Command("go", "build", "-o", path, "ssedge/cmd/ssedge").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, err
})

// server is ssedge in a process of its own.
type server struct {
	t       *testing.T
	address string
	key     string
	flags   []string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// startServer starts one whose clients come back soon. With a key its topics are private.
func startServer(t *testing.T, key string, flags ...string) *server {
	t.Helper()
	s := &server{t: t, address: serverHost + ":0", key: key, flags: flags}
	s.start()
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

// start starts it, at the address it had before.
func (s *server) start() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"serve", "--listen=" + s.address, "--admin=off", "--retry=200ms",
		"--retry-jitter=0s", "--heartbeat=1s", "--cors-origin=*"}
	if s.key == "" {
		args = append(args, "--dev")
	}
	s.cmd = exec.Command(path, append(args, s.flags...)...)
	s.cmd.Env = append(os.Environ(), "SSEDGE_KEY="+s.key)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.CreateTemp(scratch, "log")
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	said := bufio.NewScanner(out)
	for said.Scan() {
		if _, address, ok := strings.Cut(said.Text(), "http://"); ok {
			s.address = address
			break
		}
	}
	go func() {
		for said.Scan() { // Wait must not close the pipe under it
		}
		s.cmd.Wait()
		close(s.ended)
	}()
	if strings.HasSuffix(s.address, ":0") {
		text, _ := os.ReadFile(log.Name())
		s.t.Fatalf("the server did not start: %s", text)
	}
}

// end ends it with a signal and waits until it has exited.
func (s *server) end(signal syscall.Signal) {
	s.cmd.Process.Signal(signal)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Errorf("the server does not end after %v", signal)
		s.cmd.Process.Kill()
	}
}

// publisher keeps no connection.
var publisher = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// publish publishes an event and returns its id.
func (s *server) publish(topic string, e event) string {
	s.t.Helper()
	fields := map[string]any{"topic": topic, "data": e.data}
	if e.name != "" {
		fields["event"] = e.name
	}
	if e.retry > 0 {
		fields["retry"] = e.retry
	}
	body, err := json.Marshal(fields)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequest("POST", "http://"+s.address+"/publish",
		strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
	answer, err := publisher.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct{ ID, Error string }
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.ID == "" {
		s.t.Fatalf("publishing %q answered %s %v %v", e.name, answer.Status, got, err)
	}
	return got.ID
}

// occupy takes the one place of a server that has one, and returns what gives it back.
func (s *server) occupy() (leave func()) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ask, err := http.NewRequest("GET", "http://"+s.address+"/events?topic=other", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.key != "" {
			ask.Header.Set("Authorization", "Bearer "+s.key)
		}
		r, err := client.Do(ask)
		if err != nil {
			s.t.Fatal(err)
		}
		if r.StatusCode == 200 {
			return func() { r.Body.Close() }
		}
		r.Body.Close()
		if time.Now().After(deadline) {
			s.t.Fatalf("the place of a client that has gone does not get free: %s", r.Status)
		}
	}
}

// startRedis starts a Redis server of its own and returns its URL.
func startRedis(t *testing.T) (url string) {
	t.Helper()
	free, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	address, port := free[0].String(), fmt.Sprint(free[0].Port())
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (the package redis-server is missing; make test installs it)", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "redis://" + address
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen")
		}
	}
}
