package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ssedge/engine/fanin/redis"
	"ssedge/shard/topic"
)

// openRedis connects to where events come from, if not from this node alone.
func (e *Engine) openRedis() (*redis.Source, error) {
	c := &e.config
	return redis.Open(redis.Config{
		URL: c.Redis, TLS: c.redisTLS(), Required: c.RedisRequired, Prefix: c.RedisPrefix, FanIn: redis.FanIn(c.FanIn), Partitions: c.Partitions, Edge: c.Edge, Version: c.Version, Streams: e.Streams, PresenceEvery: c.RedisPresence, Logger: c.Logger,
		Timeout: c.RedisTimeout, ProbeInterval: c.RedisProbe, ReadRate: c.RedisReadRate, CatchUpRate: c.RedisCatchUpRate,
		HistoryEvents: c.HistoryEvents, HistoryAge: c.HistoryAge, HistoryBytes: c.HistoryBytes, TTL: c.RedisTTL, KeyTTL: c.KeyTTL,
		Rule: c.rule(), Clients: c.faring(),
	})
}

// faring is what decides how a client fares that goes from one edge to another, apart from what its own requests show.
func (c *Config) faring() map[string]string {
	var policies []string
	for _, pattern := range slices.Sorted(maps.Keys(c.TopicPolicies)) {
		policies = append(policies, pattern+"="+c.TopicPolicies[pattern])
	}
	return map[string]string{"--slow-policy": c.SlowPolicy, "--topic-policy": strconv.Quote(strings.Join(policies, ",")), "--topics-per-stream": strconv.Itoa(c.TopicsPerStream)}
}

// upstream is what topics follow: nothing, if events come from this node alone.
func (e *Engine) upstream() topic.Upstream {
	if e.redis == nil {
		return nil // not an interface that holds nil
	}
	return e.redis
}

// errRedisAway names no servers, because probes and balancers show the text of /readyz to others.
var errRedisAway = errors.New("the servers of Redis cannot be reached, or take no events: /admin/status says which")

// Degraded returns nil, or says in general words what is missing that streams can do without.
func (e *Engine) Degraded() error {
	if e.missing() == nil {
		return nil
	}
	return errRedisAway
}

// missing is Degraded with the names of the servers.
func (e *Engine) missing() error {
	if e.redis == nil {
		return nil
	}
	return e.redis.Up()
}

// edges are all that share topics with this one, itself among them.
func (e *Engine) edges(ctx context.Context) (any, error) {
	if e.redis != nil {
		return e.redis.Edges(ctx)
	}
	now := time.Now().UTC().Truncate(time.Second)
	return []redis.Edge{{Name: e.config.Edge, Version: e.config.Version, Streams: e.Streams(), Topics: e.group.Table().Topics(), Seen: now}}, nil
}

// topicCounts are the subscribers of topics on all of them.
func (e *Engine) topicCounts(ctx context.Context, names []string, limit int) (any, error) {
	if e.redis != nil {
		return e.redis.TopicCounts(ctx, names, limit)
	}
	table := e.group.Table()
	if len(names) == 0 {
		top := redis.Top{Limit: limit}
		table.Each(func(t *topic.Topic) {
			if n := t.Holders(); n > 0 {
				top.Add(t.Name(), n)
			}
		})
		names = top.Names()
	}
	slices.Sort(names)
	all := []redis.TopicCount{}
	for _, name := range slices.Compact(names) {
		if t := table.Find(name); t != nil && t.Holders() > 0 {
			n := t.Holders()
			all = append(all, redis.TopicCount{Topic: name, Subscribers: n, Edges: map[string]int{e.config.Edge: n}})
		}
	}
	return redis.Sorted(all, limit), nil
}

// keys are the idempotency keys that this node remembers: none, if the servers of Redis do.
func (e *Engine) keys() (held int, forgotten uint64) {
	if e.memory == nil {
		return 0, 0
	}
	return e.memory.Keys()
}
