package engine_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/setting"
	"ssedge/shard"
	"ssedge/shard/log"
)

// limits are all settings that bound something.
func limits() (paths []string) {
	for _, o := range setting.All(&engine.Config{}) {
		if o.Metric() != "" || o.Path == "InboxMax" {
			paths = append(paths, o.Path)
		}
	}
	return paths
}

// TestEveryLimitHasAMetric also fails for a number that does not say which, or that it bounds
// nothing.
func TestEveryLimitHasAMetric(t *testing.T) {
	c := engine.DefaultConfig()
	c.MemoryMax, c.PerAddressMax, c.AcceptRate, c.Lifetime, c.Shards = 1<<40, 1000, 5000, time.Hour,
		1
	n := startNode(t, func(e *engine.Config) {
		e.MemoryMax, e.PerAddressMax, e.AcceptRate, e.Lifetime, e.Shards = c.MemoryMax,
			c.PerAddressMax, c.AcceptRate, c.Lifetime, c.Shards
	})
	m := n.metrics(t)
	for _, o := range setting.All(&c) {
		want, isNumber := o.Number()
		if isNumber && o.Tag.Get("metric") == "" {
			t.Errorf("%s: expected the tag metric, with - for a number that bounds nothing", o.Path)
		}
		if o.Metric() == "" || strings.HasPrefix(o.Path, "Redis.") {
			continue
		}
		switch got, there := m[o.Metric()]; {
		case !there:
			t.Errorf("%s: there is no metric %s", o.Path, o.Metric())
		case o.Path != "StreamsMax" && got != want || got == 0:
			t.Errorf("%s: %s is %v, expected %v", o.Path, o.Metric(), got, want)
		}
	}
	if got := m["ssedge_inbox_depth_max"]; got != float64(c.InboxMax) {
		t.Errorf("ssedge_inbox_depth_max of one shard is %v, expected %d", got, c.InboxMax)
	}
}

// family is a metric as the text format has it.
type family struct {
	kind   string
	values map[string]float64 // by name and labels
	order  []string
}

// families reads the text format strictly: each family once, all of it behind its TYPE line.
func families(t *testing.T, text string) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	var name string
	sample := regexp.MustCompile(`^([a-z_:][a-z0-9_:]*)(\{[a-zA-Z_]+="[^"]*"(?:, ?[a-zA-Z_]+="[^"]*")*\})? (\S+)$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			var kind string
			name, kind, _ = strings.Cut(rest, " ")
			if all[name] != nil {
				t.Errorf("%s has two TYPE lines", name)
			}
			all[name] = &family{kind: kind, values: map[string]float64{}}
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		parts := sample.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("a line that is no sample: %q", line)
		}
		base := parts[1]
		if f := all[name]; f != nil && (f.kind == "histogram" || f.kind == "summary") {
			base = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(base, "_bucket"),
				"_sum"), "_count")
		}
		v, err := strconv.ParseFloat(parts[3], 64)
		if base != name || err != nil {
			t.Fatalf("%q stands behind the TYPE line of %q", line, name)
		}
		key := parts[1] + parts[2]
		if _, twice := all[name].values[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		all[name].values[key] = v
		all[name].order = append(all[name].order, key)
	}
	return all
}

// TestHelpStandsAlone: what a HELP line says is a sentence, or a phrase with a noun, that needs no
// other line, no bare flag and no pronoun. A bound names the flag that sets it.
func TestHelpStandsAlone(t *testing.T) {
	alone := regexp.MustCompile(`^The [a-z].{20,}\.$`)
	elsewhere := regexp.MustCompile(`(?i)\b(their bytes|did so|do so|oneself|this one|the same|nobody|who)\b`)
	flag := regexp.MustCompile(`\(--[a-z-]+[,)]`)
	for name, help := range engine.MetricHelp {
		if !alone.MatchString(help) || elsewhere.MatchString(help) {
			t.Errorf("%s: %q; expected what it counts or measures, beginning with The, without a look at other lines",
				name, help)
		}
		if strings.HasSuffix(name, "_max") && !flag.MatchString(help) {
			t.Errorf("%s: %q; expected its flag in brackets", name, help)
		}
	}
}

// TestHelpHasEveryLabel: what a reason or a cause means is written nowhere else for operators.
func TestHelpHasEveryLabel(t *testing.T) {
	expect := func(metric string, label fmt.Stringer) {
		if !strings.Contains(engine.MetricHelp[metric], " "+label.String()+" (") {
			t.Errorf("the help of %s does not say what %s means", metric, label)
		}
	}
	for _, r := range shard.CloseReasons() {
		expect("ssedge_streams_closed_total", r)
	}
	for _, c := range log.GapCauses() {
		expect("ssedge_gaps_total", c)
	}
}

// TestMetricsKeepTheConventions of Prometheus: a prefix, base units, _total for
// what only grows, consistent histograms.
func TestMetricsKeepTheConventions(t *testing.T) {
	n := startNode(t, nil)
	st := n.opened(t, ask{topics: []string{"t"}})
	published := n.publishAll(t, "t", numbered(100, 300))
	if _, err := st.take(len(published)); err != nil {
		t.Fatal(err)
	}
	// Those may all have been there before the shard saw the stream: caught up with,
	// not fanned out. The one after them is not, and its pass ends after its arrival.
	n.publishAll(t, "t", numbered(1, 300))
	await(t, "a pass to end", func() (bool, string) {
		_, text := n.get(t, n.admin, "/metrics")
		return !strings.Contains(text, "ssedge_delivery_seconds_count 0\n"), "none"
	})
	_, text := n.get(t, n.admin, "/metrics")
	odd := regexp.MustCompile(`_(ms|millis|milliseconds|micros|us|ns|nanos|nanoseconds|sec|minutes|kb|mb|kilobytes|megabytes|percent|gauge|counter|histogram)(_|$)`)
	ours := 0
	for name, f := range families(t, text) {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		ours++
		if !regexp.MustCompile(`(?m)^# HELP ` + name + ` The .*\.$`).MatchString(text) {
			t.Errorf("%s: expected a sentence of help", name)
		}
		if !strings.HasPrefix(name, "ssedge_") || odd.MatchString(name) {
			t.Errorf("%s: expected the prefix ssedge_ and base units", name)
		}
		if (f.kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s: expected _total on counters and on nothing else", name, f.kind)
		}
		if f.kind == "histogram" {
			checkHistogram(t, name, f)
		}
	}
	if ours < 50 {
		t.Errorf("found %d metrics, expected all", ours)
	}
	for _, o := range setting.All(&engine.Config{}) {
		unit := ""
		switch {
		case o.Metric() == "":
			continue
		case o.IsSize():
			unit = "_bytes"
		case o.Value.Type() == reflect.TypeFor[time.Duration]():
			unit = "_seconds"
		}
		for _, other := range []string{"_bytes", "_seconds"} {
			if has := strings.Contains(o.Metric(), other); has != (other == unit) {
				t.Errorf("%s: %s, expected its unit in the name", o.Path, o.Metric())
			}
		}
	}
}

