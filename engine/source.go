package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
)

// openSource opens where events come from: Redis, if --redis says so, or else this node alone.
func (e *Engine) openSource() (fanin.Source, error) {
	c := &e.config
	if c.Redis == "" {
		return fanin.NewMemory(fanin.MemoryConfig{KeysMax: c.KeysMax, KeyTTL: c.KeyTTL, Edge: c.Edge, Version: c.Version, Streams: e.Streams}), nil
	}
	source, err := redis.Open(redis.Config{
		URL: c.Redis, TLS: c.redisTLS(), Required: c.RedisRequired, Prefix: c.RedisPrefix, FanIn: redis.FanIn(c.FanIn), Partitions: c.Partitions, Edge: c.Edge, Version: c.Version, Streams: e.Streams, PresenceEvery: c.RedisPresence, Logger: c.Logger,
		Timeout: c.RedisTimeout, ProbeInterval: c.RedisProbe, ReadRate: c.RedisReadRate, CatchUpRate: c.RedisCatchUpRate,
		HistoryEvents: c.HistoryEvents, HistoryAge: c.HistoryAge, HistoryBytes: c.HistoryBytes, TTL: c.RedisTTL, KeyTTL: c.KeyTTL,
		Rule: c.rule(), Clients: c.faring(),
	})
	if err != nil {
		return nil, fmt.Errorf("--redis: %w", err)
	}
	return source, nil
}

// faring is what decides how a client fares that goes from one edge to another, apart from what its own requests show.
func (c *Config) faring() map[string]string {
	var policies []string
	for _, pattern := range slices.Sorted(maps.Keys(c.TopicPolicies)) {
		policies = append(policies, pattern+"="+c.TopicPolicies[pattern])
	}
	return map[string]string{"--slow-policy": c.SlowPolicy, "--topic-policy": strconv.Quote(strings.Join(policies, ",")), "--topics-per-stream": strconv.Itoa(c.TopicsPerStream)}
}

// errRedisAway names no servers, because probes and balancers show the text of /readyz to others.
var errRedisAway = errors.New("the servers of Redis cannot be reached, or take no events: /admin/status says which")

// Degraded returns nil, or says in general words what is missing that streams can do without.
func (e *Engine) Degraded() error {
	if e.source.Up() == nil {
		return nil
	}
	return errRedisAway
}
