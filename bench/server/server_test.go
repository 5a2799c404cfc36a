package server_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/server"
)

// asServer in the environment says what the test binary does as a server: it fails, or it listens.
const asServer = "TEST_AS_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(asServer) {
	case "":
		os.Exit(m.Run())
	case "fails":
		fmt.Fprintln(os.Stderr, "no such thing:", os.Args[1:])
		os.Exit(3)
	case "listens":
		fmt.Println(strings.Join(os.Args[1:], " "))
		listen := flag.NewFlagSet("", flag.ContinueOnError)
		address := listen.String("listen", "", "")
		listen.Parse(os.Args[slices.Index(os.Args, "--listen"):])
		l, err := net.Listen("tcp", *address)
		if err != nil {
			os.Exit(1)
		}
		for {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}
	case "waits":
		fmt.Println("I wait")
		time.Sleep(time.Hour)
	}
}

func TestParseKind(t *testing.T) {
	for text, want := range map[string]server.Kind{
		"ssedge": {Name: "ssedge"}, "twin": {Name: "twin"}, "baseline": {Name: "baseline"},
		"ssedge/1": {"ssedge", 1}, "ssedge/64": {"ssedge", 64}, "baseline/2": {"baseline", 2},
	} {
		k, err := server.ParseKind(text)
		if err != nil || k != want || k.String() != text {
			t.Errorf("%s: expected %+v, found %+v, %v", text, want, k, err)
		}
	}
	for _, text := range []string{"", "nginx", "SSEDGE", "ssedge/", "ssedge/0", "ssedge/-1",
		"ssedge/65", "ssedge/x", "ssedge/1/2", "twin/2", "/2", " ssedge"} {
		if k, err := server.ParseKind(text); err == nil ||
			!strings.Contains(err.Error(), fmt.Sprintf("found %q", text)) {
			t.Errorf("%q: expected an error, found %+v, %v", text, k, err)
		}
	}
}

var program = []string{os.Args[0], "before"}

// TestAServerThatExits says what it printed.
func TestAServerThatExits(t *testing.T) {
	t.Setenv(asServer, "fails")
	t.Setenv("GORACE", "atexit_sleep_ms=10")
	c, err := server.Start(t.Context(), server.Kind{Name: server.Ssedge, Shards: 2},
		server.Options{Program: program, Arguments: []string{"--odd"}})
	for _, part := range []string{"ssedge/2", "exited", "no such thing", "before serve",
		"--shards 2", "--odd"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("expected %q, found %v, %v", part, c, err)
		}
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := server.Start(t.Context(), server.Kind{Name: server.Ssedge},
		server.Options{Program: []string{"/nowhere/at/all"}})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Errorf("found %v", err)
	}
}

// TestTheContextEndsTheWait for a server that does not listen, and the server.
func TestTheContextEndsTheWait(t *testing.T) {
	t.Setenv(asServer, "waits")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := server.Start(ctx, server.Kind{Name: server.Twin}, server.Options{Program: program})
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("found %v, %v", c, err)
	}
}

// TestStopEndsTheServer at once, and once more does nothing.
func TestStopEndsTheServer(t *testing.T) {
	t.Setenv(asServer, "listens")
	t.Setenv("SSEDGE_LISTEN", "x")
	for _, k := range []struct {
		kind    server.Kind
		heart   time.Duration
		expects []string
	}{
		{server.Kind{Name: server.Ssedge}, 0,
			[]string{"before serve --dev --listen 127.0.0.1:", "--admin 127.0.0.1:", "--odd"}},
		{server.Kind{Name: server.Ssedge, Shards: 3}, time.Second,
			[]string{"--shards 3", "--heartbeat 1s"}},
		{server.Kind{Name: server.Baseline, Shards: 2}, 0,
			[]string{"before bench server baseline --listen 127.0.0.1:", "--threads 2", "--life",
				"--heartbeat 0s"}},
		{server.Kind{Name: server.Twin}, time.Second,
			[]string{"bench server twin", "--heartbeat 1s"}},
	} {
		c, err := server.Start(t.Context(), k.kind,
			server.Options{Program: program, Arguments: []string{"--odd"}, Heartbeat: k.heart})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range k.expects {
			if !strings.Contains(c.Output(), part) {
				t.Errorf("%v: expected %q, found %q", k.kind, part, c.Output())
			}
		}
		pid := c.Process()[0]
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(environment), "SSEDGE_LISTEN") {
			t.Errorf("%v: found the settings of this process's user, %v", k.kind, err)
		}
		c.Stop()
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("%v: expected no process %d, found %v", k.kind, pid, err)
		}
		if conn, err := net.Dial("tcp", c.Listen.String()); err == nil {
			t.Errorf("%v: it still listens at %v", k.kind, conn.RemoteAddr())
			conn.Close()
		}
		c.Stop()
	}
}
