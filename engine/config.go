package engine

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/engine/httpapi"
	"ssedge/engine/intake"
	"ssedge/engine/setting"
	"ssedge/engine/state"
	"ssedge/proto/rule"
	"ssedge/shard"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// Config is every setting of a node. [DefaultConfig] has the defaults. A setting is declared in one
// place, beside what it sets: the command line, the environment, the configuration file, the
// defaults, the bounds and the gauges of limits all follow from its field (package setting). Sizes
// are bytes.
type Config struct {
	Dev bool `help:"Development: every client on this machine may publish and subscribe, and / is a page to try it."`

	Listen []string `default:"127.0.0.1:8080" help:"Public addresses: host:port, [v6]:port, unix:/path, or systemd:NAME for the sockets of that name (FileDescriptorName=) that systemd passes; with proxy: in front, connections there begin with a PROXY protocol header (default ${default})." placeholder:"ADDR" group:"Listeners"`
	Admin  string   `default:"127.0.0.1:8081" help:"Address for metrics, health and profiles; 'off' for none (default ${default})." placeholder:"ADDR" group:"Listeners"`

	auth.Access             `group:"Access"`
	intake.CORS             `group:"Access"`
	intake.Trust            `group:"Proxies"`
	intake.StreamLimits     `group:"Streams"`
	shard.Delivery          `group:"Streams"`
	sys.SocketOptions       `group:"Streams"`
	intake.ConnectionLimits `group:"Requests"`
	httpapi.BodyLimits      `group:"Requests"`
	Rule                    rule.Limits `embed:"" group:"Topics and events"`
	topic.TableLimits       `group:"Topics and events"`
	fanin.Retention         `group:"Topics and events"`
	fanin.KeyLimit          `group:"Topics and events"`
	state.Settings          `group:"Topics and events"`

	Redis           redis.Settings `embed:"" group:"Redis"`
	ReadyNeedsRedis bool           `help:"/readyz says no while the servers are away; otherwise it says yes, degraded." group:"Redis"`
	Edge            string         `help:"Name of this edge among others (default: the host's, and a few letters)." placeholder:"NAME" group:"Redis"`

	DrainDelay   time.Duration `default:"0s" range:"0 or 1ms..500h" metric:"-" help:"Time after SIGTERM in which /readyz says no, and nothing else changes: for balancers to notice." group:"The end"`
	DrainRate    float64       `default:"5000" range:"0.001..1e9" metric:"-" help:"Streams closed per second after SIGTERM." group:"The end"`
	DrainTimeout time.Duration `default:"30s" range:"0 or 1ms..500h" metric:"-" help:"How long a drain may take: streams that are still open then are closed at once." group:"The end"`

	MemoryMax   int64 `type:"size" default:"0" range:"0.." metric:"memory_bytes_max" help:"Bytes in use from which on new streams are refused; 0: no bound. Memory that was given up and is only held for reuse does not count, nor do sockets." group:"Tuning"`
	shard.Turns `group:"Tuning"`

	// What the process gives a node besides. Inherited is listening sockets that were passed to the
	// process, by name: they stay the caller's, and may be closed after New. LogDropped is how many
	// lines of the log were dropped because it was not read; nil: none ever is.
	Version    string                `kong:"-"`
	Logger     *slog.Logger          `kong:"-"`
	LogDropped func() uint64         `kong:"-"`
	Inherited  map[string][]*os.File `kong:"-"`
}

// DefaultConfig returns the defaults. [Config.Check] replaces those that mean "as many as fit".
func DefaultConfig() Config {
	c := Config{Version: "dev", Edge: "edge", Logger: slog.Default()}
	setting.Default(&c)
	return c
}

// fill replaces what stands for a number or a name that the process chooses.
func (c *Config) fill() {
	cores := runtime.GOMAXPROCS(0)
	if c.Shards == 0 {
		c.Shards = min(cores, shard.ShardsMax)
	}
	if c.Pollers == 0 {
		c.Pollers = (cores + 1) / 2
	}
	if c.Edge == "" {
		c.Edge = NewEdgeName()
	}
}

// NewEdgeName is a name of this node that no other has.
func NewEdgeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "edge"
	}
	return host + "-" + strconv.FormatUint(rand.Uint64N(1<<24), 36)
}