// checkHistogram: cumulative, bounded by +Inf, with as many values as its count.
func checkHistogram(t *testing.T, name string, f *family) {
	if !strings.HasSuffix(name, "_seconds") && !strings.HasSuffix(name, "_bytes") &&
		!strings.HasSuffix(name, "_events") {
		t.Errorf("histogram %s: expected a unit", name)
	}
	below, bound := -1.0, -1.0
	for _, key := range f.order {
		le, ok := strings.CutPrefix(key, name+`_bucket{le="`)
		if !ok {
			continue
		}
		b, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64) // reads +Inf
		if err != nil || b <= bound || f.values[key] < below {
			t.Errorf("%s is %v, after %v below %v: expected ascending bounds and counts", key,
				f.values[key], below, bound)
		}
		below, bound = f.values[key], b
	}
	last, count, sum := f.values[name+`_bucket{le="+Inf"}`], f.values[name+"_count"],
		f.values[name+"_sum"]
	if last != count || count == 0 || sum <= 0 {
		t.Errorf("%s: +Inf is %v, count %v, sum %v: expected the same count, above 0", name, last,
			count, sum)
	}
}

// TestMetricsCountWhatHappened on a node with two streams and a few events, and
// have no label that a client can make up: the series stay the same.
func TestMetricsCountWhatHappened(t *testing.T) {
	n := startNode(t, nil)
	before := n.metrics(t)
	for range 2 {
		st := n.opened(t, ask{topics: []string{"a", "b"}})
		defer func() {
			if _, err := st.take(7); err != nil {
				t.Error(err)
			}
		}()
	}
	n.publishAll(t, "a", numbered(5, 10))
	n.publish(t, "b", "1\n2")
	n.publish(t, "b", "")
	refusedRequests := strings.Fields("/x /events /events?topic=%00 /events?topic=%zz /publish /events?Topic=a")
	for _, path := range refusedRequests {
		if status, body := n.get(t, n.addr, path); status < 400 {
			t.Errorf("%s: found %d %s, expected a refusal", path, status, body)
		}
	}
	for _, raw := range []string{"GET\r\n\r\n", "GET /events HTTP/1.1\r\n\r\n",
		"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n"} {
		c, err := net.Dial("tcp", n.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, raw)
		c.SetDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
		refusedRequests = append(refusedRequests, raw)
	}
	for name, want := range map[string]float64{
		"ssedge_streams_accepted_total": 2, `ssedge_streams{state="open"}`: 2,
		`ssedge_streams{state="blocked"}`: 0,
		"ssedge_subscriptions":            4, "ssedge_topics": 2, "ssedge_events_in_total": 7,
		"ssedge_events_out_total": 14,
		"ssedge_ready":            1, `ssedge_connections{state="head"}`: 0,
	} {
		n.await(t, name, want)
	}
	m := n.metrics(t)
	if refused := total(m, "ssedge_refused_total"); refused != float64(len(refusedRequests)) {
		t.Errorf("%v refusals are counted, %d were made", refused, len(refusedRequests))
	}
	if in, out := m["ssedge_event_bytes_in_total"], m["ssedge_bytes_out_total"]; in < 60 ||
		out < 2*in {
		t.Errorf("%v bytes in, %v out", in, out)
	}
	if held := m["ssedge_history_bytes"]; held < m["ssedge_event_bytes_in_total"] {
		t.Errorf("%v bytes of history", held)
	}
	names := func(m map[string]float64) []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(s string) bool {
			return !strings.HasPrefix(s, "ssedge_")
		})
	}
	if was, is := names(before), names(m); !slices.Equal(was, is) {
		t.Errorf("the series change with what clients do: %s",
			fmt.Sprint(slices.DeleteFunc(is, func(s string) bool {
				return slices.Contains(was, s)
			})))
	}
}

