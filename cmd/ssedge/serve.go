package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"ssedge/engine"
)

type serveCmd struct {
	Dev   bool `help:"Development: every client on this machine may publish and subscribe, and / is a page to try it."`
	Check bool `help:"Check the settings and exit."`

	Listen []string `help:"Public addresses: host:port, [v6]:port, unix:/path, or systemd:NAME for the sockets of that name (FileDescriptorName=) that systemd passes; with proxy: in front, connections there begin with a PROXY protocol header (default ${default})." default:"${listen}" placeholder:"ADDR" group:"Listeners"`
	Admin  string   `help:"Address for metrics, health and profiles; 'off' for none (default ${default})." default:"127.0.0.1:8081" placeholder:"ADDR" group:"Listeners"`

	Key        []string `help:"Bearer key that may publish and subscribe; several for rotation. Better set as SSEDGE_KEY, or with --key-file, where other users do not see it." placeholder:"KEY" group:"Access"`
	KeyFile    string   `help:"File with one key per line; SIGHUP reads it again." placeholder:"FILE" group:"Access"`
	Anonymous  []string `help:"Topics that anyone may subscribe to: a name, or the beginning of names and a *, as in 'public/*'." placeholder:"TOPIC" group:"Access"`
	CORSOrigin []string `name:"cors-origin" help:"Origins whose pages may subscribe and publish; * for all." placeholder:"ORIGIN" group:"Access"`

	TrustedProxies  []string `help:"Proxies that are believed when they say the client's address: addresses, networks, or unix for proxies that connect through a unix socket." placeholder:"NETWORK" group:"Proxies"`
	ForwardedHeader string   `help:"The field in which they say it: x-forwarded-for, or forwarded (RFC 7239). The address that counts is the last one that is no trusted proxy's." default:"${forwarded_header}" enum:"x-forwarded-for,forwarded" group:"Proxies"`

	Shards  int `help:"Loops that hold streams; 0: one per CPU." default:"0" group:"Cores"`
	Pollers int `help:"Threads that accept; 0: one per two CPUs." default:"0" group:"Cores"`

	StreamsMax      int               `help:"Streams held at a time; 0: what the limit on open files leaves." default:"${streams_max}" group:"Streams"`
	PerAddressMax   int               `help:"Streams of one client address (IPv6: one /64) at this server; 0: no bound." default:"${per_address_max}" group:"Streams"`
	AcceptRate      float64           `help:"New streams per second; 0: no bound." default:"${accept_rate}" group:"Streams"`
	TopicsPerStream int               `help:"Topics of one stream." default:"${topics_per_stream}" group:"Streams"`
	Heartbeat       time.Duration     `help:"Silence after which a comment is sent; 0: none." default:"${heartbeat}" group:"Streams"`
	Lifetime        time.Duration     `help:"The longest a stream lasts, less up to a tenth; 0: no limit." default:"${lifetime}" group:"Streams"`
	Retry           time.Duration     `help:"Reconnection time told to clients." default:"${retry}" group:"Streams"`
	RetryJitter     time.Duration     `help:"Up to this is added to it, different for each stream." default:"${retry_jitter}" group:"Streams"`
	WriteStall      time.Duration     `help:"A stream that takes no byte of what is due for this long is closed." default:"${write_stall}" group:"Streams"`
	SlowPolicy      string            `help:"What becomes of a client that falls behind the history: with 'gap' it is told so and goes on with the oldest event, with 'latest' with the newest, with 'close' its stream is closed." default:"${slow_policy}" enum:"gap,close,latest" group:"Streams"`
	TopicPolicy     map[string]string `help:"The same for some topics: --topic-policy='prices/*=latest,audit=close'." mapsep:"," placeholder:"TOPIC=POLICY" group:"Streams"`
	SendBuffer      size              `help:"Kernel send buffer of a stream in bytes (SO_SNDBUF); 0: the kernel sizes it." default:"${send_buffer}" group:"Streams"`
	NotSentLowat    size              `help:"Unsent bytes from which on a socket counts as full (TCP_NOTSENT_LOWAT); 0: the kernel's." default:"${not_sent_lowat}" group:"Streams"`
	UserTimeout     time.Duration     `help:"Sent bytes that are not acknowledged for this long end the connection (TCP_USER_TIMEOUT); 0: the kernel's." default:"${user_timeout}" group:"Streams"`
	Chunked         bool              `help:"Send streams in chunks (HTTP/1.1): a client can tell a stream that was cut off from one that ended. HAProxy holds chunks back, but for option http-no-delay." group:"Streams"`
	RestBytes       size              `help:"Half-sent events kept aside, in all." default:"${rest_bytes}" group:"Streams"`
	InboxMax        int               `help:"New streams waiting for each shard." default:"${inbox_max}" group:"Streams"`

	HeadBytes          size          `help:"Bytes of a request head, with an id to resume from." default:"${head_bytes}" group:"Requests"`
	HeadersMax         int           `help:"Header fields of a request." default:"${headers_max}" group:"Requests"`
	TargetBytes        size          `help:"Bytes of a request target, with an id to resume from." default:"${target_bytes}" group:"Requests"`
	HeadTimeout        time.Duration `help:"Time for a request head to be complete." default:"${head_timeout}" group:"Requests"`
	HeadsMax           int           `help:"Connections whose request head is not complete." default:"${heads_max}" group:"Requests"`
	HTTPConnectionsMax int           `name:"http-connections-max" help:"Connections with other requests than for streams." default:"${http_connections_max}" group:"Requests"`
	HTTPIdle           time.Duration `name:"http-idle" help:"Time such a connection is kept without a request." default:"${http_idle}" group:"Requests"`
	Workers            int           `help:"Connections handed over to net/http at a time." default:"${workers}" group:"Requests"`
	BodyBytes          size          `help:"Bytes of a JSON body." default:"${body_bytes}" group:"Requests"`
	PublishBytes       size          `help:"Bytes that all requests that publish may hold together: bodies, their events and receipts. Requests beyond that are answered 503." default:"${publish_bytes}" group:"Requests"`
	BodyTimeout        time.Duration `help:"Silence in a body after which it is given up." default:"${body_timeout}" group:"Requests"`

	TopicsMax     int           `help:"Topics at a time." default:"${topics_max}" group:"Topics and events"`
	TopicBytes    size          `help:"Bytes of a topic's name." default:"${topic_bytes}" group:"Topics and events"`
	EventBytes    size          `help:"Bytes of an event, data and name." default:"${event_bytes}" group:"Topics and events"`
	KeyBytes      size          `help:"Bytes of an idempotency key." default:"${key_bytes}" group:"Topics and events"`
	KeysMax       int           `help:"Idempotency keys remembered." default:"${keys_max}" group:"Topics and events"`
	KeyTTL        time.Duration `name:"key-ttl" help:"Time an idempotency key is remembered." default:"${key_ttl}" group:"Topics and events"`
	HistoryEvents int           `help:"Events of each topic kept for clients that come back or fall behind. Even if it is lower, a client that keeps up gets bursts of up to 1,024 events and 64 KiB whole; of a larger burst it may miss the oldest events, and is told of the gap." default:"${history_events}" group:"Topics and events"`
	HistoryBytes  size          `help:"Bytes of the same, at this edge: with --redis, what it no longer holds is read there for those that come back." default:"${history_bytes}" group:"Topics and events"`
	HistoryAge    time.Duration `help:"Age of the same." default:"${history_age}" group:"Topics and events"`
	HistoryMax    size          `help:"Bytes of all topics' history; beyond it the least recently used are dropped." default:"${history_max}" group:"Topics and events"`

	Redis            string        `help:"Where events come from and go to, if there are several edges: redis://host:port, redis+sentinel://host:port,…/master or redis+cluster://host:port,…; rediss for TLS." placeholder:"URL" group:"Redis"`
	RedisTLS         redisTLSFlags `embed:"" group:"Redis"`
	RedisPrefix      string        `help:"Prefix of channels and keys." default:"${redis_prefix}" group:"Redis"`
	FanIn            string        `help:"Through which channels events come: topic, one for each topic, and an edge subscribes those it needs; or partition, some for all topics." default:"${fan_in}" group:"Redis"`
	Partitions       int           `help:"With --fan-in=partition: how many; a power of two, the same for all edges and publishers." default:"${partitions}" group:"Redis"`
	RedisRequired    bool          `help:"Do not start while the servers are away." default:"true" negatable:"" group:"Redis"`
	RedisTTL         time.Duration `name:"redis-ttl" help:"Time the history of a topic without events is kept there." default:"${redis_ttl}" group:"Redis"`
	RedisTimeout     time.Duration `help:"Time for one answer." default:"${redis_timeout}" group:"Redis"`
	RedisProbe       time.Duration `help:"Time between two messages to oneself; when two are missing, the connection is given up." default:"${redis_probe}" group:"Redis"`
	RedisReadRate    int           `help:"Reads a second of events older than this edge's history, per client address and master; more must wait." default:"${redis_read_rate}" group:"Redis"`
	RedisCatchUpRate int           `help:"Topics a second that are looked at after a connection was lost, by each master." default:"${redis_catch_up_rate}" group:"Redis"`
	RedisPresence    time.Duration `help:"Time between two reports of an edge to Redis of its subscribers by topic." default:"${redis_presence}" group:"Redis"`
	RedisLinger      time.Duration `help:"Time a topic without subscribers is followed." default:"${redis_linger}" group:"Redis"`
	ReadyNeedsRedis  bool          `help:"/readyz says no while the servers are away; otherwise it says yes, degraded." group:"Redis"`
	Edge             string        `help:"Name of this edge among others (default: the host's, and a few letters)." placeholder:"NAME" group:"Redis"`

	DrainDelay   time.Duration `help:"Time after SIGTERM in which /readyz says no, and nothing else changes: for balancers to notice." default:"${drain_delay}" group:"The end"`
	DrainRate    float64       `help:"Streams closed per second after SIGTERM." default:"${drain_rate}" group:"The end"`
	DrainTimeout time.Duration `help:"Time after which the rest is closed at once." default:"${drain_timeout}" group:"The end"`

	MemoryMax size          `help:"Bytes in use from which on new streams are refused; 0: no bound. Memory that was given up and is only held for reuse does not count, nor do sockets." default:"${memory_max}" group:"Tuning"`
	TurnSends int           `help:"Sends of one turn of a shard." default:"${turn_sends}" group:"Tuning"`
	TurnTime  time.Duration `help:"Time of one turn of a shard." default:"${turn_time}" group:"Tuning"`

	LogFormat string `help:"text or json." default:"text" enum:"text,json" group:"Logs"`
	LogLevel  string `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" group:"Logs"`

	file      configFlag // where the settings come from, besides
	elsewhere []string   // settings there that are those of other commands
}

