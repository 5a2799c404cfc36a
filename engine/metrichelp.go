package engine

import (
	"bytes"
	"io"
)

// metricHelp is what each metric of ours means, for its HELP line.
var metricHelp = map[string]string{
	"ssedge_build_info": "1, with the version as a label.",
	"ssedge_ready":      "1 if new streams should come here, 0 if not.",

	"ssedge_streams":              "Streams: blocked are those whose socket is full, waiting those that cannot begin before the Redis servers are heard.",
	"ssedge_subscriptions":        "Topics of all streams, counted for each stream.",
	"ssedge_topics":               "Topics with subscribers, with history, or kept for clients that come back.",
	"ssedge_history_bytes":        "Memory of all history.",
	"ssedge_half_sent_bytes":      "Copies of what a full socket has not taken of an event.",
	"ssedge_inbox_depth":          "Joins, topics with news and calls that wait for the shards.",
	"ssedge_connections":          "Connections that are no streams: with an incomplete request head, and at net/http.",
	"ssedge_workers":              "Hand-overs to net/http under way.",
	"ssedge_idempotency_keys":     "Idempotency keys that are remembered.",
	"ssedge_shards":               "Loops that hold streams.",
	"ssedge_delivery_seconds":     "From the append of an event to the last send of the pass that delivers it.",
	"ssedge_turn_seconds":         "Work in one turn of a shard.",
	"ssedge_send_bytes":           "Bytes of one send.",
	"ssedge_send_events":          "Events of one send.",
	"ssedge_events_in_total":      "Events published.",
	"ssedge_event_bytes_in_total": "Their bytes in wire form, without ids.",

	"ssedge_events_duplicate_total":           "Publishes whose idempotency key had been used.",
	"ssedge_events_out_total":                 "Events given to the kernel, counted for each stream.",
	"ssedge_bytes_out_total":                  "Bytes given to the kernel on streams.",
	"ssedge_sends_total":                      "System calls that did so.",
	"ssedge_heartbeats_total":                 "Heartbeats sent.",
	"ssedge_turns_total":                      "Turns of all shards.",
	"ssedge_streams_accepted_total":           "Streams admitted.",
	"ssedge_streams_closed_total":             "Streams ended, by reason.",
	"ssedge_gaps_total":                       "Gaps told, by cause.",
	"ssedge_refused_total":                    "Requests refused, by cause.",
	"ssedge_history_evicted_total":            "Topics whose history was dropped because all together took too much.",
	"ssedge_idempotency_keys_forgotten_total": "Idempotency keys forgotten before their time because there were too many.",

	"ssedge_log_lines_dropped_total": "Lines of the log that were dropped because it was not read.",

	"ssedge_streams_max":                     "--streams-max, or what the limit on open files leaves.",
	"ssedge_streams_per_address_max":         "--per-address-max; 0 is no bound.",
	"ssedge_accept_rate_max":                 "--accept-rate; 0 is no bound.",
	"ssedge_topics_per_stream_max":           "--topics-per-stream.",
	"ssedge_stream_lifetime_seconds_max":     "--lifetime; 0 is no bound.",
	"ssedge_topics_max":                      "--topics-max.",
	"ssedge_topic_name_bytes_max":            "--topic-bytes.",
	"ssedge_event_bytes_max":                 "--event-bytes.",
	"ssedge_history_bytes_max":               "--history-max.",
	"ssedge_topic_history_bytes_max":         "--history-bytes.",
	"ssedge_topic_history_events_max":        "--history-events.",
	"ssedge_topic_history_age_seconds_max":   "--history-age.",
	"ssedge_half_sent_bytes_max":             "--rest-bytes.",
	"ssedge_inbox_depth_max":                 "--inbox-max, of all shards together.",
	"ssedge_idempotency_keys_max":            "--keys-max.",
	"ssedge_idempotency_key_bytes_max":       "--key-bytes.",
	"ssedge_idempotency_key_age_seconds_max": "--key-ttl.",
	"ssedge_connections_max":                 "--heads-max and --http-connections-max.",
	"ssedge_workers_max":                     "--workers.",
	"ssedge_head_bytes_max":                  "--head-bytes.",
	"ssedge_headers_max":                     "--headers-max.",
	"ssedge_head_seconds_max":                "--head-timeout.",
	"ssedge_target_bytes_max":                "--target-bytes.",
	"ssedge_http_idle_seconds_max":           "--http-idle.",
	"ssedge_publish_memory_bytes":            "Bytes that the requests that publish hold: bodies, their events and receipts.",
	"ssedge_publish_memory_bytes_max":        "--publish-bytes.",
	"ssedge_body_bytes_max":                  "--body-bytes.",
	"ssedge_body_silence_seconds_max":        "--body-timeout.",
	"ssedge_write_stall_seconds_max":         "--write-stall.",
	"ssedge_memory_bytes_max":                "--memory-max; 0 is no bound.",

	"ssedge_redis_up":                      "1 if all Redis servers can be reached, and take events.",
	"ssedge_redis_topics":                  "Topics that are followed: live ones have everything, those that are catching up read what they may have missed, those that are away are not subscribed.",
	"ssedge_redis_published_total":         "Events published to the Redis servers from here.",
	"ssedge_redis_reads_total":             "Streams that were read, each time.",
	"ssedge_redis_reads_shared_total":      "Streams whose older events came with the reading of another one.",
	"ssedge_redis_reads_paced_total":       "Times that an address had to wait for its turn at reading older events: --redis-read-rate.",
	"ssedge_redis_told_total":              "Topics whose number of subscribers was written, each time.",
	"ssedge_redis_messages_total":          "Messages that came through channels.",
	"ssedge_redis_message_bytes_total":     "Their bytes.",
	"ssedge_redis_events_total":            "Events appended to topics here.",
	"ssedge_redis_lag_seconds":             "From an event's id, the server's time, to its append here.",
	"ssedge_redis_clock_spread_seconds":    "Time between the clocks of the Redis servers that are furthest apart, masters and replicas.",
	"ssedge_redis_catchups_total":          "Looks at the end of a topic's stream, by cause.",
	"ssedge_redis_duplicates_total":        "Events that came again and were dropped.",
	"ssedge_redis_forks_total":             "Events that follow another one than the newest here: the servers have forgotten some.",
	"ssedge_redis_phantoms_total":          "Messages that were dropped because their topic's stream has not got them: an old master's.",
	"ssedge_redis_gaps_total":              "Histories that did not reach back to what a topic had.",
	"ssedge_redis_resets_total":            "Histories that were gone before their time.",
	"ssedge_redis_malformed_total":         "Messages and stream elements that cannot be read.",
	"ssedge_redis_unfit_total":             "Events from Redis that break the rule of events, and were told as gaps: too long, not UTF-8, named like the server's own.",
	"ssedge_redis_channels_refused_total":  "Channels that the servers do not let this edge subscribe, each time it tried.",
	"ssedge_redis_moved_total":             "Subscriptions that ended because their slot has moved.",
	"ssedge_redis_reconnects_total":        "Connections for subscriptions that have ended.",
	"ssedge_redis_probe_failures_total":    "Connections given up because messages to oneself did not come back.",
	"ssedge_redis_errors_total":            "Answers that are errors, and answers that never came, by what was asked and why.",
	"ssedge_redis_history_seconds_max":     "--redis-ttl.",
	"ssedge_redis_answer_seconds_max":      "--redis-timeout.",
	"ssedge_redis_reads_per_address_max":   "--redis-read-rate: readings a second, for one address and of each master.",
	"ssedge_redis_catchups_per_second_max": "--redis-catch-up-rate, of each master.",
}

// writeExplained writes text in Prometheus' format, with words in the HELP lines
// that the metrics library leaves empty.
func writeExplained(w io.Writer, text []byte) {
	const begin = "# HELP "
	var all bytes.Buffer
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(line, []byte(begin)); ok {
			if help := metricHelp[string(bytes.TrimSpace(name))]; help != "" {
				line = append(bytes.TrimRight(line, "\n"), " "+help+"\n"...)
			}
		}
		all.Write(line)
	}
	w.Write(all.Bytes())
}
