package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ssedge/bench/result"
)

// figureNames are all figures of all scenarios, by their units. An expectation is held against them
// before the run: it may take hours, and a misspelt name would be found at its end.
var figureNames = map[string][]string{
	"": {
		"cores", "cores_idle", "cut", "damaged", "delivered", "disorder", "dropped", "duplicates",
		"ended", "exact", "failed",
		"heartbeats", "heartbeats_per_stream", "lost", "misdelivered", "probe_events", "probe_lost",
		"published", "refused",
		"refused_connects", "skipped", "slow_ended", "slow_exact", "slow_lost", "slow_streams",
		"slow_told", "sockets",
		"streams", "told", "unsure",
	},
	result.Bytes: {
		"buffers_per_stream", "kernel_per_stream", "pss", "pss_before", "pss_idle", "pss_open",
		"pss_per_stream", "rss_peak",
	},
	result.Microseconds: {
		"cpu_per_event", "cpu_per_heartbeat", "cpu_per_stream", "storm_cpu_per_stream",
		"without_cpu_per_event",
	},
	result.Milliseconds: {
		"answer_p99", "broadcast_max", "broadcast_p50", "broadcast_p90", "broadcast_p99",
		"broadcast_p99.9", "first_byte_max",
		"first_byte_p50", "first_byte_p90", "first_byte_p99", "first_byte_p99.9", "late_p99", "max",
		"p50", "p90", "p99",
		"p99.9", "probe_late_p99", "quiet_p50", "quiet_p99", "without_max", "without_p50",
		"without_p99", "without_p99.9",
	},
	result.PerSecond: {
		"connect_rate", "delivered_rate", "published_rate",
	},
	result.Seconds: {
		"away", "behind", "broadcast_seconds", "caught_up_seconds", "heartbeat_seconds",
		"live_seconds",
	},
	result.Times: {
		"cpu_per_event_of_baseline", "cpu_per_heartbeat_of_baseline", "cpu_per_stream_of_baseline",
		"delivered_rate_of_baseline",
		"p50_of_baseline", "p99_of_baseline", "p99_ratio", "storm_cpu_per_stream_of_baseline",
	},
}

// slab is what the names of figures by kernel cache begin with: which caches there are only the
// kernel knows.
const slab = "slab_"

// CheckExpectation refuses a figure that no scenario has, and a unit that it does not have.
func CheckExpectation(e result.Expectation) error {
	if strings.HasPrefix(e.Figure, slab) {
		return e.Fits(result.Bytes)
	}
	for unit, names := range figureNames {
		if slices.Contains(names, e.Figure) {
			return e.Fits(unit)
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(figureNames))...)))
	return fmt.Errorf("%v: no scenario has a figure %s: expected one of %s", e, e.Figure,
		strings.Join(all, ", "))
}
