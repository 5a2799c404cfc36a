package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Positions that clients are given before a topic's first event are times of the servers' clocks,
// and a replica that is promoted gives ids by its own: so replicas are asked for the time as well,
// on connections on which nothing else is sent.

const (
	replicasMax    = 64 // whose clocks are sampled; more are not
	replicasAtOnce = 8
)

// replicasEvery is the time between two samples of each: two and a half probes, five seconds by
// default.
func (c *Config) replicasEvery() time.Duration { return c.ProbeInterval * 5 / 2 }

// Clocks that are this far apart are warned of, once, until they are close again.
const (
	spreadMuch   = 2 * time.Second
	spreadLittle = time.Second
)

// replicas are the connections to them; watchReplicas' own.
type replicas struct {
	source  *Source
	clients map[string]rueidis.Client // by address; nil: there was no connection the last time
	warned  bool
}

// watchReplicas samples the clocks of replicas until ctx ends.
func (s *Source) watchReplicas(ctx context.Context) {
	r := replicas{source: s, clients: map[string]rueidis.Client{}}
	defer r.keep(nil)
	for {
		addresses, err := s.listReplicas(ctx)
		if err != nil {
			s.clockUnread("replicas", err)
		} else {
			r.keep(addresses)
		}
		r.sample(ctx)
		r.warn()
		if !sleep(ctx, s.config.replicasEvery()) {
			return
		}
	}
}

// listReplicas asks for the addresses of the replicas of all masters.
func (s *Source) listReplicas(ctx context.Context) ([]string, error) {
	var all []string
	if s.target.kind == Cluster {
		spans, err := s.readSlots(ctx)
		if err != nil {
			return nil, err
		}
		for _, sp := range spans {
			all = append(all, sp.replicas...)
		}
	} else {
		within, cancel := context.WithTimeout(ctx, s.config.Timeout)
		role, err := s.client.Do(within, s.client.B().Role().Build()).ToArray()
		cancel()
		if err != nil {
			return nil, err
		}
		all = replicasOf(role)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), replicasMax)], nil
}

// replicasOf reads a master's answer to ROLE.
func replicasOf(role []rueidis.RedisMessage) (all []string) {
	if len(role) != 3 {
		return nil
	}
	if is, _ := role[0].ToString(); is != "master" {
		return nil
	}
	rows, _ := role[2].ToArray()
	for _, row := range rows {
		fields, _ := row.AsStrSlice()
		if len(fields) < 2 {
			continue
		}
		if port, err := strconv.ParseUint(fields[1], 10, 16); err == nil && port > 0 {
			all = append(all, net.JoinHostPort(fields[0], fields[1]))
		}
	}
	return all
}

// keep closes connections to servers that are no replicas any more. What their clocks were is
// remembered for some time.
func (r *replicas) keep(addresses []string) {
	for address, client := range r.clients {
		if slices.Contains(addresses, address) {
			continue
		}
		if client != nil {
			client.Close()
		}
		delete(r.clients, address)
	}
	for _, address := range addresses {
		if _, ok := r.clients[address]; !ok {
			r.clients[address] = nil
		}
	}
}

// sample asks all of them for the time, some at once.
func (r *replicas) sample(ctx context.Context) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	places := make(chan struct{}, replicasAtOnce)
	sampled := make(map[string]rueidis.Client, len(r.clients))
	for address, client := range r.clients {
		places <- struct{}{}
		asking.Go(func() {
			client := r.sampleOne(ctx, address, client)
			mu.Lock()
			sampled[address] = client
			mu.Unlock()
			<-places
		})
	}
	asking.Wait()
	r.clients = sampled
}

// sampleOne asks one of them, and returns its connection: nil if there is none.
func (r *replicas) sampleOne(ctx context.Context, address string,
	client rueidis.Client) rueidis.Client {
	s := r.source
	var err error
	if client == nil {
		if client, err = rueidis.NewClient(s.target.replicaOptions(ctx, &s.config,
			address)); err != nil {
			s.clockUnread(address, err)
			if client != nil {
				client.Close()
			}
			return nil
		}
	}
	if err := s.readClock(ctx, address, client, false); err != nil {
		s.clockUnread(address, err)
		client.Close()
		return nil
	}
	return client
}

// clockUnread tells that it is not known what a server's clock says that may become a master.
// Nothing else is missing.
func (s *Source) clockUnread(server string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	s.counts.failed(opReplicas, err)
	s.troubles.clocks.fails(s.config.Logger, s.hinted, slog.LevelWarn,
		"the clock of a server that may become a master is not known", err, "server", server)
}

// warn says that clocks are apart.
func (r *replicas) warn() {
	switch spread := r.source.clock.spread(); {
	case spread > spreadMuch && !r.warned:
		r.warned = true
		r.source.config.Logger.Warn("the clocks of the Redis servers are apart, expected less than a second (NTP): ids of events are times of theirs",
			"spread", spread.Round(time.Millisecond))
	case spread < spreadLittle:
		r.warned = false
	}
}

// replicaOptions are those of a small connection to one server, with the passwords and certificates
// of the others. It ends with ctx, also while it is being made.
func (t *target) replicaOptions(ctx context.Context, c *Config,
	address string) rueidis.ClientOption {
	o := t.commandOptions(c)
	o.InitAddress, o.ForceSingleClient, o.Sentinel = []string{address}, true,
		rueidis.SentinelOption{}
	o.ClientName += "-clock"
	o.AlwaysPipelining = false
	o.ReadBufferEachConn, o.WriteBufferEachConn, o.RingScaleEachConn = 4<<10, 4<<10, 2
	// it is asked for the time more often than that
	o.Dialer.KeepAlive = max(4*c.replicasEvery(), 10*time.Second)
	o.DialCtxFn = func(_ context.Context, address string, d *net.Dialer,
		secure *tls.Config) (net.Conn, error) {
		conn, err := t.dial(ctx, address, d, secure)
		if err != nil {
			return nil, err
		}
		return &endingConn{conn, context.AfterFunc(ctx, func() { conn.Close() })}, nil
	}
	return o
}

// endingConn is a connection that is closed when a context ends.
type endingConn struct {
	net.Conn
	stop func() bool
}

func (c *endingConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
