package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/deadline"
	"ssedge/engine/fanin"
	"ssedge/engine/httpapi"
	"ssedge/engine/intake"
	"ssedge/shard"
	"ssedge/shard/log"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// Engine is a node. Its methods may be called from any goroutine, each once, in the order New,
// Start, Drain, Close; Drain may be left out, and Close may cut it short.
type Engine struct {
	config    Config
	clock     *deadline.Clock
	access    *auth.Static
	admission *intake.Admission
	group     *shard.Group
	intake    *intake.Intake
	source    fanin.Source // where events come from
	history   *history     // nil: it goes with the process
	public    *httpapi.Public
	http      *http.Server
	admin     *http.Server
	adminLn   *httpapi.Bounded
	metrics   *metricSet
	started   time.Time
	unready   atomic.Bool
	draining  atomic.Bool
	ended     chan struct{}
	closing   sync.Once
}

var errDraining = errors.New("draining")

// New validates the configuration and binds all addresses; it serves nothing yet.
func New(c Config) (_ *Engine, err error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if idle := c.WithoutEffect(); len(idle) > 0 {
		c.Logger.Warn("some settings have no effect", "settings", strings.Join(idle, ", "))
	}
	e := &Engine{config: c, ended: make(chan struct{}), clock: deadline.NewClock()}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	e.access = auth.Open()
	if !c.Dev {
		if e.access, err = auth.NewStatic(c.Keys, c.Anonymous); err != nil {
			return nil, err
		}
	}
	proxies, _ := intake.NewProxies(c.TrustedProxies, c.ForwardedHeader) // validated
	e.admission = intake.NewAdmission(intake.AdmissionConfig{
		StreamLimits: c.StreamLimits, CORS: c.CORS,
		Request: intake.RequestLimits{TopicsPerStream: c.TopicsPerStream,
			TopicBytes: c.Rule.TopicBytes, TargetBytes: c.TargetBytes, HeadBytes: c.HeadBytes,
			PollMax: c.PollMax},
		Proxies: proxies, LocalHosts: c.Dev, Authorizer: e.access, Logger: c.Logger,
	})
	if e.source, err = e.openSource(); err != nil {
		return nil, err
	}
	if e.group, err = e.newGroup(); err != nil {
		return nil, err
	}
	if e.group.Crowded() {
		c.Logger.Warn("GOMAXPROCS leaves publishers and acceptors no place beside the shards: more than there are shards is better",
			"gomaxprocs", runtime.GOMAXPROCS(0), "shards", c.Shards)
	}
	if err := e.openHistory(); err != nil {
		return nil, err
	}
	e.group.Start()
	e.admission.Attach(e.group)
	e.source.Attach(e.group.Table())

	socket := c.SocketOptions
	socket.DeferAccept = time.Second
	if e.intake, err = intake.Open(intake.Config{
		Listen: c.Listen, Inherited: c.Inherited,
		ConnectionLimits: c.ConnectionLimits, Socket: socket, FilesMax: c.connectionFiles(),
		Clock: e.clock, Logger: c.Logger,
	}, e.admission); err != nil {
		return nil, err
	}
	if err := c.checkDevAddresses(e.intake.Addrs()); err != nil {
		return nil, err
	}
	if c.Admin != "" { // or e.adminLn stays nil, and its server serves nothing
		ln, err := net.Listen(sys.Network(c.Admin), c.Admin)
		if err != nil {
			return nil, fmt.Errorf("--admin: cannot listen on %s: %w", c.Admin, err)
		}
		e.adminLn = httpapi.NewBounded(ln, httpapi.AdminConnectionsMax, e.clock)
	}
	e.newServers()
	return e, nil
}

func (e *Engine) newGroup() (*shard.Group, error) {
	c := &e.config
	policy, err := c.policies()
	if err != nil {
		return nil, err
	}
	return shard.NewGroup(shard.Config{
		Turns: c.Turns, Delivery: c.Delivery, Policy: policy, OnClose: e.admission.Closed,
		OnDone: e.admission.Done,
	}, topic.Config{
		Retention: log.Retention{
			Events: c.HistoryEvents, Bytes: c.HistoryBytes,
			AgeMS: max(c.HistoryAge.Milliseconds(), 1), Window: log.SendWindow,
		},
		HistoryMax: c.HistoryMax, TopicsMax: c.TopicsMax,
		Upstream: e.source.Upstream(), LingerMS: c.Redis.Linger.Milliseconds(),
	})
}