// A scraper that does not read what it asked for holds up no other.
func TestAScraperThatDoesNotReadHoldsNoOtherUp(t *testing.T) {
	n := startNode(t, nil)
	c, err := net.Dial("tcp", n.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(4096)
	c.SetWriteDeadline(time.Now().Add(time.Second))
	io.WriteString(c, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 5000))
	if status, _ := n.get(t, n.admin, "/metrics"); status != 200 {
		t.Errorf("another is answered %d", status)
	}
}

// TestEveryCounterCounts: what happened to topics, keys, shards and the process, each
// by its own metric.
func TestEveryCounterCounts(t *testing.T) {
	n := startNode(t, func(c *engine.Config) {
		c.Heartbeat, c.KeysMax, c.Version = 50*time.Millisecond, 1, "v-test"
		c.HistoryBytes, c.HistoryMax, c.Rule.EventBytes = 310<<10, 768<<10, 51<<10
	})
	st := n.opened(t, ask{topics: []string{"t"}})
	for _, key := range []string{"one", "one", "two"} {
		got, err := http.Post("http://"+n.addr+"/publish?topic=t&key="+key, "text/plain",
			strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
	}
	if _, err := st.take(2); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		n.publish(t, fmt.Sprint("big", i), strings.Repeat("x", 50<<10))
	}
	n.await(t, "ssedge_inbox_depth", 0)
	await(t, "two heartbeats", func() (bool, string) {
		beats := n.metrics(t)["ssedge_heartbeats_total"]
		return beats >= 2, fmt.Sprint(beats)
	})
	m := n.metrics(t)
	for name, want := range map[string]float64{
		"ssedge_events_duplicate_total": 1, "ssedge_idempotency_keys": 1,
		"ssedge_idempotency_keys_forgotten_total":                            1,
		`ssedge_build_info{version="v-test",go="` + runtime.Version() + `"}`: 1,
		"ssedge_shards":          float64(runtime.GOMAXPROCS(0)),
		"ssedge_send_events_sum": 2, "ssedge_workers": 0,
	} {
		if got, ok := m[name]; !ok || got != want {
			t.Errorf("%s is %v, expected %v", name, got, want)
		}
	}
	if got := m["ssedge_send_bytes_sum"]; got != m["ssedge_bytes_out_total"] ||
		m["ssedge_send_bytes_count"] != m["ssedge_sends_total"] {
		t.Errorf("sends are %v of %v bytes in the histogram, %v of %v by the counters",
			m["ssedge_send_bytes_count"], got, m["ssedge_sends_total"], m["ssedge_bytes_out_total"])
	}
	for _, name := range []string{
		"ssedge_turns_total", "ssedge_turn_seconds_count", "ssedge_turn_seconds_sum",
		"ssedge_history_evicted_total", "ssedge_history_bytes",
		"go_goroutines", "go_memstats_heap_alloc_bytes", "process_resident_memory_bytes",
		"process_cpu_seconds_total", "process_open_fds", "process_max_fds",
	} {
		if m[name] <= 0 {
			t.Errorf("%s is %v, expected more than 0", name, m[name])
		}
	}
	if m["ssedge_history_bytes"] > 768<<10 {
		t.Errorf("%v bytes of history", m["ssedge_history_bytes"])
	}
}
