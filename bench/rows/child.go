package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	readyMax  = 15 * time.Second
	readyPoll = 20 * time.Millisecond
	saidBytes = 64 << 10 // of a child's output kept for the error message
)

// child is a running server.
type child struct {
	spec   spec
	target netip.AddrPort
	cmd    *exec.Cmd
	said   *tail
	exited chan struct{}
}

// start starts a server and waits until it accepts connections.
func (l *launcher) start(ctx context.Context, s spec) (*child, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c := &child{spec: s, target: listen, cmd: l.command(s, listen.String(), admin.String()), said: new(tail), exited: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	// The child dies with the thread that started it, so that none outlives this process whatever ends it.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
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
		c.stop()
		return nil, fmt.Errorf("%v: %w; it said:\n%s", s, err, c.said)
	}
	return c, nil
}

func (c *child) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyMax, fmt.Errorf("does not accept connections after %v", readyMax))
	defer cancel()
	for {
		conn, err := net.Dial("tcp", c.target.String())
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

func (c *child) stop() {
	c.cmd.Process.Kill()
	<-c.exited
}

// freeAddress is a loopback address nobody listens on now. Another process may take it before the child does; the
// child then fails to start and says so.
func freeAddress() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return netip.ParseAddrPort(l.Addr().String())
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
