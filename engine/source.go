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
	if c.Redis.URL == "" {
		return fanin.NewMemory(fanin.MemoryConfig{KeyLimit: c.KeyLimit, KeyTTL: c.KeyTTL,
			Edge: c.Edge, Version: c.Version, Streams: e.Streams}), nil
	}
	source, err := redis.Open(redis.Config{
		Settings: c.Redis, Retention: c.Retention, HistoryBytes: c.HistoryBytes, Rule: c.Rule,
		Edge: c.Edge, Version: c.Version, Streams: e.Streams, Logger: c.Logger, Clients: c.faring(),
	})
	if err != nil {
		return nil, fmt.Errorf("--redis: %w", err)
	}
	return source, nil
}

// faring is what decides how a client fares that goes from one edge to another, apart from what its
// own requests show.
func (c *Config) faring() map[string]string {
	var policies []string
	for _, pattern := range slices.Sorted(maps.Keys(c.TopicPolicies)) {
		policies = append(policies, pattern+"="+c.TopicPolicies[pattern])
	}
	return map[string]string{"--slow-policy": c.SlowPolicy,
		"--topic-policy":      strconv.Quote(strings.Join(policies, ",")),
		"--topics-per-stream": strconv.Itoa(c.TopicsPerStream)}
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
