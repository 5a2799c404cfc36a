package engine

import (
	"log/slog"
	"os"
	"runtime"
	"time"

	"ssedge/engine/fanin/redis"
	"ssedge/engine/intake"
	"ssedge/proto/rule"
)

// Config is every setting of a node. [DefaultConfig] has the defaults; the command
// line, the environment and the configuration file fill it in (cmd/ssedge), and
// each field is named there as it is here. Sizes are bytes.
type Config struct {
	Dev     bool // every client on this machine may publish and subscribe; the page at /
	Version string
	Logger  *slog.Logger

	// LogDropped is how many lines of the log were dropped because it was not read; nil: none ever is.
	LogDropped func() uint64

	// Listeners.
	Listen []string // "host:port", "unix:/path", or "systemd:NAME", a name of Inherited; with "proxy:" in front connections begin with a PROXY protocol header
	Admin  string   // "host:port"; "" for none

	// Inherited is listening sockets that were passed to the process, by name. They stay
	// the caller's, and may be closed after New.
	Inherited map[string][]*os.File

	// Access.
	Keys        []string // bearer keys that may publish and subscribe
	Anonymous   []string // topics, or beginnings of topics and a *, that anyone may subscribe to
	CORSOrigins []string // origins whose pages may subscribe and publish; "*" for all

	// Which proxies are believed when they say the client's address of a request.
	TrustedProxies  []string // addresses, networks, "unix"
	ForwardedHeader string   // x-forwarded-for or forwarded

	// Cores.
	Shards  int
	Pollers int // of the whole process

	// Streams.
	StreamsMax      int // 0: what the limit on open files leaves
	PerAddressMax   int // 0: no bound
	AcceptRate      float64
	TopicsPerStream int
	Heartbeat       time.Duration
	Lifetime        time.Duration // 0: no limit
	Retry           time.Duration
	RetryJitter     time.Duration
	WriteStall      time.Duration
	SlowPolicy      string            // gap, close or latest
	TopicPolicies   map[string]string // pattern → policy; the longest pattern that matches decides
	SendBuffer      int               // SO_SNDBUF; 0: the kernel sizes it
	NotSentLowat    int               // TCP_NOTSENT_LOWAT; 0: the kernel's
	UserTimeout     time.Duration     // TCP_USER_TIMEOUT
	Chunked         bool              // streams of HTTP/1.1 in chunks, which show that a stream was cut off
	RestBytes       int64             // half-sent events kept aside, in all
	InboxMax        int               // streams on their way into a shard

	// Requests.
	HeadBytes          int
	HeadersMax         int
	TargetBytes        int
	HeadTimeout        time.Duration
	HeadsMax           int
	HTTPConnectionsMax int
	HTTPIdle           time.Duration
	Workers            int   // hand-overs to net/http at a time
	BodyBytes          int64 // of a JSON body
	PublishBytes       int64 // that all requests that publish hold, together
	BodyTimeout        time.Duration

	// Topics and events.
	TopicsMax     int
	TopicBytes    int
	EventBytes    int
	KeyBytes      int
	KeysMax       int // idempotency keys remembered
	KeyTTL        time.Duration
	HistoryEvents int           // each topic
	HistoryBytes  int64         // each topic
	HistoryAge    time.Duration // each topic
	HistoryMax    int64         // all topics

	// Redis.
	Redis            string        // URL; "": events are published here and nowhere else
	RedisTLSCert     string        // files of PEM, read for each connection: the certificate that this node shows there,
	RedisTLSKey      string        // its key,
	RedisTLSCA       string        // and the CAs of the servers in place of the system's
	RedisPrefix      string        // of channels and keys
	FanIn            string        // through which channels events come: redis.FanIn
	Partitions       int           // with fan-in by partition
	RedisRequired    bool          // a node does not start while the servers are away
	RedisTTL         time.Duration // how long the history of a topic without events is kept there
	RedisTimeout     time.Duration // for one answer
	RedisProbe       time.Duration // between two messages to oneself
	RedisReadRate    int           // readings of older events a second, for the streams of one address and by each master
	RedisCatchUpRate int           // topics a second that are looked at after a connection was lost, by each master
	RedisPresence    time.Duration // how often a node says in Redis what it has
	RedisLinger      time.Duration // how long a topic without subscribers is followed
	ReadyNeedsRedis  bool          // not ready while the servers are away
	Edge             string        // the name of this node among others

	// The end.
	DrainDelay   time.Duration // not ready any more, but everything goes on: balancers learn of it
	DrainRate    float64
	DrainTimeout time.Duration

	MemoryMax int64 // bytes in use (package memory) from which on new streams are refused; 0: no bound

	TurnSends int
	TurnTime  time.Duration
}

// rule is what topics, events and keys may be.
func (c *Config) rule() rule.Limits {
	return rule.Limits{TopicBytes: c.TopicBytes, EventBytes: c.EventBytes, KeyBytes: c.KeyBytes}
}

// redisTLS is what connections with TLS to the servers have besides the URL.
func (c *Config) redisTLS() redis.TLSFiles {
	return redis.TLSFiles{Cert: c.RedisTLSCert, Key: c.RedisTLSKey, CA: c.RedisTLSCA}
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	cores := runtime.GOMAXPROCS(0)
	return Config{
		Version: "dev",
		Edge:    "edge",
		Logger:  slog.Default(),
		Listen:  []string{"127.0.0.1:8080"},
		Admin:   "127.0.0.1:8081",

		ForwardedHeader: intake.XForwardedFor,

		Shards:  min(cores, 64),
		Pollers: (cores + 1) / 2,

		TopicsPerStream: 32,
		Heartbeat:       25 * time.Second,
		Retry:           2 * time.Second,
		RetryJitter:     3 * time.Second,
		WriteStall:      30 * time.Second,
		SlowPolicy:      "gap",
		UserTimeout:     60 * time.Second,
		NotSentLowat:    16 << 10,
		RestBytes:       64 << 20,
		InboxMax:        16384,

		HeadBytes:          16 << 10,
		HeadersMax:         100,
		TargetBytes:        8 << 10,
		HeadTimeout:        10 * time.Second,
		HeadsMax:           8192,
		HTTPConnectionsMax: 1024,
		HTTPIdle:           75 * time.Second, // more than proxies keep connections: 60 s is usual
		Workers:            64,
		BodyBytes:          8 << 20,
		PublishBytes:       128 << 20,
		BodyTimeout:        30 * time.Second,

		TopicsMax:     1_000_000,
		TopicBytes:    256,
		EventBytes:    256 << 10,
		KeyBytes:      256,
		KeysMax:       100_000,
		KeyTTL:        2 * time.Minute,
		HistoryEvents: 10_000,
		HistoryBytes:  4 << 20,
		HistoryAge:    10 * time.Minute,
		HistoryMax:    256 << 20,

		RedisPrefix:      "sse:",
		FanIn:            "topic",
		Partitions:       64,
		RedisRequired:    true,
		RedisTTL:         time.Hour,
		RedisTimeout:     3 * time.Second,
		RedisProbe:       2 * time.Second,
		RedisReadRate:    100,
		RedisCatchUpRate: 50_000,
		RedisPresence:    10 * time.Second,
		RedisLinger:      15 * time.Second,

		DrainRate:    5000,
		DrainTimeout: 30 * time.Second,

		TurnSends: 128,
		TurnTime:  200 * time.Microsecond,
	}
}
