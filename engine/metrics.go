package engine

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sys/unix"

	"ssedge/engine/httpapi"
	"ssedge/engine/memory"
	"ssedge/engine/refuse"
	"ssedge/engine/setting"
	"ssedge/shard"
	"ssedge/shard/log"
)

// metricSet is what /metrics says of a node. Names follow the conventions of
// Prometheus: base units, _total for counters, labels from small fixed sets. The
// parts count for themselves; a scrape adds the shards up.
type metricSet struct {
	engine *Engine
	mu     sync.Mutex // one scrape at a time: counters are set, not added to
	set    *metrics.Set
	help   map[string]string // of each metric, for its HELP line
}

var exposeTypes sync.Once

func newMetrics(e *Engine) *metricSet {
	exposeTypes.Do(func() { metrics.ExposeMetadata(true) })
	m := &metricSet{engine: e, set: metrics.NewSet(), help: maps.Clone(metricHelp)}
	c := &e.config
	gauge := func(name string, f func() float64) { m.set.NewGauge(name, f) }
	limit := func(name string, v float64) { gauge(name, func() float64 { return v }) }

	gauge(`ssedge_build_info{version="`+c.Version+`",go="`+runtime.Version()+`"}`, func() float64 {
		return 1
	})
	gauge("ssedge_ready", func() float64 {
		if e.Ready() != nil {
			return 0
		}
		return 1
	})
	sum := func(f func(*shard.Stats) int64) func() float64 {
		return func() float64 {
			total := int64(0)
			for _, s := range e.group.Stats() {
				total += f(s)
			}
			return float64(total)
		}
	}
	gauge(`ssedge_streams{state="open"}`, sum(func(s *shard.Stats) int64 {
		return s.Streams.Load() - s.Blocked.Load() - s.Waiting.Load()
	}))
	gauge(`ssedge_streams{state="blocked"}`, sum(func(s *shard.Stats) int64 {
		return s.Blocked.Load()
	}))
	gauge(`ssedge_streams{state="waiting"}`, sum(func(s *shard.Stats) int64 {
		return s.Waiting.Load()
	}))
	gauge("ssedge_subscriptions", sum(func(s *shard.Stats) int64 { return s.Subscriptions.Load() }))
	gauge("ssedge_half_sent_bytes", sum(func(s *shard.Stats) int64 { return s.RestBytes.Load() }))
	gauge("ssedge_inbox_depth", func() float64 { return float64(e.group.InboxDepth()) })
	gauge("ssedge_clock_held_seconds", func() float64 {
		return e.group.Table().ClockHeld().Seconds()
	})
	gauge("ssedge_topics", func() float64 { return float64(e.group.Table().Topics()) })
	gauge("ssedge_history_bytes", func() float64 { return float64(e.group.Table().HistoryBytes()) })
	gauge(`ssedge_connections{state="head"}`, func() float64 {
		return float64(e.intake.HeadCount() - e.intake.IdleCount())
	})
	gauge(`ssedge_connections{state="idle"}`, func() float64 {
		return float64(e.intake.IdleCount())
	})
	gauge(`ssedge_connections{state="http"}`, func() float64 {
		return float64(e.intake.HTTPCount())
	})
	gauge(`ssedge_connections{state="admin"}`, func() float64 { return float64(e.adminLn.Count()) })
	gauge("ssedge_shards", func() float64 { return float64(e.group.Shards()) })

	limit("ssedge_inbox_depth_max", float64(c.InboxMax*c.Shards))
	limit(`ssedge_connections_max{state="admin"}`, httpapi.AdminConnectionsMax)
	gauge("ssedge_workers", func() float64 { return float64(e.intake.WorkerCount()) })
	gauge("ssedge_publish_memory_bytes", func() float64 { return float64(e.public.PublishBytes()) })
	gauge("ssedge_memory_bytes", func() float64 { return float64(memory.Use().InUse) })
	for name, f := range e.source.Gauges() {
		gauge(name, f)
	}
	if e.history != nil {
		gauge("ssedge_state_age_seconds", e.history.age)
		gauge("ssedge_state_bytes", func() float64 { return float64(e.history.bytes.Load()) })
		gauge("ssedge_state_write_seconds", func() float64 {
			return time.Duration(e.history.took.Load()).Seconds()
		})
	}
	for _, o := range setting.All(c) {
		n, ok := o.Number()
		if name := o.Metric(); ok && name != "" &&
			(c.Redis.URL != "" || !strings.HasPrefix(o.Path, "Redis.")) {
			limit(name, n)
			m.explain(name, o)
		}
	}
	return m
}

