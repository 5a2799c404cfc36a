package setting

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

type Inner struct {
	HTTPIdle time.Duration `default:"75s" range:"1ms..500h" unit:"1ms"`
}

type named struct {
	TTL time.Duration `name:"redis-ttl" default:"1h" range:"1s.."`
}

// group has each kind of setting.
type group struct {
	Inner
	Redis    named
	Count    int     `default:"3" range:"1.."`
	Few      int     `default:"0" range:"0 or 2..5"`
	Bytes    int     `type:"size" default:"4KiB" range:"1..1MiB" metric:"bytes_max" help:"Bytes."`
	All      int64   `type:"size" default:"1TiB" range:"0.."`
	Rate     float64 `default:"0.5" range:"0 or 0.001..1e9" metric:"-"`
	Required bool    `default:"true"`
	Name     string  `default:"sse:"`
	Listen   []string
	Other    string `kong:"-"`
}

func usual() *group {
	g := &group{}
	Default(g)
	return g
}

func TestDefaults(t *testing.T) {
	g := usual()
	want := group{
		Inner{75 * time.Second}, named{time.Hour}, 3, 0, 4096, 1 << 40, 0.5, true, "sse:", nil, "",
	}
	if fmt.Sprint(*g) != fmt.Sprint(want) {
		t.Errorf("found %+v, expected %+v", *g, want)
	}
}

func TestPathsAndFlags(t *testing.T) {
	var found []string
	for _, o := range All(usual()) {
		found = append(found, o.Path+"="+o.Flag)
	}
	want := []string{"HTTPIdle=http-idle", "Redis.TTL=redis-ttl", "Count=count", "Few=few",
		"Bytes=bytes",
		"All=all", "Rate=rate", "Required=required", "Name=name", "Listen=listen"}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, expected %q", found, want)
	}
	for field, want := range map[string]string{"A": "a", "KeyTTL": "key-ttl",
		"CORSOrigins":        "cors-origins",
		"HTTPConnectionsMax": "http-connections-max", "NotSentLowat": "not-sent-lowat"} {
		if got := FlagOf(field); got != want {
			t.Errorf("%s is --%s, expected --%s", field, got, want)
		}
	}
}

// TestRanges: what is at a bound is taken, and what is beyond it is refused in one line.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		set  func(*group)
		says string // "": it is in order
	}{
		{func(g *group) {}, ""},
		{func(g *group) {
			g.Count, g.Bytes, g.HTTPIdle, g.Redis.TTL, g.Rate = 1, 1, time.Millisecond, time.Second,
				0.001
		}, ""},
		{func(g *group) {
			g.Count, g.Bytes, g.HTTPIdle, g.Redis.TTL, g.Rate = math.MaxInt32, 1<<20, 500*time.Hour,
				1<<62, 1e9
		}, ""},
		{func(g *group) { g.Few, g.Rate, g.All = 0, 0, 0 }, ""},
		{func(g *group) { g.Few, g.All = 2, math.MaxInt64 }, ""},
		{func(g *group) { g.Few = 5 }, ""},
		{func(g *group) { g.Few = 1 }, "--few 1: expected 0, or 2 to 5"},
		{func(g *group) { g.Few = 6 }, "--few 6: expected 0, or 2 to 5"},
		{func(g *group) { g.Few = -1 }, "--few -1: expected 0, or 2 to 5"},
		{func(g *group) { g.Count = 0 }, "--count 0: expected 1 to 2147483647"},
		{func(g *group) { g.Count = math.MaxInt32 + 1 },
			"--count 2147483648: expected 1 to 2147483647"},
		{func(g *group) { g.Bytes = 1<<20 + 1 }, "--bytes 1048577: expected 1 to 1MiB"},
		{func(g *group) { g.All = -1 }, "--all -1: expected 0 or more"},
		{func(g *group) { g.Rate = math.NaN() }, "--rate NaN: expected 0, or 0.001 to 1e9"},
		{func(g *group) { g.Rate = math.Inf(1) }, "--rate +Inf: expected 0, or 0.001 to 1e9"},
		{func(g *group) { g.Rate = 1e-9 }, "--rate 1e-09: expected 0, or 0.001 to 1e9"},
		{func(g *group) { g.HTTPIdle = 1 }, "--http-idle 1ns: expected 1ms to 500h"},
		{func(g *group) { g.HTTPIdle = 500*time.Hour + 1 },
			"--http-idle 500h0m0.000000001s: expected 1ms to 500h"},
		{func(g *group) { g.HTTPIdle = 1500 * time.Microsecond },
			"--http-idle 1.5ms: expected a multiple of 1ms"},
		{func(g *group) { g.Redis.TTL = time.Second - 1 },
			"--redis-ttl 999.999999ms: expected 1s or more"},
	} {
		g := usual()
		c.set(g)
		var said []string
		Check(g, func(format string, args ...any) {
			said = append(said, fmt.Errorf(format, args...).Error())
		})
		if got := strings.Join(said, "\n"); got != c.says {
			t.Errorf("found %q, expected %q", got, c.says)
		}
	}
}

// TestWrongTags are found when the program starts, not when a value is.
func TestWrongTags(t *testing.T) {
	ignore := func(string, ...any) {}
	for name, f := range map[string]func(){
		"Default": func() {
			Default(&struct {
				A int `default:"x"`
			}{})
		},
		"Range": func() {
			Check(&struct {
				A int `range:"1"`
			}{}, ignore)
		},
		"Least": func() {
			Check(&struct {
				A int `range:"..3"`
			}{}, ignore)
		},
		"Bound": func() {
			Check(&struct {
				A time.Duration `range:"1.."`
			}{}, ignore)
		},
		"Unit": func() {
			Check(&struct {
				A time.Duration `range:"0s.." unit:"1"`
			}{}, ignore)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a wrong tag was taken")
				}
			}()
			f()
		})
	}
}

func TestNumbers(t *testing.T) {
	for _, o := range All(usual()) {
		n, ok := o.Number()
		want, is := map[string]float64{"HTTPIdle": 75, "Redis.TTL": 3600, "Count": 3, "Few": 0,
			"Bytes": 4096, "All": 1 << 40, "Rate": 0.5}[o.Path]
		if ok != is || n != want {
			t.Errorf("%s is %v, %v, expected %v, %v", o.Path, n, ok, want, is)
		}
		if metric := o.Metric(); metric != map[string]string{"Bytes": "ssedge_bytes_max"}[o.Path] {
			t.Errorf("%s: found metric %q", o.Path, metric)
		}
	}
}
