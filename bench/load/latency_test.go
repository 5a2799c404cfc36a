package load_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
)

// delaying is a server with one topic that waits before it passes each event on.
type delaying struct {
	before func(event int) time.Duration

	mu      sync.Mutex
	streams []chan string
	events  int
}

func (d *delaying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events++
		time.Sleep(d.before(d.events))
		for _, s := range d.streams {
			s <- "data: " + string(body) + "\n\n"
		}
		return
	}
	mine := make(chan string, 1000)
	d.mu.Lock()
	d.streams = append(d.streams, mine)
	d.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.Flush()
	for {
		select {
		case text := <-mine:
			io.WriteString(w, text)
			out.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// measure publishes to ten streams of the server and returns their crowd when all have everything,
// and how long it took.
func measure(t *testing.T, d *delaying, s publish.Schedule) (*load.Crowd, time.Duration) {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	crowd, err := load.NewCrowd(load.Config{Subscribe: server.URL + "/"}, 10, load.Workers{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { crowd.Close() })
	if err := crowd.Open(ctx, 10, 0); err != nil {
		t.Fatal(err)
	}
	p, err := publish.New(ctx, publish.Config{URL: server.URL + "/", Body: "{payload}",
		Payload: 50})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	began := time.Now()
	report, err := p.Run(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := crowd.Wait(ctx, func(t load.Totals) bool {
		return t.Events >= 10*report.Acknowledged
	}); err != nil {
		t.Fatal(err)
	}
	return crowd, time.Since(began)
}

// TestLatencyAgreesWithAServerThatDelays by a known time.
func TestLatencyAgreesWithAServerThatDelays(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		d := &delaying{before: func(int) time.Duration { return delay }}
		crowd, took := measure(t, d, publish.Schedule{Rate: 4, Count: 4})
		latency, first, err := crowd.Times(true)
		if err != nil || latency.TotalCount() != 40 || first.TotalCount() != 10 {
			t.Fatalf("%v: %d latencies, %d first bytes", err, latency.TotalCount(),
				first.TotalCount())
		}
		const exact = 1.001 // three digits
		if least := time.Duration(float64(latency.Min())*exact) * time.Microsecond; least < delay {
			t.Errorf("the server waits %v, and an event arrived after %v", delay, least)
		}
		if most := time.Duration(float64(latency.Max())/exact) * time.Microsecond; most > took {
			t.Errorf("all took %v, and one event %v", took, most)
		}
		// Of what is above the delay the noise of this machine is the reason: half the events must
		// be near it.
		t.Logf("delay %v: p50 %v us, max %v us", delay, latency.ValueAtPercentile(50),
			latency.Max())
	}
}

// TestAStallIsChargedToAllEventsThatFellDue: the publisher's schedule does not wait for the server
// (no coordinated omission). Of 100 events due within a stall of half a second each is late by what
// was left of it, though only one request was held up.
func TestAStallIsChargedToAllEventsThatFellDue(t *testing.T) {
	t.Parallel()
	const stall = 500 * time.Millisecond
	d := &delaying{before: func(event int) time.Duration {
		if event == 20 {
			return stall
		}
		return 0
	}}
	crowd, _ := measure(t, d, publish.Schedule{Rate: 200, Count: 200})
	latency, _, err := crowd.Times(false)
	if err != nil {
		t.Fatal(err)
	}
	// An event due d after the one that is held up cannot come sooner than stall-d after it was
	// due.
	for d := 50 * time.Millisecond; d < stall; d += 50 * time.Millisecond {
		late, least := int64(0), int64(10*200*d.Seconds()) // ten streams, 200 a second
		for _, bar := range latency.Distribution() {
			if bar.To >= (stall - d).Microseconds() {
				late += bar.Count
			}
		}
		if late < least {
			t.Errorf("%d events were late by %v or more, expected at least %d", late, stall-d,
				least)
		}
	}
	if most := time.Duration(latency.Max()) * time.Microsecond; most < stall {
		t.Errorf("the latest came after %v", most)
	}
}
