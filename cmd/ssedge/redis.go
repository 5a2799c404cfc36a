package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

type redisCmd struct {
	Install redisInstall `cmd:"" help:"Load the publish function on all masters, so that any client can publish: redis-cli FCALL ssedge_publish 1 sse:news hello."`
	Script  redisScript  `cmd:"" help:"Print the same as a script for EVAL."`
	Key     redisKey     `cmd:"" help:"Print the key of a topic, with which it is published to: sse:news, or sse:{28}news with partitions."`
}

// historyFlags are the settings of a publish: the same as those of the edges, or a topic's history is cut
// by one of them and not by the other.
type historyFlags struct {
	RedisPrefix   string        `help:"Prefix of channels and keys." default:"${redis_prefix}"`
	FanIn         string        `help:"topic or partition, as the edges." default:"${fan_in}"`
	Partitions    int           `help:"With --fan-in=partition, how many, as the edges." default:"${partitions}"`
	RedisTTL      time.Duration `name:"redis-ttl" help:"Time the history of a topic without events is kept." default:"${redis_ttl}"`
	HistoryEvents int           `help:"Events of each topic that are kept." default:"${history_events}"`
	HistoryAge    time.Duration `help:"Their age." default:"${history_age}"`
	TopicBytes    size          `help:"Bytes of a topic's name." default:"${topic_bytes}"`
	EventBytes    size          `help:"Bytes of an event, data and name." default:"${event_bytes}"`
	KeyBytes      size          `help:"Bytes of an idempotency key." default:"${key_bytes}"`
	KeyTTL        time.Duration `name:"key-ttl" help:"Time an idempotency key is remembered." default:"${key_ttl}"`
}

// redisTLSFlags are files for connections with TLS (rediss://…).
type redisTLSFlags struct {
	Cert string `name:"redis-tls-cert" help:"Certificate shown to Redis servers and sentinels that ask for one (tls-auth-clients): a PEM file. This, its key and the CAs are read for each new connection." placeholder:"FILE"`
	Key  string `name:"redis-tls-key" help:"The private key of that certificate." placeholder:"FILE"`
	CA   string `name:"redis-tls-ca" help:"CAs of the servers' certificates, in place of the system's." placeholder:"FILE"`
}

// rule is the rule for publishers without an edge: the same as that of the edges.
func (f *historyFlags) rule() rule.Limits {
	return rule.Limits{TopicBytes: int(f.TopicBytes), EventBytes: int(f.EventBytes), KeyBytes: int(f.KeyBytes)}
}

func (f *historyFlags) config(url string) (redis.Config, error) {
	if f.TopicBytes < 1 || f.EventBytes < 1 || f.KeyBytes < 1 {
		return redis.Config{}, fmt.Errorf("--topic-bytes, --event-bytes, --key-bytes: expected 1 or more, found %d, %d, %d", f.TopicBytes, f.EventBytes, f.KeyBytes)
	}
	if f.HistoryEvents < 1 || f.HistoryAge <= 0 || f.KeyTTL <= 0 || f.RedisTTL < f.HistoryAge {
		return redis.Config{}, fmt.Errorf("--history-events, --history-age, --key-ttl, --redis-ttl: expected 1 or more, times above 0, and the last one no less than the second, found %d, %v, %v, %v",
			f.HistoryEvents, f.HistoryAge, f.KeyTTL, f.RedisTTL)
	}
	if err := redis.CheckFanIn(redis.FanIn(f.FanIn), f.Partitions); err != nil {
		return redis.Config{}, fmt.Errorf("--fan-in, --partitions: %w", err)
	}
	if err := redis.CheckPrefix(f.RedisPrefix); err != nil {
		return redis.Config{}, fmt.Errorf("--redis-prefix: %w", err)
	}
	d := engine.DefaultConfig()
	return redis.Config{
		URL: url, Required: true, Prefix: f.RedisPrefix, FanIn: redis.FanIn(f.FanIn), Partitions: f.Partitions, Edge: edgeName(""), Logger: slog.New(slog.DiscardHandler),
		Timeout: d.RedisTimeout, ProbeInterval: d.RedisProbe, ReadRate: d.RedisReadRate, CatchUpRate: d.RedisCatchUpRate,
		HistoryEvents: f.HistoryEvents, HistoryAge: f.HistoryAge, HistoryBytes: d.HistoryBytes, TTL: f.RedisTTL, KeyTTL: f.KeyTTL,
		Rule: f.rule(),
	}, nil
}

// open connects.
func (f *historyFlags) open(url string, t redisTLSFlags) (*redis.Source, error) {
	c, err := f.config(url)
	if err != nil {
		return nil, err
	}
	c.TLS = redis.TLSFiles(t)
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})) // of edges with other settings
	s, err := redis.Open(c)
	if err != nil {
		return nil, fmt.Errorf("--redis: %w", err)
	}
	return s, nil
}

type redisInstall struct {
	Redis   string `help:"redis://host:port, redis+sentinel://host:port,…/master or redis+cluster://host:port,…" placeholder:"URL" required:""`
	Replace bool   `help:"Also replace a function that was installed for another --redis-prefix."`
	redisTLSFlags
	historyFlags
}

// Run loads the library and says where.
func (c *redisInstall) Run() error {
	s, err := c.open(c.Redis, c.redisTLSFlags)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	n, err := s.Install(ctx, c.Replace)
	if err != nil {
		return fmt.Errorf("--redis: installed on %d masters, then: %w", n, err)
	}
	_, err = fmt.Printf("ssedge_publish is on %d %s\n", n, map[bool]string{true: "master", false: "masters"}[n == 1])
	return err
}

type redisScript struct {
	Cluster bool `help:"For a cluster, where channels are sharded."`
	historyFlags
}

// Run prints it.
func (c *redisScript) Run() error {
	config, err := c.config("")
	if err != nil {
		return err
	}
	kind := redis.Standalone
	if c.Cluster {
		kind = redis.Cluster
	}
	_, err = fmt.Print(config.Script(kind))
	return err
}

type redisKey struct {
	Topics []string `arg:"" help:"Topics."`
	historyFlags
}

// Run prints them, one in a line.
func (c *redisKey) Run() error {
	config, err := c.config("")
	if err != nil {
		return err
	}
	for _, topic := range c.Topics {
		if err := config.Rule.Topic([]byte(topic)); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(os.Stdout)
	for _, topic := range c.Topics {
		fmt.Fprintln(out, config.Key(topic))
	}
	return out.Flush()
}

// viaRedis publishes an event without an edge.
func (c *publishCmd) viaRedis(data string) (id string, err error) {
	s, err := c.History.open(c.Redis, c.RedisTLS)
	if err != nil {
		return "", err
	}
	defer s.Close()
	e := sse.Event{Name: []byte(c.Event), Data: []byte(data), RetryMS: c.retryMS()}
	got, err := s.Publish(&fanin.Event{Topic: []byte(c.Topic), Body: sse.AppendBody(nil, &e), Key: c.Once})
	if err != nil {
		return "", err
	}
	return got.ID.String(), nil
}
