package clients

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// order is what a client is told: the line that starts it.
type order struct {
	URL   string   `json:"url"`
	Key   string   `json:"key,omitempty"`
	Names []string `json:"names"` // of the events to listen to; those that listen to all ignore it
}

// session is a client that follows a stream.
type session struct {
	mu    sync.Mutex
	all   []heard
	ended string // why, once the client says that it is over
	stop  func()
}

func (s *session) take(line []byte) {
	var h heard
	if err := json.Unmarshal(line, &h); err != nil {
		h = heard{What: "noise", Why: string(line)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, h)
	if h.What == "ended" {
		s.ended = h.Why
		if s.ended == "" {
			s.ended = "ended"
		}
	}
}

func (s *session) heard() []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]heard(nil), s.all...)
}

func (s *session) over() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// installed is the folder with node_modules, and in it links to our own scripts: Node.js looks
// for packages from where a script is.
var installed = sync.OnceValues(func() (dir string, err error) {
	from, err := filepath.Abs("../../bin/clients/node_modules")
	if err != nil {
		return "", err
	}
	want, err := packages()
	if err != nil {
		return "", err
	}
	for _, p := range want {
		if _, err := os.Stat(filepath.Join(from, p, "package.json")); err != nil {
			return "",
				fmt.Errorf("the package %s is missing: make test, or engine/clients/install.sh, installs it",
					p)
		}
	}
	dir = filepath.Join(scratch, "node")
	if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
		return "", err
	}
	return dir, os.Symlink(from, filepath.Join(dir, "node_modules"))
})

// packages are the names that node/package.json depends on.
func packages() (names []string, err error) {
	text, err := os.ReadFile("node/package.json")
	if err != nil {
		return nil, err
	}
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	for name := range p.Dependencies {
		names = append(names, name)
	}
	return names, nil
}

// goClients builds the clients of Go once.
var goClients = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "goclients")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "goclients"
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build in goclients: %w\n%s", err, out)
	}
	return path, err
})

// inNode and inGo start clients that are programs of their own.
func inNode(script string) func(*testing.T, *trial, order) *session {
	return func(t *testing.T, _ *trial, o order) *session {
		t.Helper()
		dir, err := installed()
		if err != nil {
			t.Fatal(err)
		}
		node := filepath.Join(dir, "node_modules/.bin/node")
		if _, err := os.Stat(node); errors.Is(err, fs.ErrNotExist) {
			node = "node" // there is none to install for this processor
		}
		return startProgram(t, o, dir, node, "--no-warnings", "run.mjs", script)
	}
}

// withProgram starts a client that starts a program.
func withProgram(name string, start func(*testing.T, *trial, order) *session) func(*testing.T,
	*trial, order) *session {
	return func(t *testing.T, r *trial, o order) *session {
		t.Helper()
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("the package %s is missing; make test installs it", name)
		}
		return start(t, r, o)
	}
}

func inGo(name string) func(*testing.T, *trial, order) *session {
	return func(t *testing.T, _ *trial, o order) *session {
		t.Helper()
		path, err := goClients()
		if err != nil {
			t.Fatal(err)
		}
		return startProgram(t, o, ".", path, name)
	}
}

func startProgram(t *testing.T, o order, dir, program string, args ...string) *session {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, string(text))...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			s.take(line)
		}
	}()
	s.stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM) // curl.mjs ends its curl
		select {
		case <-read:
		case <-time.After(2 * time.Second):
			cmd.Process.Kill()
			<-read
		}
		cmd.Wait()
		if complaints.Len() > 0 {
			t.Logf("%s said: %.2000s", program, complaints.String())
		}
	})
	t.Cleanup(s.stop)
	return s
}
