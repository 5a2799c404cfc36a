package report

import (
	"math"
	"math/rand/v2"
	"time"

	"ssedge/bench/result"
)

// demo is a run as the load tool makes it: distributions, series over time, a few points, a table,
// and a fault. Its numbers are made up.
func demo() *result.Run {
	random := rand.New(rand.NewPCG(1, 2))
	run := &result.Run{
		Environment: result.Environment{
			Date:    "2026-11-25T22:23:51Z",
			Command: "ssedge bench compare --streams 15000 --rate 20 '--subscribe=http://127.0.0.1:8080/events?topic={topic}' --rounds 3",
			Version: "1.4.0", Go: "go1.26.8", Kernel: "6.18.44", CPU: "AMD EPYC", Cores: 2,
			Memory: "24684096 kB", OpenFiles: 20000,
			Sysctl: map[string]string{
				"net.core.somaxconn": "4096", "net.ipv4.ip_local_port_range": "32768 60999",
				"net.ipv4.tcp_max_syn_backlog": "2048",
				"net.ipv4.tcp_mem":             "289059 385412 578118",
				"net.ipv4.tcp_rmem":            "4096 131072 33554432",
				"net.ipv4.tcp_wmem":            "4096 16384 4194304",
			},
		},
		Tables: []result.Table{{
			Title:   "Three servers, medians of three rounds (lowest–highest)",
			Columns: []string{"", "ssedge/1", "ssedge/2", "net/http twin"},
			Rows: [][]string{
				{"memory per idle stream, one shared topic", "–", "69 B", "28.1 KiB"},
				{"memory per idle stream, one own topic each", "–", "403 B", "28.4 KiB"},
				{"CPU per accepted stream, of the baseline's", "1.04 × (1.01–1.10)",
					"0.86 × (0.84–0.93)", "4.04 × (3.88–4.20)"},
				{"CPU per delivered event, 15,000 streams", "1.07 × (1.05–1.09)",
					"1.12 × (1.08–1.15)", "1.43 × (1.40–1.51)"},
				{"delivered events/s, publishers flat out", "11,800,000 /s", "7,200,000 /s",
					"279,000 /s"},
				{"p99 of an event during broadcasts", "4.01 ms (3.80–4.40)", "7.52 ms (6.90–8.11)",
					"97.0 ms (91.2–130)"},
				{"p99.9 of the same", "9.20 ms (8.00–12.1)", "14.8 ms (11.9–16.2)",
					"412 ms (380–512)"},
				{"CPU per heartbeat", "–", "9.70 us", "–"},
			},
			Notes: []string{"The baseline is a C program that accepts, reads and sends without parsing anything."},
		}},
	}
	began := time.Date(2026, 11, 25, 22, 23, 51, 0, time.UTC)
	for i, s := range []struct {
		name            string
		middle, tail    float64
		rate            float64
		stream, process float64
	}{{"ssedge/1", 1.1, 0.45, 298_000, 77, 15e6}, {"ssedge/2", 1.9, 0.5, 291_000, 423, 15e6},
		{"net/http twin", 21, 0.6, 214_000, 28_700, 18e6}} {
		r := result.Result{Scenario: "fanout", Server: s.name,
			Began: began.Add(time.Duration(i) * time.Minute), Seconds: 30.2,
			Settings: map[string]any{"streams": 15000, "rate": 20.0, "duration": "30s",
				"payload": "64", "topics": 1, "rounds": 3}}
		r.Add("delivered", s.rate*30, "", "events that arrived at streams")
		r.Add("delivered_per_second", s.rate, result.PerSecond,
			"the same in a second, warm-up excluded")
		for j, name := range []string{"p50", "p90", "p99", "p99.9", "max"} {
			r.Add(name, s.middle*math.Exp(s.tail*float64(j)*1.1), result.Milliseconds,
				[]string{"half of all deliveries took at most this, from publish to arrival",
					"nine in ten",
					"99 in 100", "999 in 1,000", "the slowest"}[j])
		}
		r.Add("cpu_per_event", s.middle/2+1, result.Microseconds, "of the server, user and system")
		r.Add("pss", s.process+s.stream*15000, result.Bytes, "memory of the server at the end")
		for _, name := range exact {
			r.Add(name, 0, "",
				map[string]string{"lost": "events that never came and no gap was told for",
					"duplicates": "that came twice",
					"disorder":   "that came before one published earlier"}[name])
		}
		r.Note("Every event carries its time of publishing; clocks of one machine are compared.")
		if i == 2 {
			r.Note("The client was busy for 71 %% of its time: of the latency some is its own.")
			r.Fault("3 of 15,000 streams ended before the run did (read: connection reset by peer)")
		}
		distribution := result.Curve{Title: "Latency from publish to arrival", Server: s.name,
			X: result.Axis{Name: "latency", Unit: result.Milliseconds, Log: true},
			Y: result.Axis{Name: "percentile", Unit: result.Percent}}
		for n := 0.0; n <= 4.6; n += 0.02 {
			at := 100 - math.Pow(10, 2-n)
			distribution.Points = append(distribution.Points,
				[2]float64{s.middle * (0.25 + 0.75*math.Pow(n/0.30103, 1+s.tail)), at})
		}
		last := distribution.Points[len(distribution.Points)-1]
		distribution.Points = append(distribution.Points, [2]float64{last[0] * 1.1, 100})
		r.Curves = append(r.Curves, distribution)
		for range 3 {
			series := result.Curve{Title: "Delivered over time", Server: s.name,
				X: result.Axis{Name: "time", Unit: result.Seconds},
				Y: result.Axis{Name: "delivered events", Unit: result.PerSecond}}
			level := s.rate * (1 + 0.04*random.NormFloat64())
			for at := range 300 {
				series.Points = append(series.Points,
					[2]float64{float64(at) / 10, level * (1 - math.Exp(-float64(at)/8)) *
						(1 + 0.015*random.NormFloat64())})
			}
			r.Curves = append(r.Curves, series)
		}
		run.Results = append(run.Results, r)
		memory := result.Result{Scenario: "memory", Server: s.name,
			Began: began.Add(time.Duration(10+i) * time.Minute), Seconds: 41.7,
			Settings:    map[string]any{"streams": 18000, "steps": 5, "settle": "10s"},
			Interrupted: i == 1}
		memory.Add("per_stream", s.stream, result.Bytes,
			"of the line through five numbers of streams")
		memory.Add("idle", s.process, result.Bytes, "without a stream")
		growth := result.Curve{Title: "Memory against streams", Server: s.name,
			X: result.Axis{Name: "idle streams"},
			Y: result.Axis{Name: "memory, PSS", Unit: result.Bytes}}
		perStream := result.Curve{Title: "Memory of one more stream", Server: s.name,
			X: result.Axis{Name: "idle streams", Log: true},
			Y: result.Axis{Name: "memory of a stream", Unit: result.Bytes, Log: true}}
		for _, n := range []float64{1000, 5000, 10000, 15000, 18000} {
			growth.Points = append(growth.Points,
				[2]float64{n, s.process + n*s.stream*(1+0.01*random.NormFloat64())})
			perStream.Points = append(perStream.Points,
				[2]float64{n, s.stream + s.stream*80/math.Sqrt(n)})
		}
		memory.Curves = append(memory.Curves, growth, perStream)
		run.Results = append(run.Results, memory)
	}
	return run
}