// AfterApply keeps the name of the file of settings, and what there is not for the server: one file may serve several commands.
func (c *serveCmd) AfterApply(all *cli, ctx *kong.Context) error {
	c.file = all.Config
	if all.file != nil {
		c.elsewhere = all.file.notOf(ctx.Selected())
	}
	return nil
}

// Help is what ssedge serve --help says below its first line.
func (serveCmd) Help() string {
	return sizeHelp + " Times have a unit, too: 500ms, 10s, 5m, 1h."
}

// config turns flags into the engine's settings.
func (c *serveCmd) config() (engine.Config, error) {
	d := engine.DefaultConfig()
	admin := c.Admin
	switch admin {
	case "off":
		admin = ""
	case "": // no metrics and no health are not what an empty variable means
		return d, errors.New("--admin: expected host:port, or off, found nothing")
	}
	keys, err := c.keys()
	if err != nil {
		return d, err
	}
	or := func(n, usual int) int {
		if n == 0 {
			return usual
		}
		return n
	}
	return engine.Config{
		Dev: c.Dev, Version: version(), Logger: slog.New(slog.DiscardHandler),
		Listen: c.Listen, Admin: admin,
		Keys: keys, Anonymous: c.Anonymous, CORSOrigins: c.CORSOrigin,
		TrustedProxies: c.TrustedProxies, ForwardedHeader: c.ForwardedHeader,
		Shards: or(c.Shards, d.Shards), Pollers: or(c.Pollers, d.Pollers),
		StreamsMax: c.StreamsMax, PerAddressMax: c.PerAddressMax, AcceptRate: c.AcceptRate, TopicsPerStream: c.TopicsPerStream,
		Heartbeat: c.Heartbeat, Lifetime: c.Lifetime, Retry: c.Retry, RetryJitter: c.RetryJitter, WriteStall: c.WriteStall,
		SlowPolicy: c.SlowPolicy, TopicPolicies: c.TopicPolicy,
		SendBuffer: int(c.SendBuffer), NotSentLowat: int(c.NotSentLowat), UserTimeout: c.UserTimeout, Chunked: c.Chunked, RestBytes: int64(c.RestBytes), InboxMax: c.InboxMax,
		HeadBytes: int(c.HeadBytes), HeadersMax: c.HeadersMax, TargetBytes: int(c.TargetBytes), HeadTimeout: c.HeadTimeout, HeadsMax: c.HeadsMax,
		HTTPConnectionsMax: c.HTTPConnectionsMax, HTTPIdle: c.HTTPIdle, Workers: c.Workers, BodyBytes: int64(c.BodyBytes), PublishBytes: int64(c.PublishBytes), BodyTimeout: c.BodyTimeout,
		TopicsMax: c.TopicsMax, TopicBytes: int(c.TopicBytes), EventBytes: int(c.EventBytes), KeyBytes: int(c.KeyBytes), KeysMax: c.KeysMax, KeyTTL: c.KeyTTL,
		HistoryEvents: c.HistoryEvents, HistoryBytes: int64(c.HistoryBytes), HistoryAge: c.HistoryAge, HistoryMax: int64(c.HistoryMax),
		Redis: c.Redis, RedisTLSCert: c.RedisTLS.Cert, RedisTLSKey: c.RedisTLS.Key, RedisTLSCA: c.RedisTLS.CA, RedisPrefix: c.RedisPrefix, FanIn: c.FanIn, Partitions: c.Partitions, RedisRequired: c.RedisRequired, RedisTTL: c.RedisTTL, RedisTimeout: c.RedisTimeout, RedisProbe: c.RedisProbe,
		RedisReadRate: c.RedisReadRate, RedisCatchUpRate: c.RedisCatchUpRate, RedisPresence: c.RedisPresence, RedisLinger: c.RedisLinger, ReadyNeedsRedis: c.ReadyNeedsRedis, Edge: edgeName(c.Edge),
		DrainDelay: c.DrainDelay, DrainRate: c.DrainRate, DrainTimeout: c.DrainTimeout,
		MemoryMax: int64(c.MemoryMax), TurnSends: c.TurnSends, TurnTime: c.TurnTime,
	}, nil
}

