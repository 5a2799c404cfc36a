package engine

import "ssedge/engine/fanin/redis"

// WithoutEffect are the flags of settings that were changed and do nothing here, because of another setting or its absence. They
// are no mistake, since one file or environment may serve several edges and publishers, but they are said at start.
func (c *Config) WithoutEffect() (flags []string) {
	d := DefaultConfig()
	note := func(changed bool, flag string) {
		if changed {
			flags = append(flags, flag)
		}
	}
	if len(c.TrustedProxies) == 0 {
		note(c.ForwardedHeader != d.ForwardedHeader, "--forwarded-header (without --trusted-proxies)")
	}
	if c.Redis != "" {
		note(c.KeysMax != d.KeysMax, "--keys-max (with --redis, which remembers all keys for --key-ttl)")
		note(c.FanIn != string(redis.ByPartition) && c.Partitions != d.Partitions, "--partitions (without --fan-in=partition)")
		return flags
	}
	const without = " (without --redis)"
	note(c.RedisPrefix != d.RedisPrefix, "--redis-prefix"+without)
	note(c.FanIn != d.FanIn, "--fan-in"+without)
	note(c.Partitions != d.Partitions, "--partitions"+without)
	note(c.RedisRequired != d.RedisRequired, "--no-redis-required"+without)
	note(c.RedisTTL != d.RedisTTL, "--redis-ttl"+without)
	note(c.RedisTimeout != d.RedisTimeout, "--redis-timeout"+without)
	note(c.RedisProbe != d.RedisProbe, "--redis-probe"+without)
	note(c.RedisReadRate != d.RedisReadRate, "--redis-read-rate"+without)
	note(c.RedisCatchUpRate != d.RedisCatchUpRate, "--redis-catch-up-rate"+without)
	note(c.RedisPresence != d.RedisPresence, "--redis-presence"+without)
	note(c.RedisLinger != d.RedisLinger, "--redis-linger"+without)
	note(c.ReadyNeedsRedis != d.ReadyNeedsRedis, "--ready-needs-redis"+without)
	return flags
}
