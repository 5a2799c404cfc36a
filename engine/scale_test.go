package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// TestManyStreams holds ten thousand streams, a thousand under the race detector: each gets every
// broadcast exactly once, and heartbeats when there is none; the server has no goroutine more for
// it; and when they are gone nothing of them is left.
func TestManyStreams(t *testing.T) {
	few, streams, events := 100, pick(10_000, 1_000, 1_000), 10
	p := startProcess(t, "--heartbeat=1s")
	p.metrics(t)
	p.http.CloseIdleConnections()
	files := fileNames(p.pid)

	var received, alive atomic.Int64
	read := func(_ int, st *stream) error {
		for i := range events {
			m, err := st.next()
			if err != nil {
				return err
			}
			if m.Event != "message" || m.Data != fmt.Sprint(i) {
				return fmt.Errorf("expected event %d, found %s %q", i, m.Event, m.Data)
			}
			received.Add(1)
		}
		for beats := st.beats; st.beats == beats; {
			if err := st.read(512); err != nil {
				return err
			}
		}
		alive.Add(1)
		for len(st.queue) == 0 {
			if st.read(512) != nil {
				return nil // closed by the test
			}
		}
		return fmt.Errorf("found one event too many: %+v", st.queue[0])
	}
	a := ask{topics: []string{"all"}, readBuffer: 512}
	first := newCrowd(t, &p.server, few, a, read)
	goroutines := total(p.metrics(t), "go_goroutines")
	rest := newCrowd(t, &p.server, streams-few, a, read)
	p.awaitStreams(t, streams)
	m := p.metrics(t)
	if now := total(m, "go_goroutines"); now > goroutines+10 {
		t.Errorf("%v goroutines with %d streams, %v with %d", goroutines, few, now, streams)
	}
	if subs := total(m, "ssedge_subscriptions"); subs != float64(streams) {
		t.Errorf("%v subscriptions of %d streams", subs, streams)
	}

	for i := range events {
		p.publish(t, "all", fmt.Sprint(i))
	}
	wait := func(what string, n *atomic.Int64, want int) {
		t.Helper()
		await(t, fmt.Sprintf("%s %d times", what, want), func() (bool, string) {
			if first.err() != nil || rest.err() != nil {
				t.Fatal(first.err(), rest.err())
			}
			return n.Load() == int64(want), fmt.Sprint(n.Load())
		})
	}
	wait("an event", &received, events*streams)
	wait("a heartbeat", &alive, streams)
	if out := total(p.metrics(t), "ssedge_events_out_total"); out != float64(events*streams) {
		t.Errorf("%v events counted as sent, %d were", out, events*streams)
	}

	first.reset()
	rest.reset()
	if first.err() != nil || rest.err() != nil {
		t.Error(first.err(), rest.err())
	}
	p.awaitStreams(t, 0)
	m = p.metrics(t)
	if subs, gone := total(m, "ssedge_subscriptions"),
		m[`ssedge_streams_closed_total{reason="client_gone"}`]; subs != 0 ||
		gone != float64(streams) {
		t.Errorf("%v subscriptions left, %v streams closed as gone", subs, gone)
	}
	p.http.CloseIdleConnections()
	await(t, "no open file that was not there before", func() (bool, string) {
		left := added(files, fileNames(p.pid))
		return len(left) == 0, fmt.Sprint(left)
	})
}