func (e *Engine) newServers() {
	c := &e.config
	e.public = httpapi.NewPublic(httpapi.PublicConfig{
		Admission: e.admission, Authorizer: e.access, Source: e.source,
		Rule: c.Rule, BodyLimits: c.BodyLimits,
		Dev: c.Dev, Draining: e.draining.Load, Refused: e.intake.Refused, Logger: c.Logger,
	})
	e.http = &http.Server{
		Handler:           e.public,
		ReadHeaderTimeout: c.HeadTimeout,
		// for bodies that no handler reads; a handler that reads one sets its own
		ReadTimeout: c.BodyTimeout,
		// a body and an answer; a handler that writes more sets its own
		WriteTimeout:   2 * c.BodyTimeout,
		IdleTimeout:    c.HTTPIdle,
		MaxHeaderBytes: c.HeadBytes,
		// OPTIONS * is answered like everything else, with CORS.
		DisableGeneralOptionsHandler: true,

		ConnContext: intake.WithConn,
		ConnState:   intake.ConnState,
		ErrorLog:    slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	e.metrics = newMetrics(e)
	e.admin = &http.Server{
		Handler: e.adminLn.Handler(httpapi.NewAdmin(httpapi.AdminConfig{
			Source: e.source, Rule: c.Rule,
			Ready: e.Ready, Degraded: e.Degraded, Metrics: e.metrics.write, Status: e.status,
			Local: isLoopback(e.adminLn),
		})),
		ConnContext:       e.adminLn.ConnContext,
		ReadHeaderTimeout: c.HeadTimeout,
		ReadTimeout:       c.BodyTimeout,
		IdleTimeout:       c.HTTPIdle,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
}

// isLoopback reports whether a listener can only be reached from this machine.
func isLoopback(ln *httpapi.Bounded) bool {
	if ln == nil {
		return false
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// Start begins to serve. It does not wait.
func (e *Engine) Start() error {
	e.started = time.Now()
	if e.history != nil {
		if err := e.history.use(); err != nil {
			return err
		}
		go e.history.writeEvery(e.config.StateInterval, e.ended)
	}
	go e.watchMemory()
	go e.serve("public", e.http, e.intake.HTTP())
	if e.adminLn != nil {
		go e.serve("admin", e.admin, e.adminLn)
	}
	return e.intake.Serve()
}

func (e *Engine) serve(name string, s *http.Server, ln net.Listener) {
	if err := s.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) &&
		!errors.Is(err, net.ErrClosed) {
		e.config.Logger.Error("a listener has ended", "listener", name, "error", err)
	}
}

// SetKeys replaces the bearer keys; after an error the old ones go on.
func (e *Engine) SetKeys(keys []string) error {
	if e.config.Dev {
		return errors.New("a development server has no keys")
	}
	return e.access.SetKeys(keys)
}

// Addrs returns the public addresses; AdminAddr the admin one, nil if there is none.
func (e *Engine) Addrs() []net.Addr { return e.intake.Addrs() }

func (e *Engine) AdminAddr() net.Addr {
	if e.adminLn == nil {
		return nil
	}
	return e.adminLn.Addr()
}

// ForProxies reports whether only proxies may connect to one of Addrs, with the PROXY protocol.
func (e *Engine) ForProxies(a net.Addr) bool { return e.intake.ForProxies(a) }

// Streams returns how many streams there are.
func (e *Engine) Streams() int { return e.admission.Streams() }

// Ready says whether new streams should come here: nil, or why not.
func (e *Engine) Ready() error {
	if e.unready.Load() {
		return errDraining
	}
	if e.config.ReadyNeedsRedis {
		return e.Degraded()
	}
	return nil
}

// Drain takes the node out of service: it is no longer ready and, after the drain
// delay, accepts nothing; publishes under way are finished; then every stream is
// brought up to date, told when to come back, and closed, at the drain rate. When no
// stream is left, history is written if it is kept. It returns at the latest the
// drain timeout after the delay.
func (e *Engine) Drain() {
	c := &e.config
	e.unready.Store(true)
	c.Logger.Info("draining", "streams", e.Streams(), "delay", c.DrainDelay, "rate", c.DrainRate,
		"timeout", c.DrainTimeout)
	select {
	case <-time.After(c.DrainDelay):
	case <-e.ended:
		return
	}
	began := time.Now()
	// Connections that were accepted are served. Later ones are refused by the kernel, not here; at
	// an inherited socket they wait in the queue for the next node.
	e.intake.StopAccepting(headsPatience)
	e.finishRequests()
	e.refuseAll()
	told, cut := e.closed(shard.ClosedDrain), e.closed(shard.ClosedShutdown)
	e.group.Drain(c.DrainRate, max(c.DrainTimeout-e.writeTimeout()-time.Since(began), 0))
	c.Logger.Info("drained", "told", e.closed(shard.ClosedDrain)-told, "cut",
		e.closed(shard.ClosedShutdown)-cut,
		"took", time.Since(began).Round(time.Millisecond))
	if e.history != nil {
		e.history.writeLast(began.Add(c.DrainTimeout), e.ended)
	}
}

// closed is how many streams have been closed for that reason.
func (e *Engine) closed(reason shard.CloseReason) (n uint64) {
	for _, s := range e.group.Stats() {
		n += s.Closed[reason].Load()
	}
	return n
}

// headsPatience is how long a connection that was accepted has to ask for something when nothing
// is accepted any more: a round trip.
const headsPatience = 200 * time.Millisecond

// requestsTimeout is the most of the drain timeout that requests under way get.
const requestsTimeout = 5 * time.Second

// finishRequests waits for requests under way, so that what was accepted is in the
// logs before the first stream is told to go.
func (e *Engine) finishRequests() {
	patience := min(requestsTimeout, e.config.DrainTimeout/2)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.public.EndLines()
	// the last quarter is for the answers
	defer time.AfterFunc(patience*3/4, e.public.EndBodies).Stop()
	for e.intake.EnteringCount() > 0 && ctx.Err() == nil {
		// Shutdown would not wait for them
		time.Sleep(time.Millisecond)
	}
	if e.http.Shutdown(ctx) != nil {
		e.refuseAll()
		e.http.Close()
	}
}

// refuseAll refuses new streams and publishes.
func (e *Engine) refuseAll() {
	e.draining.Store(true)
	e.admission.Drain()
}

// Close ends everything at once.
func (e *Engine) Close() {
	e.closing.Do(func() {
		e.unready.Store(true)
		e.draining.Store(true)
		close(e.ended)
		if e.intake != nil {
			e.intake.Close()
		}
		if e.http != nil {
			e.http.Close()
			e.admin.Close()
		}
		if e.adminLn != nil {
			e.adminLn.Close()
		}
		if e.group != nil {
			e.group.Stop()
		}
		if e.source != nil {
			e.source.Close()
		}
		if e.history != nil {
			e.history.close()
		}
		e.clock.Close()
	})
}