// edgeName is a name of this node that no other has.
func edgeName(given string) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		host = "edge"
	}
	return host + "-" + strconv.FormatUint(rand.Uint64N(1<<24), 36)
}

func (c *serveCmd) keys() ([]string, error) {
	keys := slices.Clone(c.Key)
	if c.KeyFile == "" {
		return keys, nil
	}
	text, err := readFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	given, number := len(keys), 0
	var wrong []error
	limits := engine.Config{HeadBytes: int(c.HeadBytes)}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) { // some editors begin a file with a byte order mark
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := limits.CheckKey(line); err != nil {
			wrong = append(wrong, fmt.Errorf("--key-file %s, line %d: %w", c.KeyFile, number, err))
		}
		keys = append(keys, line)
	}
	if len(keys) == given {
		return nil, fmt.Errorf("--key-file %s: expected at least one key, one in a line", c.KeyFile)
	}
	return keys, errors.Join(wrong...)
}

// Run serves until a signal.
func (c *serveCmd) Run() error {
	if c.Check {
		return c.run()
	}
	return c.record(c.run())
}

func (c *serveCmd) run() error {
	config, err := c.config()
	if err != nil {
		return err
	}
	if err := config.Validate(); err != nil {
		return err
	}
	if c.Check {
		return c.sayChecked(os.Stdout, &config)
	}
	out := c.newServerOutput()
	defer out.flush()
	config.Logger, config.LogDropped = c.logger(out.log), out.dropped
	slog.SetDefault(config.Logger) // what a library says goes there, too
	config.Inherited = passedSockets()
	m := newManager(config.Logger)
	if !c.Dev {
		config.WarnOfBudget(config.Logger)
		warnOfHost(config.StreamsMax, config.MemoryMax, c.StreamsMax > 0, config.Logger)
	}
	if len(c.elsewhere) > 0 {
		config.Logger.Warn("settings of the file are without effect: they are those of other commands", "config", string(c.file), "settings", strings.Join(c.elsewhere, ", "))
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	makeRoom(config.Shards) // before the shards look how much there is
	warnOfUnused(config.Inherited, config.Listen, config.Logger)
	e, err := engine.New(config)
	closeAll(config.Inherited)
	if err != nil {
		return unlessTold(signals, config.Logger, err)
	}
	defer e.Close()
	if err := e.Start(); err != nil {
		return err
	}
	config.Logger.LogAttrs(context.Background(), slog.LevelInfo, "started", append(e.InForce(), c.access(config.Keys)...)...)
	if c.Dev || c.LogFormat != "json" { // what collects JSON takes both outputs, as a rule
		c.greet(e, out.announce)
	}
	go c.reload(e, config.Logger, reload, m)
	go m.follow(e)
	return wait(e, signals, m)
}

// unlessTold is why a start has failed; nil if the process was told to end meanwhile: then it ends as it was told.
func unlessTold(signals <-chan os.Signal, log *slog.Logger, err error) error {
	select {
	case s := <-signals:
		log.Info("told to end before it had started", "signal", s.String(), "error", err)
		return nil
	default:
		return err
	}
}

// sayChecked is the answer of --check to settings that are in order.
func (c *serveCmd) sayChecked(to io.Writer, config *engine.Config) error {
	w := bufio.NewWriter(to)
	if idle := config.WithoutEffect(); len(idle) > 0 {
		fmt.Fprintln(w, "Without effect:", strings.Join(idle, ", "))
	}
	if len(c.elsewhere) > 0 {
		fmt.Fprintf(w, "Without effect: %s (%s)\n", strings.Join(c.elsewhere, ", "), c.notOfServe())
	}
	fmt.Fprintln(w, "The settings are in order.")
	if says, _ := config.Overcommitted(); says != "" {
		fmt.Fprintln(w, "But "+says+".")
	}
	return w.Flush()
}

// notOfServe is why settings of the file are without effect.
func (c *serveCmd) notOfServe() string {
	if len(c.elsewhere) == 1 {
		return "not a setting of serve"
	}
	return "not settings of serve"
}

// access is what the start says of access without a key.
func (c *serveCmd) access(keys []string) []slog.Attr {
	return []slog.Attr{slog.Int("keys", len(keys)), slog.String("key_file", c.KeyFile), slog.Any("anonymous", append([]string{}, c.Anonymous...)), slog.String("config", string(c.file))}
}

// sameSignal is how long a signal counts as a repetition of the first: coreutils' timeout, and shells, send it to the process and to
// its group.
const sameSignal = time.Second

// wait runs the server until a signal: the first drains it, another one, later, ends it at
// once.
func wait(e *engine.Engine, signals <-chan os.Signal, m *manager) error {
	<-signals
	began := time.Now()
	m.stop(e)
	drained := make(chan struct{})
	go func() {
		e.Drain()
		close(drained)
	}()
	for {
		select {
		case <-drained:
			return nil
		case s := <-signals:
			if time.Since(began) < sameSignal {
				continue
			}
			select {
			case <-drained: // both at once: there was nothing left to do
				return nil
			default:
				return fmt.Errorf("%v again: ended before all streams were told", s)
			}
		}
	}
}

// greet prints where the server listens and, for a start, what to try.
func (c *serveCmd) greet(e *engine.Engine, w io.Writer) {
	var first string
	for _, a := range e.Addrs() {
		where := "unix:" + a.String()
		if _, ok := a.(*net.TCPAddr); ok {
			where = "http://" + a.String()
			if first == "" && !e.ForProxies(a) {
				first = where
			}
		}
		if e.ForProxies(a) {
			where += ", for the proxies " + strings.Join(c.TrustedProxies, ", ") + " (PROXY protocol)"
		}
		fmt.Fprintf(w, "ssedge %s listens on %s\n", version(), where)
	}
	if a := e.AdminAddr(); a != nil {
		fmt.Fprintf(w, "metrics and health on http://%s\n", a)
	}
	if !c.Dev || first == "" {
		return
	}
	fmt.Fprintf(w, "\nOpen %s/ in a browser, or try:\n\n  curl -N '%s/events?topic=news'\n  curl -d 'hello' '%s/publish?topic=news'\n\n", first, first, first)
}
