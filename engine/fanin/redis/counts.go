package redis

import (
	"io"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
)

// op is what failed.
type op uint8

const (
	opPublish op = iota
	opRead
	opSubscribe
	opProbe
	opSlots
	opPresence
	opReplicas
	opAfterPublish // what the publish script writes when the event was sent
	ops
)

var opNames = [ops]string{
	opPublish: "publish", opRead: "read", opSubscribe: "subscribe", opProbe: "probe",
	opSlots: "slots", opPresence: "presence", opReplicas: "replicas",
	opAfterPublish: "after_publish",
}

// counts are what is counted, ever.
type counts struct {
	published              atomic.Uint64 // events by the publish script
	readings               atomic.Uint64 // of streams
	shared                 atomic.Uint64 // history reads that another stream's read answered
	paced                  atomic.Uint64 // times that history reads had to wait for their turn
	told                   atomic.Uint64 // topics whose number of subscribers was written
	messages, messageBytes atomic.Uint64 // that came through channels
	events                 atomic.Uint64 // appended to logs
	malformed              atomic.Uint64 // messages and stream elements that cannot be read
	refused                atomic.Uint64 // subscriptions of single channels
	moved                  atomic.Uint64 // subscriptions that ended because their slot has moved
	reconnects             atomic.Uint64
	probeFailures          atomic.Uint64
	differing              atomic.Int64 // edges with other settings
	// connections for subscriptions that publishing did not reach
	elsewhere atomic.Uint64
	feeds     [feed.Counts]atomic.Uint64
	catchUps  [feed.Causes]atomic.Uint64
	errors    [ops][len(errorKinds)]atomic.Uint64
	states    [feed.States]atomic.Int64    // feeds
	lag       *metrics.PrometheusHistogram // of events, from their ids to their append
	lags      *metrics.Set                 // that it is in
}

// lagBounds are upper bounds of the time from an event's id to its append here, in seconds: ids are
// no finer than milliseconds, and of another clock.
var lagBounds = []float64{0, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 60}

func newCounts() counts {
	set := metrics.NewSet()
	return counts{lag: set.NewPrometheusHistogramExt("ssedge_redis_lag_seconds", lagBounds),
		lags: set}
}

// appended counts an event that has come.
func (c *counts) appended(id eventid.ID) {
	c.events.Add(1)
	lag := int64(0)
	if now := wallMS(); id.MS < uint64(now) {
		lag = now - int64(id.MS)
	}
	c.lag.Update(float64(lag) / 1000)
}

// Gauges are what is so at the moment, by the names of metrics.
func (s *Source) Gauges() map[string]func() float64 {
	all := map[string]func() float64{
		"ssedge_redis_up": func() float64 {
			if s.Up() != nil {
				return 0
			}
			return 1
		},
		"ssedge_redis_edges_differing": func() float64 {
			return float64(s.counts.differing.Load())
		},
		"ssedge_redis_clock_spread_seconds": func() float64 { return s.clock.spread().Seconds() },
	}
	for state := range feed.States {
		all[`ssedge_redis_topics{state="`+state.String()+`"}`] = func() float64 {
			return float64(s.counts.states[state].Load())
		}
	}
	return all
}

// Counters calls set with the name of each counter and what it has come to.
func (s *Source) Counters(set func(name string, value uint64)) {
	c := &s.counts
	set("ssedge_redis_published_total", c.published.Load())
	set("ssedge_redis_reads_total", c.readings.Load())
	set("ssedge_redis_reads_shared_total", c.shared.Load())
	set("ssedge_redis_reads_paced_total", c.paced.Load())
	set("ssedge_redis_told_total", c.told.Load())
	set("ssedge_redis_messages_total", c.messages.Load())
	set("ssedge_redis_message_bytes_total", c.messageBytes.Load())
	set("ssedge_redis_events_total", c.events.Load())
	for what := range feed.Counts {
		set("ssedge_redis_"+what.String()+"_total", c.feeds[what].Load())
	}
	set("ssedge_redis_malformed_total", c.malformed.Load())
	set("ssedge_redis_channels_refused_total", c.refused.Load())
	set("ssedge_redis_moved_total", c.moved.Load())
	set("ssedge_redis_reconnects_total", c.reconnects.Load())
	set("ssedge_redis_probe_failures_total", c.probeFailures.Load())
	set("ssedge_redis_elsewhere_total", c.elsewhere.Load())
	for cause := range feed.Causes {
		set(`ssedge_redis_catchups_total{cause="`+cause.String()+`"}`, c.catchUps[cause].Load())
	}
	for k, kind := range errorKinds {
		all := uint64(0)
		for o, of := range opNames {
			n := c.errors[o][k].Load()
			if all += n; n > 0 { // most pairs cannot be
				set(`ssedge_redis_errors_total{op="`+of+`",kind="`+kind+`"}`, n)
			}
		}
		set(`ssedge_redis_failures_total{cause="`+kind+`"}`, all)
	}
}

// WriteHistograms writes the histogram of lags, as Prometheus has them.
func (s *Source) WriteHistograms(w io.Writer) { s.counts.lags.WritePrometheus(w) }

func (c *counts) failed(o op, err error) {
	if err == nil {
		return
	}
	kind := errorKind(err)
	for i, name := range errorKinds {
		if name == kind {
			c.errors[o][i].Add(1)
		}
	}
}
