package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"ssedge/engine"
)

// defaults are the flags' default values: those of the engine, said once.
func defaults() map[string]string {
	d := engine.DefaultConfig()
	all := map[string]string{}
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
		all[name] = fmt.Sprint(value)
	}
	return all
}

// setDefaults gives flags whose default is a name in braces, as ${retry}, the engine's. kong's own variables would do the same, but it
// looks each of them over for each flag, and that was half of the time in which a command starts.
func setDefaults(k *kong.Kong) error {
	of := defaults()
	return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
		if f, ok := v.(*kong.Flag); ok {
			if name, ok := strings.CutPrefix(f.Default, "${"); ok {
				value, ok := of[strings.TrimSuffix(name, "}")]
				if !ok {
					return fmt.Errorf("--%s: the engine has no default %s", f.Name, f.Default)
				}
				f.Default = value
			}
		}
		return next(nil)
	})
}
