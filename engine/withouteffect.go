package engine

import (
	"fmt"

	"ssedge/engine/fanin/redis"
	"ssedge/engine/setting"
)

// WithoutEffect are the flags of settings that were changed and do nothing here, because of another
// setting or its absence. They are no mistake, since one file or environment may serve several
// edges and publishers, but they are said at start.
func (c *Config) WithoutEffect() (flags []string) {
	d := DefaultConfig()
	note := func(changed bool, flag string) {
		if changed {
			flags = append(flags, flag)
		}
	}
	if len(c.TrustedProxies) == 0 {
		note(c.ForwardedHeader != d.ForwardedHeader,
			"--forwarded-header (without --trusted-proxies)")
	}
	note(c.StateDir == "" && c.StateInterval != d.StateInterval,
		"--state-interval (without --state-dir)")
	if c.Redis.URL != "" {
		note(c.KeysMax != d.KeysMax,
			"--keys-max (with --redis, which remembers all keys for --key-ttl)")
		note(c.Redis.FanIn != redis.ByPartition && c.Redis.Partitions != d.Redis.Partitions,
			"--partitions (without --fan-in=partition)")
		return flags
	}
	const without = " (without --redis)"
	usual := setting.All(&d.Redis)
	for i, o := range setting.All(&c.Redis) {
		no := ""
		if fmt.Sprint(usual[i].Value) == "true" {
			no = "no-"
		}
		note(!o.Value.Equal(usual[i].Value), "--"+no+o.Flag+without)
	}
	note(c.ReadyNeedsRedis, "--ready-needs-redis"+without)
	return flags
}