// write writes everything in Prometheus' text format, with Go's and the process's
// own metrics. Nothing is held while the reader takes it.
func (m *metricSet) write(w io.Writer) {
	var text bytes.Buffer
	m.mu.Lock()
	m.count()
	m.set.WritePrometheus(&text)
	m.mu.Unlock()
	stats := m.engine.group.Stats()
	writeHistogram(&text, "ssedge_delivery_seconds", stats, func(s *shard.Stats) *shard.Histogram {
		return &s.Delivery
	})
	writeHistogram(&text, "ssedge_turn_seconds", stats, func(s *shard.Stats) *shard.Histogram {
		return &s.Turn
	})
	writeHistogram(&text, "ssedge_send_bytes", stats, func(s *shard.Stats) *shard.Histogram {
		return &s.SendBytes
	})
	writeHistogram(&text, "ssedge_send_events", stats, func(s *shard.Stats) *shard.Histogram {
		return &s.SendEvents
	})
	m.engine.source.WriteHistograms(&text)
	writeExplained(w, text.Bytes(), m.help)
	metrics.WriteProcessMetrics(w)
	writeFiles(w)
}

// writeFiles writes how many descriptors the process has, and may have. The library
// would list them all to count them, at a million streams for a second; Linux since
// 6.2 says it as the size of the directory (proc(5), /proc/pid/fd).
func writeFiles(w io.Writer) {
	if info, err := os.Stat("/proc/self/fd"); err == nil && info.Size() > 0 {
		metrics.WriteGaugeUint64(w, "process_open_fds", uint64(info.Size()))
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		metrics.WriteGaugeUint64(w, "process_max_fds", limit.Cur)
	}
}

// count brings the counters up to date.
func (m *metricSet) count() {
	e := m.engine
	set := func(name string, n uint64) { m.set.GetOrCreateCounter(name).Set(n) }
	stats := e.group.Stats()
	total := func(f func(*shard.Stats) uint64) (n uint64) {
		for _, s := range stats {
			n += f(s)
		}
		return n
	}
	set("ssedge_streams_accepted_total", e.admission.Accepted.Load())
	set("ssedge_events_in_total", e.public.Events.Load())
	set("ssedge_event_bytes_in_total", e.public.Bytes.Load())
	set("ssedge_events_duplicate_total", e.public.Duplicates.Load())
	set("ssedge_events_out_total", total(func(s *shard.Stats) uint64 { return s.EventsOut.Load() }))
	set("ssedge_bytes_out_total", total(func(s *shard.Stats) uint64 { return s.BytesOut.Load() }))
	set("ssedge_sends_total", total(func(s *shard.Stats) uint64 { return s.Sends.Load() }))
	set("ssedge_heartbeats_total", total(func(s *shard.Stats) uint64 {
		return s.Heartbeats.Load()
	}))
	set("ssedge_turns_total", total(func(s *shard.Stats) uint64 { return s.Turns.Load() }))
	set("ssedge_history_evicted_total", e.group.Table().Evicted.Load())
	if c := &e.config; c.LogDropped != nil {
		set("ssedge_log_lines_dropped_total", c.LogDropped())
	}
	for _, r := range shard.CloseReasons() {
		set(`ssedge_streams_closed_total{reason="`+r.String()+`"}`,
			total(func(s *shard.Stats) uint64 { return s.Closed[r].Load() }))
	}
	for _, c := range log.GapCauses() {
		n := total(func(s *shard.Stats) uint64 { return s.Gaps[c].Load() })
		if c == log.GapMissed {
			n += e.group.Table().Missed.Load()
		}
		set(`ssedge_gaps_total{cause="`+c.String()+`"}`, n)
	}
	e.source.Counters(set)
	if e.history != nil {
		set("ssedge_state_failures_total", e.history.failures.Load())
	}
	for _, cause := range refuse.Causes() {
		set(`ssedge_refused_total{cause="`+cause+`"}`, e.intake.RefusedCount(cause))
	}
}

// writeHistogram writes the sum of a histogram over the shards, as Prometheus has
// them: cumulative buckets by upper bound.
func writeHistogram(w io.Writer, name string, stats []*shard.Stats,
	of func(*shard.Stats) *shard.Histogram) {
	bounds := of(stats[0]).Bounds()
	counts := make([]uint64, len(bounds)+1)
	sum := 0.0
	for _, s := range stats {
		sum += of(s).AddTo(counts)
	}
	fmt.Fprintf(w, "# HELP %s\n# TYPE %s histogram\n", name, name)
	below := uint64(0)
	for i, n := range counts {
		below += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(w, "%s_bucket{le=%q} %d\n", name, bound, below)
	}
	fmt.Fprintf(w, "%s_sum %g\n%s_count %d\n", name, sum, name, below)
}

// status is what /admin/status says.
func (e *Engine) status() any {
	state := "ready"
	switch missing := e.source.Up(); {
	case e.unready.Load():
		state = errDraining.Error()
	case missing != nil && e.config.ReadyNeedsRedis:
		state = "not ready: " + missing.Error()
	case missing != nil:
		state = "degraded: " + missing.Error()
	}
	return map[string]any{
		"version": e.config.Version, "state": state,
		"uptime_seconds": int(time.Since(e.started).Seconds()),
		"streams":        e.Streams(), "streams_max": e.config.StreamsMax,
		"shards": e.group.Shards(),
		"topics": e.group.Table().Topics(), "history_bytes": e.group.Table().HistoryBytes(),
	}
}
