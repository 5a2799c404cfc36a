package intake

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"
	"github.com/panjf2000/ants/v2"

	"ssedge/engine/deadline"
	"ssedge/shard/sys"
)

// Config is what an intake needs to know. All fields must be set, Inherited only if
// Listen names some.
type Config struct {
	// "host:port", "[::1]:port", "unix:/path", or "systemd:NAME", a name of Inherited; "proxy:" in
	// front: connections begin with a PROXY protocol header
	Listen           []string
	ConnectionLimits // Pollers are of the whole process: the first intake decides
	Socket           sys.SocketOptions
	// descriptors of all connections together; the rest of the process's are for other things. 0:
	// no bound
	FilesMax int
	Clock    *deadline.Clock
	Logger   *slog.Logger

	// Inherited is listening sockets that were passed to the process, by name. They stay
	// the caller's, and may be closed after Open.
	Inherited map[string][]*os.File
}

// Intake is the public listeners of a node.
type Intake struct {
	config    Config
	admission *Admission
	acceptors []*acceptor
	adopted   map[string]bool // names of Inherited
	heads     *heads
	http      *httpListener
	workers   *ants.Pool
	loops     []loop
	places    places
	handing   atomic.Int64 // over to net/http, at the moment
	entering  atomic.Int64 // connections at net/http whose first request has no handler yet
	files     files
	suspected sync.Once // of being a proxy
	refused   sync.Map  // cause → *atomic.Uint64
}

// Open binds all addresses, or takes part in sockets that were passed; nothing is
// accepted before Serve. The error names the address.
func Open(c Config, a *Admission) (in *Intake, err error) {
	in = &Intake{config: c, admission: a, places: newPlaces(c.HTTPConnectionsMax)}
	in.files.open()
	defer func() {
		if err != nil {
			in.Close()
		}
	}()
	if in.workers, err = ants.NewPool(c.Workers, ants.WithNonblocking(true),
		ants.WithMaxBlockingTasks(0)); err != nil {
		return in, err
	}
	if in.heads, err = newHeads(in); err != nil {
		return in, err
	}
	for _, listen := range c.Listen {
		address, proxies := ListensForProxies(listen)
		if name, ok := strings.CutPrefix(address, InheritedPrefix); ok {
			if err := in.adopt(name, proxies); err != nil {
				return in, fmt.Errorf("--listen %s: %w", listen, err)
			}
			continue
		}
		network, where := sys.Network(address), address
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			network, where = "unix", path
		}
		fds, addr, err := sys.Listen(network, where, c.Pollers, c.Socket)
		if err != nil {
			return in, fmt.Errorf("--listen: cannot listen on %s: %w", address, err)
		}
		for _, fd := range fds {
			in.acceptors = append(in.acceptors, newAcceptor(in, fd, addr, proxies))
		}
	}
	in.warnOfUnixSocket()
	a.takeBack = in.takeBack
	in.http = &httpListener{conns: make(chan *Conn, c.HTTPConnectionsMax),
		addr: in.acceptors[0].addr}
	return in, nil
}

// Addrs returns the addresses listened on, in the order of the configuration.
func (in *Intake) Addrs() []net.Addr {
	var all []net.Addr
	for i, a := range in.acceptors {
		if i == 0 || a.addr != in.acceptors[i-1].addr {
			all = append(all, a.addr)
		}
	}
	return all
}

// ForProxies reports whether connections to one of them begin with a PROXY protocol header.
func (in *Intake) ForProxies(addr net.Addr) bool {
	return slices.ContainsFunc(in.acceptors, func(a *acceptor) bool {
		return a.addr == addr && a.proxies
	})
}

// HTTP returns the listener of everything that is not a stream.
func (in *Intake) HTTP() net.Listener { return in.http }

var netpollOnce sync.Once

// configureNetpoll sets up netpoll's pollers, which are one set per process.
func configureNetpoll(pollers int, log *slog.Logger) {
	netpollOnce.Do(func() {
		netpoll.Configure(netpoll.Config{PollerNum: pollers, LoadBalance: netpoll.RoundRobin,
			LoggerOutput: logWriter{log}})
	})
}

// logWriter turns netpoll's log lines into debug records: a client that reset its
// connection is not news.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("netpoll", "line", strings.TrimSpace(string(p)))
	return len(p), nil
}

