package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ssedge/bench/baseline"
	"ssedge/bench/freeport"
	"ssedge/bench/observe"
)

const (
	readyMax  = 15 * time.Second
	readyPoll = 20 * time.Millisecond
	lifeMax   = 30 * time.Minute // of the servers that are told to end by themselves
	saidBytes = 64 << 10         // of a child's output kept for the error message
)

// Child is a running server.
type Child struct {
	Kind   Kind
	Listen netip.AddrPort
	cmd    *exec.Cmd
	output *tail
	exited chan struct{}
}

// Options are what a child is started with, beyond its kind.
type Options struct {
	Program   []string      // ssedge, by the command that starts it
	Arguments []string      // further ones of ssedge serve
	Heartbeat time.Duration // 0: ssedge's default, and none of the others
}

// Start starts a server and waits until it accepts connections. It dies with this process.
func Start(ctx context.Context, k Kind, o Options) (*Child, error) {
	var child *Child
	var err error
	for range 3 { // a free port may be taken by another before the child does
		if child, err = start(ctx, k, o); err == nil || ctx.Err() != nil ||
			!strings.Contains(err.Error(), "in use") {
			break
		}
	}
	return child, err
}

func start(ctx context.Context, k Kind, o Options) (*Child, error) {
	free, err := freeport.Addresses(2)
	if err != nil {
		return nil, err
	}
	listen, admin := free[0], free[1]
	args := append(o.Program[1:len(o.Program):len(o.Program)],
		arguments(k, o, listen.String(), admin.String())...)
	c := &Child{
		Kind: k, Listen: listen, cmd: exec.Command(o.Program[0], args...), output: new(tail),
		exited: make(chan struct{}),
	}
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	// measured as it is by default
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SSEDGE_")
	})
	// The child dies with the thread that started it, so that none outlives this process whatever
	// ends it. Ctrl-C is for the parent: the figures so far need a server.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		begin := c.cmd.Start
		if k.Name == Baseline {
			begin = func() error { return baseline.Start(c.cmd) }
		}
		err := begin()
		started <- err
		if err == nil {
			c.cmd.Wait()
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := c.waitReady(ctx); err != nil {
		c.Stop()
		return nil, fmt.Errorf("%v: %w; it said:\n%s", k, err, c.output)
	}
	return c, nil
}

func arguments(k Kind, o Options, listen, admin string) []string {
	if k.Name == Ssedge {
		args := []string{"serve", "--dev", "--listen", listen, "--admin", admin}
		if k.Shards > 0 {
			args = append(args, "--shards", strconv.Itoa(k.Shards))
		}
		if o.Heartbeat > 0 {
			args = append(args, "--heartbeat", o.Heartbeat.String())
		}
		return append(args, o.Arguments...)
	}
	args := []string{"bench", "server", k.Name, "--listen", listen, "--life", lifeMax.String(),
		"--heartbeat", o.Heartbeat.String()}
	if k.Shards > 0 {
		args = append(args, "--threads", strconv.Itoa(k.Shards))
	}
	return args
}

func (c *Child) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyMax,
		fmt.Errorf("does not accept connections after %v", readyMax))
	defer cancel()
	for {
		conn, err := net.Dial("tcp", c.Listen.String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-c.exited:
			return errors.New("exited at once")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(readyPoll):
		}
	}
}

// Process is what observe reads.
func (c *Child) Process() observe.Server { return observe.Server{c.cmd.Process.Pid} }

// Output is the end of what it printed.
func (c *Child) Output() string { return strings.TrimSpace(c.output.String()) }

// Stop kills it.
func (c *Child) Stop() {
	c.cmd.Process.Kill()
	<-c.exited
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - saidBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
