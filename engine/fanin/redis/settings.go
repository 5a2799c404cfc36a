package redis

import (
	"time"

	"ssedge/engine/setting"
)

// Settings are those of an edge at Redis.
type Settings struct {
	URL string   `name:"redis" help:"Where events come from and go to, if there are several edges: redis://host:port, redis+sentinel://host:port,…/master or redis+cluster://host:port,…; rediss for TLS." placeholder:"URL"`
	TLS TLSFiles `embed:""`
	Shared
	Required      bool          `name:"redis-required" default:"true" negatable:"" help:"Do not start while the servers are away."`
	Timeout       time.Duration `name:"redis-timeout" default:"3s" range:"10ms..1m" metric:"redis_answer_seconds_max" help:"Time for one answer."`
	ProbeInterval time.Duration `name:"redis-probe" default:"2s" range:"10ms..1m" metric:"-" help:"Interval of the messages by which an edge checks each connection to Redis. It gives the connection up when two are missing."`
	ReadRate      int           `name:"redis-read-rate" default:"100" range:"1.." metric:"redis_reads_per_address_max" help:"Reads a second of events older than this edge's history, per client address and master; more must wait."`
	CatchUpRate   int           `name:"redis-catch-up-rate" default:"50000" range:"1.." metric:"redis_catchups_per_second_max" help:"Topics a second that are looked at after a connection was lost, by each master."`
	PresenceEvery time.Duration `name:"redis-presence" default:"10s" range:"100ms.." metric:"-" help:"Time between two reports of an edge to Redis of its subscribers by topic."`
	Linger        time.Duration `name:"redis-linger" default:"15s" range:"1s.." metric:"-" help:"Time a topic without subscribers is followed."`
}

// Shared is what all edges and publishers of the same topics have in common.
type Shared struct {
	Prefix     string        `name:"redis-prefix" default:"sse:" help:"Prefix of channels and keys."`
	FanIn      FanIn         `default:"topic" help:"Through which channels events come: topic, one for each topic, and an edge subscribes those it needs; or partition, some for all topics."`
	Partitions int           `default:"64" metric:"-" help:"With --fan-in=partition: how many; a power of two, the same for all edges and publishers."`
	TTL        time.Duration `name:"redis-ttl" default:"1h" range:"1s.." unit:"1s" metric:"redis_history_seconds_max" help:"Time the history of a topic without events is kept there."`
}

// Check refuses names that cannot be.
func (s *Shared) Check(fail setting.Fail) {
	if err := CheckPrefix(s.Prefix); err != nil {
		fail("--redis-prefix: %w", err)
	}
	if err := CheckFanIn(s.FanIn, s.Partitions); err != nil {
		fail("--fan-in %s, --partitions %d: %v", s.FanIn, s.Partitions, err)
	}
}
