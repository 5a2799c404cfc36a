package shard

import "time"

// Turns is how the shards share the processor.
type Turns struct {
	Shards    int           `default:"0" range:"0..64" metric:"-" group:"Cores" help:"Loops that hold streams; 0: one per CPU."`
	TurnSends int           `default:"128" range:"1.." metric:"-" help:"Sends of each part of a shard's turn: joins, what the kernel reports, deliveries."`
	TurnTime  time.Duration `default:"200us" range:"1ns..1s" metric:"-" help:"Time of each part of a shard's turn. While it works on one, it does nothing else."`
}

// Delivery is how a stream is kept alive, and when it ends.
type Delivery struct {
	Heartbeat     time.Duration     `default:"25s" range:"0 or 1ms..500h" unit:"1ms" metric:"-" help:"Silence after which a comment is sent; 0: none."`
	Lifetime      time.Duration     `default:"0s" range:"0 or 1ms..500h" metric:"stream_lifetime_seconds_max" help:"The longest a stream lasts, less up to a tenth; 0: no limit."`
	Retry         time.Duration     `default:"2s" range:"1ms..500h" unit:"1ms" metric:"-" help:"Reconnection time told to clients."`
	RetryJitter   time.Duration     `default:"3s" range:"0 or 1ms..500h" unit:"1ms" metric:"-" help:"Random addition to --retry, up to this, different for each stream."`
	WriteStall    time.Duration     `default:"30s" range:"1ms..500h" metric:"write_stall_seconds_max" help:"A stream that takes no byte of what is due for this long is closed."`
	SlowPolicy    string            `default:"gap" enum:"gap,close,latest" help:"What becomes of a client that falls behind the history: with 'gap' it is told so and goes on with the oldest event, with 'latest' with the newest, with 'close' its stream is closed."`
	TopicPolicies map[string]string `name:"topic-policy" help:"The same for some topics: --topic-policy='prices/*=latest,audit=close'." mapsep:"," placeholder:"TOPIC=POLICY"`
	RestBytes     int64             `type:"size" default:"64MiB" range:"0.." metric:"half_sent_bytes_max" help:"Half-sent events kept aside, in all."`
	InboxMax      int               `default:"16384" range:"1.." metric:"-" help:"New streams waiting for each shard."`
}
