package scenario

import (
	"slices"
	"strings"
	"testing"

	"ssedge/bench/result"
	"ssedge/bench/server"
)

func TestCheck(t *testing.T) {
	good := Target{Subscribe: "http://127.0.0.1:1/{topic}",
		PublishURL: "http://127.0.0.1:1/{topic}", PublishBody: "{payload}"}
	for _, c := range []struct {
		change func(*Options, *Target)
		says   []string // nothing: it is right
	}{
		{func(*Options, *Target) {}, nil},
		{func(o *Options, _ *Target) { o.Topics = 1000 }, nil},
		{func(_ *Options, t *Target) { t.PublishURL, t.PublishBody = "", "" }, nil},
		{func(o *Options, t *Target) { t.Subscribe = "http://127.0.0.1:1/" }, nil},
		{func(o *Options, _ *Target) { o.Streams = 0 }, []string{"--streams", "found 0"}},
		{func(o *Options, _ *Target) { o.Topics = 0 }, []string{"--topics", "found 0"}},
		{func(o *Options, _ *Target) { o.Topics = 1001 },
			[]string{"--topics", "1000 streams", "1001"}},
		{func(o *Options, _ *Target) { o.Threads = 257 }, []string{"--threads", "256", "257"}},
		{func(o *Options, _ *Target) { o.InFlight = -1 }, []string{"--in-flight", "-1"}},
		{func(o *Options, _ *Target) { o.Publishers = 0 }, []string{"--publishers", "0"}},
		{func(o *Options, _ *Target) { o.Payload = 15 }, []string{"--payload", "16", "15"}},
		{func(o *Options, _ *Target) { o.Payload = 1 << 25 }, []string{"--payload", "33554432"}},
		{func(o *Options, _ *Target) { o.Ramp = -1 }, []string{"--ramp", "-1"}},
		{func(_ *Options, t *Target) { t.Subscribe += "{x}" }, []string{"--subscribe", "{x}"}},
		{func(o *Options, t *Target) { o.Topics, t.Subscribe = 2, "http://127.0.0.1:1/" },
			[]string{"--subscribe", "{topic}", "--topics 2"}},
		{func(o *Options, t *Target) { o.Topics, t.PublishURL = 2, "http://127.0.0.1:1/" },
			[]string{"--publish-url", "{topic}", "--topics 2"}},
		{func(_ *Options, t *Target) { t.PublishBody = "x" }, []string{"{payload}"}},
		{func(_ *Options, t *Target) { t.PublishURL = "nowhere" }, []string{"http://", "nowhere"}},
		{func(_ *Options, t *Target) { t.PublishHeaders = []string{"x"} }, []string{"Name: value"}},
	} {
		o, target := Defaults(), good
		c.change(&o, &target)
		err := o.Check(&target)
		if err != nil && c.says == nil {
			t.Errorf("found %v", err)
		}
		for _, part := range c.says {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("expected %q, found %v", part, err)
			}
		}
	}
}

// trials makes results that have one figure each, in rounds from the first.
func trials(figure, unit string, values ...float64) (all []*result.Result) {
	for _, v := range values {
		r := new(result.Result)
		r.Add(figure, v, unit, "")
		all = append(all, r)
	}
	return all
}

func TestTheTableOfAComparison(t *testing.T) {
	c := Compare{Servers: []server.Kind{{Name: "ssedge", Shards: 2}, {Name: "baseline", Shards: 2},
		{Name: "baseline", Shards: 1}, {Name: "twin"}}, Rounds: 3, Flood: 1000}
	o := Defaults()
	o.Streams = 18_000
	all := measured{
		"hold": {
			"ssedge/2":   trials("cpu_per_event", result.Microseconds, 3, 9, 6),
			"baseline/2": trials("cpu_per_event", result.Microseconds, 3, 3, 3),
			"baseline/1": trials("cpu_per_event", result.Microseconds, 2, 2, 1),
			"twin":       trials("cpu_per_event", result.Microseconds, 30),
		},
		"own": {"ssedge/2": trials("pss_per_stream", result.Bytes, 1024, 3072, 2048, 4096)},
		"idle": {"ssedge/2": trials("cpu_per_heartbeat", result.Microseconds, absent),
			"baseline/2": trials("cpu_per_heartbeat", result.Microseconds, 0)},
	}
	table := c.table(all, o)
	if !slices.Equal(table.Columns, []string{"", "ssedge/2", "baseline/2", "baseline/1", "twin"}) {
		t.Errorf("found columns %q", table.Columns)
	}
	want := map[string][]string{
		"CPU per delivered event, 18,000 streams": {"6 us (3–9)", "3 us",
			"2 us (1–2)", "30 us"},
		"memory per idle stream of 18,000, one own topic each": {
			"2.50 KiB (1 KiB–4 KiB)", "–", "–", "–"},
		"CPU per heartbeat, 18,000 streams": {"–", "0 us", "–",
			"–"},
		"CPU per accepted stream":                                   {"–", "–", "–", "–"},
		"delivered events/s, 1,000 streams, publishers flat out":    {"–", "–", "–", "–"},
		"p99 of a one-subscriber event during broadcasts to 18,000": {"–", "–", "–", "–"},
		"memory per idle stream of 18,000, one shared topic":        {"–", "–", "–", "–"},
		"… of the baseline's with one thread after CPU per delivered event": {"3 × (1.50–6)",
			"1.50 × (1.50–3)", "–", "15 ×"},
		"… of the baseline's with as many threads after CPU per delivered e": {"2 × (1–3)", "–",
			"–", "15 ×"},
		"… of the baseline's with as many threads after CPU per heartbeat, ": {"–", "–", "–", "–"},
	}
	above := ""
	for _, row := range table.Rows {
		name := row[0]
		if strings.HasPrefix(name, "…") {
			name += " after " + above
		} else {
			above = row[0]
		}
		if len(row) != 5 {
			t.Fatalf("found %q", row)
		}
		for key, cells := range want {
			if name == key || strings.HasPrefix(key, "…") && strings.HasPrefix(name, key) {
				if !slices.Equal(row[1:], cells) {
					t.Errorf("%s: expected %q, found %q", name, cells, row[1:])
				}
				delete(want, key)
			}
		}
	}
	for key := range want {
		t.Errorf("expected a row %q", key)
	}
}

// TestATrialWithFaultsIsNoMeasurement, and the others keep their rounds.
func TestATrialWithFaultsIsNoMeasurement(t *testing.T) {
	all := measured{"hold": {
		"ssedge/1":   trials("cpu_per_event", result.Microseconds, 2, absent, 8),
		"baseline/1": trials("cpu_per_event", result.Microseconds, 1, 1, 2),
	}}
	all["hold"]["baseline/1"][0].Fault("streams were cut")
	r := row{part: "hold", figure: "cpu_per_event", unit: result.Times, baseline: one}
	if cell := r.cell(all, server.Kind{Name: "ssedge", Shards: 1}); cell != "3.33 ×" {
		t.Errorf("found %q", cell)
	}
}
