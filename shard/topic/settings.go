package topic

// TableLimits bound the topics of a node and what their logs hold here.
type TableLimits struct {
	TopicsMax    int   `default:"1000000" range:"1.." metric:"topics_max" help:"Topics at a time."`
	HistoryBytes int64 `type:"size" default:"4MiB" range:"1.." metric:"topic_history_bytes_max" help:"Bytes of each topic's history, at this edge: with --redis, what it no longer holds is read there for those that come back."`
	HistoryMax   int64 `type:"size" default:"256MiB" range:"1.." metric:"history_bytes_max" help:"Bytes of all topics' history; beyond it the least recently used are dropped."`
}
