package intake_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Without descriptors a node answers 503 or lets clients wait; it neither spins nor dies, and goes
// on when there are some again. The limit is the whole process's, so the server is this test in a
// process of its own; the clients are in this one.
func TestNoFilesLeft(t *testing.T) {
	if address := os.Getenv("SSEDGE_TEST_FILES"); address != "" {
		serveWithFewFiles(t, address)
		return
	}
	t.Parallel()
	path := t.TempDir() + "/s"
	child := exec.Command(os.Args[0], "-test.run=^TestNoFilesLeft$", "-test.timeout=60s")
	child.Env = append(os.Environ(), "SSEDGE_TEST_FILES="+path)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close() // ends it
		if err := child.Wait(); err != nil || t.Failed() {
			t.Errorf("%v\n%s", err, said.String())
		}
	}()
	await(t, "the child says where it listens", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, addr: address{"tcp", string(text)}}

	var streams []*client
	refused := 0
	for range 3 * fewFiles {
		c := n.ask(get("/events?topic=t"))
		resp, err := http.ReadResponse(c.r, nil)
		switch {
		case err != nil:
			t.Fatalf("no answer after %d streams: %v", len(streams), err)
		case resp.StatusCode == 200:
			streams = append(streams, c)
		case resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "":
			refused++
		default:
			t.Fatal(resp.Status)
		}
	}
	if len(streams) < 20 || refused < fewFiles {
		t.Errorf("%d streams, %d refused", len(streams), refused)
	}
	// A request needs descriptors, too: it is answered one way or the other.
	for range 20 {
		c := n.ask(get("/nope"))
		if resp, _ := c.answer("GET"); resp.StatusCode != 404 && resp.StatusCode != 503 {
			t.Error(resp.Status)
		}
	}
	t.Logf("%d streams, %d refused", len(streams), refused)
	before := cpu(t, child.Process.Pid)
	// what it uses while nothing happens can only be seen in time
	time.Sleep(300 * time.Millisecond)
	if used := cpu(t, child.Process.Pid) - before; used > 20 {
		t.Errorf("%d0 ms of CPU in 300 ms with nothing to do", used)
	}
	for _, c := range streams {
		c.Close()
	}
	await(t, "it serves again", func() bool {
		c := n.ask(get("/events?topic=t"))
		defer c.Close()
		resp, err := http.ReadResponse(c.r, nil)
		return err == nil && resp.StatusCode == 200
	})
}

// fewFiles is what the child may open.
const fewFiles = 100

type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

// serveWithFewFiles is the child: it serves until its input ends.
func serveWithFewFiles(t *testing.T, path string) {
	warm(t)
	n := start(t, nil)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = fewFiles
	if err := os.WriteFile(path+".new", []byte(n.addr.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	os.Stdin.Read(make([]byte, 1))
	n.quiet()
}

// cpu is the time a process has used, in hundredths of a second (proc(5), stat).
func cpu(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return user + system
}