// Serve begins to accept. It does not wait.
func (in *Intake) Serve() error {
	configureNetpoll(in.config.Pollers, in.config.Logger)
	if err := in.drive(in.heads); err != nil {
		return err
	}
	// Pollers are given out in turn. Only when the heads have theirs do the acceptors get one each.
	in.heads.set.Tick(time.Millisecond)
	select {
	case <-in.heads.polled:
	case <-in.loops[0].ended:
		return fmt.Errorf("incomplete request heads are not polled: %w",
			cmp.Or(*in.loops[0].err, net.ErrClosed))
	}
	in.heads.mu.Lock()
	if in.heads.used == 0 {
		in.heads.set.Tick(0)
	}
	in.heads.mu.Unlock()
	for _, a := range in.acceptors {
		if err := in.drive(a); err != nil {
			return err
		}
	}
	return nil
}

// loop is a listener that a poller of netpoll's drives.
type loop struct {
	netpoll.EventLoop
	ended chan struct{} // closed when Serve has returned
	err   *error        // what it returned then
}

// drive has a poller of netpoll's call ln.Accept whenever ln.Fd is readable.
func (in *Intake) drive(ln netpoll.Listener) error {
	events, err := netpoll.NewEventLoop(nil)
	if err != nil {
		return err
	}
	l := loop{events, make(chan struct{}), new(error)}
	in.loops = append(in.loops, l)
	go func() {
		defer close(l.ended)
		if err := l.Serve(ln); err != nil {
			*l.err = err
			in.config.Logger.Error("a listener is no longer polled", "address", ln.Addr(), "error",
				err)
		}
	}()
	return nil
}

// stop has the listener no longer polled, and closed.
func (l loop) stop() {
	for {
		l.Shutdown(context.Background()) // does nothing to a loop that is only about to serve
		select {
		case <-l.ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// StopAccepting closes the listening sockets. Connections that have sent no whole request have
// patience to do so, and are closed then; those that wait for their next request at once.
// Connections at net/http and streams stay.
func (in *Intake) StopAccepting(patience time.Duration) {
	if in.heads != nil {
		in.heads.endIdle()
	}
	// The heads are the first of the loops, and the last to end: as long as anything is
	// accepted there is a place for it.
	for i, l := range slices.Backward(in.loops) {
		if i == 0 {
			in.heads.awaitNone(patience)
		}
		l.stop()
	}
	for _, a := range in.acceptors {
		a.Close()
	}
	in.files.close()
	if in.heads != nil {
		in.heads.Close()
	}
}

// Close ends everything.
func (in *Intake) Close() {
	in.StopAccepting(0)
	if in.http != nil {
		in.http.Close()
	}
	if in.workers != nil {
		in.workers.Release()
	}
}

// Refused counts a refusal. cause is one of the few there are ([Refusals] and
// http1.Errors), not something that a client can make up.
func (in *Intake) Refused(cause string) {
	in.config.Logger.Debug("refused", "cause", cause)
	n, ok := in.refused.Load(cause)
	if !ok {
		n, _ = in.refused.LoadOrStore(cause, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(1)
}

// RefusedCount returns how often that was.
func (in *Intake) RefusedCount(cause string) uint64 {
	if n, ok := in.refused.Load(cause); ok {
		return n.(*atomic.Uint64).Load()
	}
	return 0
}

// HeadCount, HTTPCount and WorkerCount return the connections with an incomplete head, those that
// linger or are idle (IdleCount) among them, those at net/http, and the hand-overs there under way.
func (in *Intake) HeadCount() int   { return in.heads.count() }
func (in *Intake) IdleCount() int   { return in.heads.idleCount() }
func (in *Intake) HTTPCount() int   { return in.places.count() }
func (in *Intake) WorkerCount() int { return int(in.handing.Load()) }

// hasRoom reports whether one more connection may be kept: at the bound of all, the oldest
// incomplete head goes in its place.
func (in *Intake) hasRoom() bool {
	most := in.config.FilesMax
	// In the order in which connections move on: one that does so meanwhile is counted twice, not
	// missed.
	return most == 0 || in.HeadCount()+in.WorkerCount()+in.HTTPCount()+
		in.admission.Streams() < most || in.heads.makeRoom()
}

// EnteringCount returns the connections given to net/http whose first request, which is
// there, has no handler yet ([HandlerStarted]): Shutdown would close them without an answer.
func (in *Intake) EnteringCount() int { return int(in.entering.Load()) }
