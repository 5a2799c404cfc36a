package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"ssedge/bench/load"
)

const (
	streams = 200
	events  = 50
)

// run publishes events to the streams of a twin, through wrap if it is not nil, and returns what the load client says
// when each stream has had so many.
func run(t *testing.T, arrive int, wrap func(http.Handler) http.Handler) load.Verdict {
	t.Helper()
	var handler http.Handler = newHub()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	target := netip.MustParseAddrPort(server.Listener.Addr().String())
	client, err := load.NewClient(load.Config{Target: target, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.Open(ctx, streams); err != nil {
		t.Fatal(err)
	}
	publisher, err := load.NewPublisher(target, "/publish?topic=all", load.OneEvent, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	for range events {
		if err := publisher.Publish(bytes.Repeat([]byte("x"), 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.WaitEvents(ctx, uint64(streams*arrive)); err != nil {
		t.Fatal(err)
	}
	if err := client.WaitQuiet(ctx, 300*time.Millisecond); err != nil { // what is too much comes within that, or is not seen
		t.Fatal(err)
	}
	return client.Verify(events)
}

func TestEveryStreamGetsEveryEvent(t *testing.T) {
	if v := run(t, events, nil); !v.OK() || v.Streams != streams || v.EventMin != events || v.EventMax != events {
		t.Errorf("%v: %+v", v, v)
	}
}

func TestLossIsFound(t *testing.T) {
	v := run(t, events-1, rewriting(func(n int, event []byte) []byte {
		if n == events/2 {
			return nil
		}
		return event
	}))
	if v.OK() || v.Short != streams || v.Unsorted != 0 {
		t.Errorf("%v: %+v", v, v)
	}
}

func TestDuplicatesAreFound(t *testing.T) {
	v := run(t, events+1, rewriting(func(n int, event []byte) []byte {
		if n == events/2 {
			return bytes.Repeat(event, 2)
		}
		return event
	}))
	if v.OK() || v.Over != streams || v.Unsorted != streams {
		t.Errorf("%v: %+v", v, v)
	}
}

// TestLossMadeUpByADuplicateIsFound: the number of events is right, only the ids show it.
func TestLossMadeUpByADuplicateIsFound(t *testing.T) {
	v := run(t, events, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var last []byte
			rewriting(func(n int, event []byte) []byte {
				if n == events/2 {
					return last
				}
				last = bytes.Clone(event)
				return event
			})(h).ServeHTTP(w, r)
		})
	})
	if v.OK() || v.Short != 0 || v.Over != 0 || v.Unsorted != streams {
		t.Errorf("%v: %+v", v, v)
	}
}

func TestProbeMeasuresEveryEvent(t *testing.T) {
	server := httptest.NewServer(newHub())
	t.Cleanup(server.Close)
	const count = 50
	result, err := load.MeasureProbe(t.Context(), load.ProbeConfig{
		Target: netip.MustParseAddrPort(server.Listener.Addr().String()),
		Topic:  "one", Every: 5 * time.Millisecond, Count: count, DataBytes: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Lost != 0 || result.Repeated != 0 || len(result.Latency) != count {
		t.Errorf("%+v", result)
	}
	for i, latency := range result.Latency {
		if latency <= 0 {
			t.Errorf("event %d arrived %v after it was due", i, latency)
		}
	}
}

// rewriting makes a server faulty: change gets the number of an event on its stream, from 1, and its bytes.
func rewriting(change func(n int, event []byte) []byte) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&rewriter{ResponseWriter: w, change: change}, r)
		})
	}
}

type rewriter struct {
	http.ResponseWriter
	change func(int, []byte) []byte
	events int
}

func (w *rewriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *rewriter) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(b, []byte("data: ")) {
		return w.ResponseWriter.Write(b)
	}
	w.events++
	_, err := w.ResponseWriter.Write(w.change(w.events, b))
	return len(b), err
}
