package engine

import (
	"bytes"
	"io"
	"strings"

	"ssedge/engine/setting"
)

// metricHelp is what each metric of ours means, for its HELP line, but for bounds that are
// settings: these are explained by their settings.
var metricHelp = map[string]string{
	"ssedge_build_info": "The value is always 1; the labels are the versions of ssedge and of Go.",
	"ssedge_ready":      "The value is 1 if new streams should come here, and 0 if not.",

	"ssedge_streams":              "The number of streams, by state: blocked streams have a full socket, waiting streams cannot begin before the Redis servers are heard.",
	"ssedge_subscriptions":        "The number of subscriptions: each stream counts once for each of its topics.",
	"ssedge_topics":               "The number of topics in memory: topics with subscribers, with history, or kept for clients that come back.",
	"ssedge_clock_held_seconds":   "The time by which the system's clock was set back: until it has caught up, history does not age.",
	"ssedge_history_bytes":        "The bytes that the history of all topics takes.",
	"ssedge_half_sent_bytes":      "The bytes that are kept of events that a full socket took only in part.",
	"ssedge_inbox_depth":          "The number of new streams, topics with new events and calls that wait for a shard.",
	"ssedge_connections":          "The number of connections that are not streams, by state: head has an incomplete request head, idle waits for its next request after a poll, http is at net/http, admin is at the admin listener.",
	"ssedge_workers":              "The number of connections that are being handed over to net/http.",
	"ssedge_idempotency_keys":     "The number of idempotency keys that are remembered.",
	"ssedge_shards":               "The number of shards, the loops that hold streams.",
	"ssedge_delivery_seconds":     "The time from the append of an event to the last send of the pass that delivers it.",
	"ssedge_turn_seconds":         "The time that a shard works in one turn.",
	"ssedge_send_bytes":           "The bytes that one send gave to the kernel.",
	"ssedge_send_events":          "The number of events in one send.",
	"ssedge_events_in_total":      "The number of events that were published through this server.",
	"ssedge_event_bytes_in_total": "The bytes of the events that were published through this server, in wire form and without ids.",

	"ssedge_events_duplicate_total": "The number of publishes whose idempotency key had been used before.",
	"ssedge_events_out_total":       "The number of events that were given to the kernel, counted for each stream.",
	"ssedge_bytes_out_total":        "The bytes that were given to the kernel on streams.",
	"ssedge_sends_total":            "The number of system calls that sent on streams.",
	"ssedge_heartbeats_total":       "The number of heartbeats that were sent.",
	"ssedge_turns_total":            "The number of turns that all shards have made.",
	"ssedge_streams_accepted_total": "The number of streams that were admitted.",
	"ssedge_streams_closed_total": "The number of streams that ended, by reason: " +
		"client_gone (the client hung up, or its connection broke), " +
		"slow_consumer (it fell behind the history and its topic's policy is close, " +
		"or history dropped an event of which it had a part), " +
		"write_stalled (it took nothing for --write-stall), max_lifetime (--lifetime was over), " +
		"drain (the server ended and told it when to come back), " +
		"shutdown (the server ended without that), overload (--rest-bytes was used up), " +
		"error (the kernel refused the connection), answered (it was a poll, and has its answer).",
	"ssedge_gaps_total": "The number of gaps that were told to clients, by cause: " +
		"overrun (a slow client fell behind the topic's history), " +
		"evicted (--history-max was reached), " +
		"missed (the Redis servers were not heard, and no longer have the events; " +
		"or a node with --state-dir has ended without a drain), " +
		"conflated (the topic's policy for slow clients is latest), " +
		"expired (the client's id is older than the history), " +
		"unknown (the id was never given out), future (the id lies ahead of the topic), " +
		"malformed (what the client sent is no id of its topics).",
	"ssedge_refused_total":                    "The number of requests that were refused, by cause.",
	"ssedge_history_evicted_total":            "The number of times that a topic's history was dropped because all history together was too large.",
	"ssedge_idempotency_keys_forgotten_total": "The number of idempotency keys that were forgotten before their time because there were too many.",

	"ssedge_log_lines_dropped_total": "The number of log lines that were dropped because the log was not read.",

	"ssedge_inbox_depth_max":      "The most new streams that may wait for the shards, of all shards together (--inbox-max).",
	"ssedge_connections_max":      "The most connections that are not streams, by state (--heads-max, --http-connections-max, and 32 at the admin listener).",
	"ssedge_publish_memory_bytes": "The bytes that requests that publish hold: their bodies, events and receipts.",
	"ssedge_memory_bytes":         "The memory in use, with garbage that was not collected yet, and without what Go holds unused.",

	"ssedge_state_age_seconds":    "The time since the file of history in --state-dir was written; +Inf if there is none.",
	"ssedge_state_bytes":          "The bytes of the file of history in --state-dir that was written or read last.",
	"ssedge_state_write_seconds":  "The time that the last writing of the file of history in --state-dir took.",
	"ssedge_state_failures_total": "The number of times that the file of history in --state-dir could not be written, so that the one before stayed.",

	"ssedge_redis_up":                     "The value is 1 if all Redis servers can be reached and take events, and 0 if not.",
	"ssedge_redis_topics":                 "The number of topics that this edge follows, by state: live topics have everything, catching_up topics read what they may have missed, away topics are not subscribed.",
	"ssedge_redis_published_total":        "The number of events that this edge published to the Redis servers.",
	"ssedge_redis_reads_total":            "The number of times that this edge read a topic's stream.",
	"ssedge_redis_reads_shared_total":     "The number of client streams whose older events came with the reading for another one.",
	"ssedge_redis_reads_paced_total":      "The number of times that an address had to wait for its turn at reading older events (--redis-read-rate).",
	"ssedge_redis_told_total":             "The number of times that this edge wrote the number of a topic's subscribers to the Redis servers.",
	"ssedge_redis_messages_total":         "The number of messages that came through channels.",
	"ssedge_redis_message_bytes_total":    "The bytes of the messages that came through channels.",
	"ssedge_redis_events_total":           "The number of events from Redis that were appended to topics here.",
	"ssedge_redis_lag_seconds":            "The time from an event's id, by the Redis server's clock, to its append here.",
	"ssedge_redis_clock_spread_seconds":   "The difference between the clocks of the two Redis servers that are furthest apart, masters and replicas.",
	"ssedge_redis_catchups_total":         "The number of times that this edge looked at the end of a topic's stream, by cause.",
	"ssedge_redis_duplicates_total":       "The number of events that came again from Redis and were dropped.",
	"ssedge_redis_forks_total":            "The number of events that do not follow the newest event here, because the servers have forgotten some.",
	"ssedge_redis_phantoms_total":         "The number of messages that were dropped because their topic's stream does not have them: an old master sent them.",
	"ssedge_redis_gaps_total":             "The number of times that a topic's history in Redis did not reach back to what the topic had here.",
	"ssedge_redis_resets_total":           "The number of times that a topic's history in Redis was gone before its time.",
	"ssedge_redis_malformed_total":        "The number of messages and stream elements that cannot be read.",
	"ssedge_redis_unfit_total":            "The number of events from Redis that were told as gaps because they break the rule of events: too long, not UTF-8, or named like the server's own.",
	"ssedge_redis_channels_refused_total": "The number of times that the servers did not let this edge subscribe to a channel.",
	"ssedge_redis_moved_total":            "The number of subscriptions that ended because their slot moved.",
	"ssedge_redis_reconnects_total":       "The number of subscription connections that ended.",
	"ssedge_redis_edges_differing":        "The number of other edges with another value in a setting that must be equal everywhere; the log says which setting, and both values.",
	"ssedge_redis_elsewhere_total":        "The number of connections for subscriptions that were given up because what this edge publishes goes to another server.",
	"ssedge_redis_probe_failures_total":   "The number of connections that were given up because messages of this edge to itself did not come back.",
	"ssedge_redis_errors_total":           "The number of commands that the Redis servers answered with an error or not at all, by command and kind of error.",
	"ssedge_redis_failures_total":         "The number of answers that are errors, and of answers that never came, by cause. Servers that take no events: readonly, masterdown, loading, noreplicas, oom, misconf, busy, unknown_command, clusterdown (slots without a master). Settings: wrongpass, noauth, noperm, certificate. The network: refused, no_such_host, unreachable, timeout, connection, tls.",
}

// explain makes the HELP line of a bound from its setting.
func (m *metricSet) explain(name string, o setting.One) {
	name, _, _ = strings.Cut(name, "{")
	if help := o.Help(); m.help[name] == "" {
		m.help[name] = "The bound --" + o.Flag + ": " + strings.ToLower(help[:1]) + help[1:]
	}
}

// writeExplained writes text in Prometheus' format, with words in the HELP lines
// that the metrics library leaves empty.
func writeExplained(w io.Writer, text []byte, helps map[string]string) {
	const begin = "# HELP "
	var all bytes.Buffer
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(line, []byte(begin)); ok {
			if help := helps[string(bytes.TrimSpace(name))]; help != "" {
				line = append(bytes.TrimRight(line, "\n"), " "+help+"\n"...)
			}
		}
		all.Write(line)
	}
	w.Write(all.Bytes())
}
