package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"ssedge/engine"
)

// defaults are the flags' default values: those of the engine, said once.
func defaults() kong.Vars {
	d := engine.DefaultConfig()
	vars := kong.Vars{}
	for name, value := range map[string]any{
		"listen": strings.Join(d.Listen, ","), "forwarded_header": d.ForwardedHeader,
		"streams_max": d.StreamsMax, "per_address_max": d.PerAddressMax, "accept_rate": d.AcceptRate,
		"topics_per_stream": d.TopicsPerStream, "heartbeat": d.Heartbeat, "lifetime": d.Lifetime,
		"retry": d.Retry, "retry_jitter": d.RetryJitter, "write_stall": d.WriteStall, "slow_policy": d.SlowPolicy,
		"send_buffer": size(d.SendBuffer), "not_sent_lowat": size(d.NotSentLowat), "user_timeout": d.UserTimeout,
		"rest_bytes": size(d.RestBytes), "inbox_max": d.InboxMax,
		"head_bytes": size(d.HeadBytes), "headers_max": d.HeadersMax, "target_bytes": size(d.TargetBytes),
		"head_timeout": d.HeadTimeout, "heads_max": d.HeadsMax,
		"http_connections_max": d.HTTPConnectionsMax, "http_idle": d.HTTPIdle, "workers": d.Workers,
		"body_bytes": size(d.BodyBytes), "publish_bytes": size(d.PublishBytes), "body_timeout": d.BodyTimeout,
		"topics_max": d.TopicsMax, "topic_bytes": size(d.TopicBytes), "event_bytes": size(d.EventBytes),
		"key_bytes": size(d.KeyBytes), "keys_max": d.KeysMax, "key_ttl": d.KeyTTL,
		"history_events": d.HistoryEvents, "history_bytes": size(d.HistoryBytes), "history_age": d.HistoryAge, "history_max": size(d.HistoryMax),
		"redis_prefix": d.RedisPrefix, "fan_in": d.FanIn, "partitions": d.Partitions, "redis_ttl": d.RedisTTL, "redis_timeout": d.RedisTimeout, "redis_probe": d.RedisProbe,
		"redis_read_rate": d.RedisReadRate, "redis_catch_up_rate": d.RedisCatchUpRate, "redis_presence": d.RedisPresence, "redis_linger": d.RedisLinger,
		"drain_delay": d.DrainDelay, "drain_rate": d.DrainRate, "drain_timeout": d.DrainTimeout,
		"memory_max": size(d.MemoryMax), "turn_sends": d.TurnSends, "turn_time": d.TurnTime,
	} {
		vars[name] = fmt.Sprint(value)
	}
	return vars
}
