package fanin

import "time"

// Retention is what is kept of a publish, here or at Redis: the same for all edges and publishers.
type Retention struct {
	HistoryEvents int           `default:"10000" range:"1.." metric:"topic_history_events_max" help:"Events of each topic kept for clients that come back or fall behind. Even if it is lower, a client that keeps up gets bursts of up to 1,024 events and 64 KiB whole; of a larger burst it may miss the oldest events, and is told of the gap."`
	HistoryAge    time.Duration `default:"10m" range:"1ms.." unit:"1ms" metric:"topic_history_age_seconds_max" help:"How long events are kept for that."`
	KeyTTL        time.Duration `default:"2m" range:"1ms.." unit:"1ms" metric:"idempotency_key_age_seconds_max" help:"Time an idempotency key is remembered."`
}

// KeyLimit bounds the idempotency keys of an embedded source.
type KeyLimit struct {
	KeysMax int `default:"100000" range:"1.." metric:"idempotency_keys_max" help:"Idempotency keys remembered."`
}
