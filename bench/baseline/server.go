package baseline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// threadsMax is what the set of threads to wake, a word of bits, can hold.
const threadsMax = 64

// Config says where and how to serve. Only Listen is needed.
type Config struct {
	Listen    netip.AddrPort // port 0: one the kernel picks
	Threads   int            // 1 to 64; 0: one
	Heartbeat time.Duration  // how often each stream is sent a comment, 10 ms or more; 0: never
}

// Server holds the threads. Addr and Cut may be called from any goroutine.
type Server struct {
	addr      netip.AddrPort
	heartbeat time.Duration
	threads   []*thread
	stopping  atomic.Bool
	// events handed to the threads so far: tells a thread whether to look into its inbox
	posted atomic.Uint64

	mu   sync.Mutex // guards the following, and the inbox of every thread
	last uint64     // number of the last event
	free []*event   // sent by all threads, to be used again
}

// Listen opens the sockets: from now on connections are queued. Serve must follow, which closes
// them.
func Listen(c Config) (*Server, error) {
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Threads < 1 || c.Threads > threadsMax {
		return nil, fmt.Errorf("baseline: expected 1 to %d threads, found %d", threadsMax,
			c.Threads)
	}
	if !c.Listen.Addr().IsValid() {
		return nil, errors.New("baseline: expected an address to listen on, found none")
	}
	if c.Heartbeat != 0 && c.Heartbeat < heartbeatMin {
		return nil,
			fmt.Errorf("baseline: expected a heartbeat every %v or more, or 0 for none, found %v",
				heartbeatMin, c.Heartbeat)
	}
	if err := checkUnused(c.Listen); err != nil {
		return nil, fmt.Errorf("baseline: %v: %w", c.Listen, err)
	}
	s := &Server{addr: c.Listen, heartbeat: c.Heartbeat}
	for i := range c.Threads {
		t, err := newThread(s, i)
		if err != nil {
			s.release()
			return nil, fmt.Errorf("baseline: %v: %w", s.addr, err)
		}
		s.addr = t.addr // the first may have been given a port, which the others share
		s.threads = append(s.threads, t)
	}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Cut is how many streams were closed because they could not take a whole event or heartbeat.
func (s *Server) Cut() (sum uint64) {
	for _, t := range s.threads {
		sum += t.cut.Load()
	}
	return sum
}

// Serve serves until ctx ends, and then returns nil with everything closed. It returns an error,
// also with everything closed, if the kernel refuses what a stream needs: the measurement would be
// of something else. Call it once. It raises GOMAXPROCS if that is not more than the number of
// threads.
func (s *Server) Serve(ctx context.Context) error {
	// A thread that has something to do does not let go of its P: the spare one is for all others
	// in the process.
	if spare := len(s.threads) + 1; runtime.GOMAXPROCS(0) < spare {
		runtime.GOMAXPROCS(spare)
	}
	ended := make(chan error, len(s.threads))
	for _, t := range s.threads {
		go func() { ended <- t.run() }()
	}
	var failed error
	cancelled := ctx.Done()
	for left := len(s.threads); left > 0; {
		select {
		case <-cancelled:
			cancelled = nil
			s.stop()
		case err := <-ended:
			left--
			if err != nil {
				failed = errors.Join(failed, err)
				s.stop()
			}
		}
	}
	s.release() // only now: until its end a thread may ring any other
	return failed
}

func (s *Server) stop() {
	s.stopping.Store(true)
	for _, t := range s.threads {
		wakeThread(t.wake)
	}
}

func (s *Server) release() {
	for _, t := range s.threads {
		t.release()
	}
}
