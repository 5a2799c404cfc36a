package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/engine/setting"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

type redisCmd struct {
	Install redisInstall `cmd:"" help:"Load the publish function on all masters, so that any client can publish: redis-cli FCALL ssedge_publish 1 sse:news hello."`
	Script  redisScript  `cmd:"" help:"Print the same as a script for EVAL."`
	Key     redisKey     `cmd:"" help:"Print the key of a topic, with which it is published to: sse:news, or sse:{28}news with partitions."`
}

// historyFlags are the settings of a publish: the same as those of the edges, or a topic's history
// is cut by one of them and not by the other.
type historyFlags struct {
	redis.Shared
	fanin.Retention
	Rule rule.Limits `embed:""`
}

func (f *historyFlags) config(url string, files redis.TLSFiles) (redis.Config, error) {
	var all []error
	fail := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	setting.Check(f, fail)
	f.Shared.Check(fail)
	if f.TTL < f.HistoryAge {
		fail("--redis-ttl %v is less than --history-age %v: the events of a quiet topic would be gone before their time",
			f.TTL, f.HistoryAge)
	}
	c := redis.Config{Retention: f.Retention, Rule: f.Rule, Edge: engine.NewEdgeName(),
		Logger: slog.New(slog.DiscardHandler)}
	setting.Default(&c.Settings)
	c.URL, c.TLS, c.Shared, c.PresenceEvery = url, files, f.Shared, 0 // no edge
	return c, errors.Join(all...)
}

// open connects.
func (f *historyFlags) open(url string, files redis.TLSFiles) (*redis.Source, error) {
	c, err := f.config(url, files)
	if err != nil {
		return nil, err
	}
	// of edges with other settings
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := redis.Open(c)
	if err != nil {
		return nil, fmt.Errorf("--redis: %w", err)
	}
	return s, nil
}

type redisInstall struct {
	Redis   string         `help:"redis://host:port, redis+sentinel://host:port,…/master or redis+cluster://host:port,…" placeholder:"URL" required:""`
	Replace bool           `help:"Also replace a function that was installed for another --redis-prefix."`
	TLS     redis.TLSFiles `embed:""`
	historyFlags
}

// Run loads the library and says where.
func (c *redisInstall) Run() error {
	s, err := c.open(c.Redis, c.TLS)
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
	_, err = fmt.Printf("ssedge_publish is on %d %s\n", n,
		map[bool]string{true: "master", false: "masters"}[n == 1])
	return err
}

type redisScript struct {
	Cluster bool `help:"For a cluster, where channels are sharded."`
	historyFlags
}

// Run prints it.
func (c *redisScript) Run() error {
	config, err := c.config("", redis.TLSFiles{})
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
	config, err := c.config("", redis.TLSFiles{})
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
	got, err := s.Publish(&fanin.Event{Topic: []byte(c.Topic), Body: sse.AppendBody(nil, &e),
		Key: c.Once})
	if err != nil {
		return "", err
	}
	return got.ID.String(), nil
}
