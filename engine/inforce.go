package engine

import (
	"log/slog"
	"math"
	"net"

	"ssedge/engine/fanin/redis"
)

// InForce is what bounds the node and where it listens, after defaults and the process's limits
// were taken into account: for one line of the log. It holds no key and no password.
func (e *Engine) InForce() []slog.Attr {
	c := &e.config
	var listen []string
	for _, a := range e.Addrs() {
		text := a.String()
		if _, tcp := a.(*net.TCPAddr); !tcp {
			text = "unix:" + text
		}
		if e.ForProxies(a) {
			text = "proxy:" + text
		}
		listen = append(listen, text)
	}
	admin := "off"
	if a := e.AdminAddr(); a != nil {
		admin = a.String()
	}
	all := []slog.Attr{
		slog.String("version", c.Version), slog.Any("listen", listen), slog.String("admin", admin),
		slog.Bool("dev", c.Dev),
		slog.Int("shards", c.Shards), slog.Int("pollers", c.Pollers),
		slog.Int("streams_max", c.StreamsMax),
		slog.Int("files", c.connectionFiles()+c.reservedFiles()),
		slog.Int64("memory_max", c.MemoryMax),
	}
	if limit := memoryLimit(); limit.Bytes < math.MaxInt64 {
		all = append(all, slog.Int64("memory_limit", limit.Bytes),
			slog.String("memory_limit_of", limit.Of))
	}
	all = append(all,
		slog.Int("event_bytes", c.Rule.EventBytes), slog.Int("history_events", c.HistoryEvents),
		slog.Int64("history_bytes", c.HistoryBytes),
		slog.Duration("history_age", c.HistoryAge), slog.Int64("history_max", c.HistoryMax),
	)
	if c.StateDir != "" {
		all = append(all, slog.String("state_dir", c.StateDir),
			slog.Duration("state_interval", c.StateInterval))
	}
	if c.Redis.URL == "" {
		return append(all, slog.String("fan_in", "none"))
	}
	return append(all, slog.String("fan_in", string(c.Redis.FanIn)),
		slog.String("redis", redis.WithoutPassword(c.Redis.URL)), slog.String("edge", c.Edge))
}
