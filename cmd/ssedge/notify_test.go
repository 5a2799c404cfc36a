package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// inboxOf listens as a service manager does, and returns what to put into NOTIFY_SOCKET
// and a function that returns the next message.
func inboxOf(t *testing.T, path string) (next func() string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return func() string {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("no message: %v", err)
		}
		return string(buf[:n])
	}
}

func notifying(path string, more ...string) func(args ...string) *exec.Cmd {
	return func(args ...string) *exec.Cmd {
		cmd := exec.Command(os.Args[0],
			append([]string{"serve", "--listen=127.0.0.1:0"}, args...)...)
		cmd.Env = append(more, "NOTIFY_SOCKET="+path)
		return cmd
	}
}

// TestTheManagerIsTold in this order, at a path and at an abstract name: when /readyz says
// yes, around the reading of keys, and when the drain begins.
func TestTheManagerIsTold(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	for _, path := range []string{filepath.Join(dir, "notify"),
		"@" + filepath.Join(dir, "notify")} {
		if err := os.WriteFile(keys, []byte("one\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		next := inboxOf(t, path)
		server := startCommand(t, notifying(path)("--key-file="+keys, "--admin=127.0.0.1:0",
			"--drain-delay=1h"))
		server.line()
		_, admin, _ := strings.Cut(server.line(), " health on ")
		expect := func(pattern string) {
			t.Helper()
			if got := next(); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
				t.Errorf("%s: found %q, expected %s", path, got, pattern)
			}
		}
		expect(`READY=1\nSTATUS=serving`)
		if status, body := get(t, admin+"/readyz"); status != 200 {
			t.Errorf("ready, and /readyz says %d %s", status, body)
		}
		server.hangUp()
		expect(`RELOADING=1\nMONOTONIC_USEC=[0-9]+`)
		expect(`READY=1\nSTATUS=serving`)
		if err := os.Remove(keys); err != nil {
			t.Fatal(err)
		}
		server.hangUp()
		expect(`RELOADING=1\nMONOTONIC_USEC=[0-9]+`)
		expect(`READY=1\nSTATUS=serving; the keys stay as they were: [^\n]*no such file[^\n]*`)
		server.terminate()
		expect(`STOPPING=1\nSTATUS=draining 0 streams`)
		time.Sleep(sameSignal + 100*time.Millisecond)
		server.terminate()
		server.exit()
	}
}

// TestAManagerThatIsGone is no reason not to serve, and is said once.
func TestAManagerThatIsGone(t *testing.T) {
	server := startCommand(t, notifying(filepath.Join(t.TempDir(), "gone"))("--dev", "--admin=off"))
	_, url, _ := strings.Cut(server.line(), " listens on ")
	server.awaitSaid("cannot be notified")
	get(t, url+"/")
	server.hangUp()
	server.awaitSaid("keys stay as they were")
	server.terminate()
	if code := server.exit(); code != 0 || strings.Count(server.said(), "cannot be notified") != 1 {
		t.Errorf("exit code %d, %s", code, server.said())
	}
}

// TestTheWatchdogIsTold while shards turn; not if it watches another process.
func TestTheWatchdogIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	next := inboxOf(t, path)
	server := startCommand(t, notifying(path, "WATCHDOG_USEC=20000")("--dev", "--admin=off"))
	for _, want := range []string{"READY=1\nSTATUS=serving", "WATCHDOG=1", "WATCHDOG=1",
		"WATCHDOG=1"} {
		if got := next(); got != want {
			t.Errorf("found %q, expected %q", got, want)
		}
	}
	server.terminate()
	server.exit()
	other := startCommand(t, notifying(path, "WATCHDOG_USEC=20000", "WATCHDOG_PID=1")("--dev",
		"--admin=off"))
	for got := ""; !strings.HasPrefix(got, "READY="); got = next() {
		// the first server's last words
	}
	other.hangUp()
	if got := next(); !strings.HasPrefix(got, "RELOADING=") {
		t.Errorf("found %q, expected nothing before the reload", got)
	}
}

// someNode is as ready and as alive as a test says.
type someNode struct{ unready, stuck atomic.Bool }

func (n *someNode) Ready() error {
	if n.unready.Load() {
		return errors.New("redis:\n  away")
	}
	return nil
}
func (n *someNode) Streams() int             { return 7 }
func (n *someNode) Pulse(time.Duration) bool { return !n.stuck.Load() }

// TestTheEnvironmentIsTakenAway: children would speak for this process.
func TestTheEnvironmentIsTakenAway(t *testing.T) {
	taken := []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
		"LISTEN_FDNAMES"}
	for _, name := range taken {
		t.Setenv(name, "0")
	}
	newManager(slog.New(slog.DiscardHandler))
	if got := passedSockets(); got != nil {
		t.Errorf("found %v", got)
	}
	for _, name := range taken {
		if value, ok := os.LookupEnv(name); ok {
			t.Errorf("%s is still %q", name, value)
		}
	}
}

// TestANodeThatIsNotReadyAsksForTime, and says why; settings that are read again meanwhile do
// not make it ready; and after STOPPING nothing says that it is.
func TestANodeThatIsNotReadyAsksForTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	next := inboxOf(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	m := newManager(slog.New(slog.DiscardHandler))
	var n someNode
	n.unready.Store(true)
	if m.notifyReady(&n) {
		t.Error("a node that is not ready is")
	}
	done := 0
	m.reload(func() string { done++; return "" })
	n.unready.Store(false)
	if !m.notifyReady(&n) {
		t.Error("a node that is ready is not")
	}
	m.reload(func() string { done++; return "as new" })
	m.stop(&n)
	m.reload(func() string { done++; return "" })
	if !m.notifyReady(&n) || done != 3 {
		t.Errorf("settings were read %d times, expected 3", done)
	}
	m.mu.Lock()
	m.notify("END")
	m.mu.Unlock()
	var got []string
	for len(got) == 0 || got[len(got)-1] != "END" {
		got = append(got, regexp.MustCompile(`MONOTONIC_USEC=[0-9]+`).ReplaceAllString(next(),
			"MONOTONIC_USEC"))
	}
	want := []string{"EXTEND_TIMEOUT_USEC=5000000\nSTATUS=not ready: redis: away",
		"READY=1\nSTATUS=serving",
		"RELOADING=1\nMONOTONIC_USEC", "READY=1\nSTATUS=as new",
		"STOPPING=1\nSTATUS=draining 7 streams", "END"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, expected %q", got, want)
	}
}

// TestAStuckShardIsNotAlive: the watchdog is told nothing until it turns again.
func TestAStuckShardIsNotAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	next := inboxOf(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000")
	said := &program{}
	m := newManager(slog.New(slog.NewTextHandler(said, nil)))
	var n someNode
	n.stuck.Store(true)
	go m.follow(&n)
	if got := next(); !strings.HasPrefix(got, "READY=1") {
		t.Errorf("found %q", got)
	}
	await(t, "the shard to be missed", func() (bool, string) {
		return strings.Contains(said.said(), "makes no turns"), said.said()
	})
	m.serving("SO FAR")
	if got := next(); got != "SO FAR" {
		t.Errorf("found %q though a shard is stuck", got)
	}
	n.stuck.Store(false)
	if got := next(); got != "WATCHDOG=1" {
		t.Errorf("found %q", got)
	}
	m.stop(&n)
}
