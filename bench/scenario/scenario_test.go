package scenario

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/bench/result"
)

// faults checks what a result says is wrong; none means nothing.
func faults(t *testing.T, r *result.Result, err error, says ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.Faults, "\n")
	for _, part := range says {
		if !strings.Contains(all, part) {
			t.Errorf("expected the fault %q, found %q", part, all)
		}
	}
	if len(says) == 0 && all != "" {
		t.Errorf("expected no fault, found %q", all)
	}
}

// figures checks those of a result.
func figures(t *testing.T, r *result.Result, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if got := r.Value(name); got != value && !(math.IsNaN(got) && math.IsNaN(value)) {
			t.Errorf("expected %s to be %v, found %v", name, value, got)
		}
	}
}

var absent = math.NaN()

func TestFanout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(string) string
		says  []string
		want  map[string]float64
		short float64 // of the events that all streams together should have
	}{
		"faultless": {func(e string) string { return e }, nil,
			map[string]float64{"exact": 10, "lost": 0}, 0},
		"loss": {func(string) string { return "" },
			[]string{"10 of 10 streams lost events in silence"},
			map[string]float64{"exact": 0, "lost": 10}, 10},
		"duplicate": {func(e string) string { return e + e },
			[]string{"10 of 10 streams got events twice"},
			map[string]float64{"exact": 0, "duplicates": 10}, -10},
		"damage": {func(e string) string { return "xxxx\n" + e },
			[]string{"10 of 10 streams got damaged lines"}, map[string]float64{"damaged": 10}, 0},
		"gap": {func(string) string { return "event: gap\ndata: {}\n\n" },
			[]string{"10 of 10 streams missed events, and were told (--allow-gaps"},
			map[string]float64{"told": 10, "lost": 0}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Fanout{Rate: 100, For: 300 * time.Millisecond}.Run(t.Context(), small(),
				(&faulty{spoilAt: 1, spoil: c.spoil}).start(t))
			faults(t, r, err, c.says...)
			figures(t, r, c.want)
			// A busy machine may have had no time for all 30.
			if published := r.Value("published"); !(published >= 1 && published <= 30) ||
				r.Value("delivered") != 10*published-c.short {
				t.Errorf("found %v published and %v delivered", published, r.Value("delivered"))
			}
			if r.Scenario != "fanout" || r.Interrupted || r.Settings["streams"] != 10 ||
				len(r.Curves) == 0 {
				t.Errorf("found %+v", r)
			}
		})
	}
	o := small()
	o.AllowGaps = true
	gap := &faulty{spoilAt: 1, spoil: func(string) string { return "event: gap\ndata: {}\n\n" }}
	r, err := Fanout{Rate: 100, For: 300 * time.Millisecond}.Run(t.Context(), o, gap.start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"told": 10, "lost": 0})
}

func TestHold(t *testing.T) {
	t.Parallel()
	o := small()
	o.Streams, o.Topics = 40, 3
	r, err := Hold{For: time.Millisecond, Broadcasts: 3, Drop: 10}.Run(t.Context(), o,
		(&faulty{}).start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"streams": 40, "failed": 0, "delivered": 120, "dropped": 10,
		"exact": 40, "ended": 0, "pss": absent, "cpu_per_stream": absent})

	// Failures are told by their cause, and the streams that did open are measured.
	r, err = Hold{}.Run(t.Context(), o, (&faulty{refuse: 4}).start(t))
	faults(t, r, err, "10 of 40 streams did not open")
	figures(t, r, map[string]float64{"streams": 30, "failed": 10})
	if want := `did not open: 10 streams: expected HTTP/1.1 200, found "HTTP/1.1 503 Service Unavailable": full`; !slices.Contains(r.Notes, want) {
		t.Errorf("expected the note %q, found %q", want, r.Notes)
	}
}

// TestStreamsThatDoNotResume end the wait for them to catch up.
func TestStreamsThatDoNotResume(t *testing.T) {
	t.Parallel()
	r, err := Hold{Broadcasts: 1, Drop: 4}.Run(t.Context(), small(),
		(&faulty{forgetful: true}).start(t))
	faults(t, r, err, "4 of 10 streams lost events in silence")
	figures(t, r, map[string]float64{"dropped": 4, "lost": 4, "exact": 6,
		"caught_up_seconds": absent})
}

func TestNoStream(t *testing.T) {
	t.Parallel()
	for says, f := range map[string]*faulty{
		"no stream opened: expected HTTP/1.1 200": {refuse: 1},
		"the server ended all 10 streams":         {hangUp: true},
	} {
		target := f.start(t)
		_, err := Idle{Interval: time.Millisecond}.Run(t.Context(), small(), target)
		if f.hangUp && err == nil { // it saw some of them alive
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("expected %q, found %v", says, err)
		}
	}
	target := (&faulty{}).start(t)
	target.PublishURL = ""
	if _, err := (Fanout{Rate: 1, For: time.Millisecond}).Run(t.Context(), small(),
		target); !errors.Is(err, errNoPublish) {
		t.Errorf("found %v", err)
	}
	// Holding publishes nothing then.
	r, err := Hold{Broadcasts: 3}.Run(t.Context(), small(), target)
	faults(t, r, err)
	figures(t, r, map[string]float64{"streams": 10, "delivered": absent, "ended": 0})
}

func TestStorm(t *testing.T) {
	t.Parallel()
	storm := Storm{Rate: 200, Before: 50 * time.Millisecond, Away: 200 * time.Millisecond,
		After: 50 * time.Millisecond}
	r, err := storm.Run(t.Context(), small(), (&faulty{}).start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"dropped": 10, "exact": 10, "lost": 0, "refused_connects": 0})
	if !(r.Value("away") >= 0.2) || !(r.Value("caught_up_seconds") >= r.Value("live_seconds")) {
		t.Errorf("found %+v", r.Figures)
	}
	r, err = storm.Run(t.Context(), small(), (&faulty{forgetful: true}).start(t))
	faults(t, r, err, "10 of 10 streams lost events in silence")
	if !(r.Value("lost") >= 10) {
		t.Errorf("expected each stream to lose something, found %+v", r.Figures)
	}
}

// broken is a source of costs that cannot be read.
type broken struct{ read atomic.Int64 }

var errBroken = errors.New("not known")

func (b *broken) CPU() (time.Duration, error) { b.read.Add(1); return 0, errBroken }
func (b *broken) PSS() (int64, error)         { b.read.Add(1); return 0, errBroken }
func (b *broken) Peak() (int64, error)        { b.read.Add(1); return 0, errBroken }
func (b *broken) Settle() error               { b.read.Add(1); return errBroken }

// TestSlow against a server whose costs cannot be read, which is said once.
func TestSlow(t *testing.T) {
	t.Parallel()
	target, source := (&faulty{}).start(t), new(broken)
	target.Server = source
	r, err := Slow{Rate: 100, For: 600 * time.Millisecond, Share: 0.2}.Run(t.Context(), small(),
		target)
	faults(t, r, err)
	figures(t, r, map[string]float64{"exact": 8, "slow_streams": 2, "slow_exact": 2, "slow_lost": 0,
		"pss": absent, "cpu_per_event": absent})
	if !slices.Equal(r.Notes,
		[]string{
			"the server's costs: not known",
			"no slow stream missed anything: buffers took it all (try more --rate, --payload or --for)",
		}) || source.read.Load() < 5 {
		t.Errorf("found %q after %d readings", r.Notes, source.read.Load())
	}
	lossy := &faulty{spoilAt: 1, spoil: func(string) string { return "" }}
	r, err = Slow{Rate: 100, For: 100 * time.Millisecond, Share: 0.5}.Run(t.Context(), small(),
		lossy.start(t))
	// while all read, which is measured first
	faults(t, r, err, "10 of 10 streams lost events in silence")
}

func TestIsolation(t *testing.T) {
	t.Parallel()
	i := Isolation{For: 100 * time.Millisecond, Every: 20 * time.Millisecond,
		Probe: time.Millisecond}
	r, err := i.Run(t.Context(), small(), (&faulty{}).start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"probe_lost": 0, "lost": 0, "streams": 10})
	if !(r.Value("probe_events") > 0) || !(r.Value("published") > 0) {
		t.Errorf("found %+v", r.Figures)
	}
	_, err = i.Run(t.Context(), small(), (&faulty{refused: func(n int) bool { return n > 10 }}).
		start(t))
	if err == nil ||
		!strings.Contains(err.Error(),
			"the stream of the one did not open: expected HTTP/1.1 200") {
		t.Errorf("the one is refused: found %v", err)
	}
}

// TestAServerThatTakesNothing has not delivered everything.
func TestAServerThatTakesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		what Scenario
		says string
	}{
		"fanout": {Fanout{Rate: 100, For: 100 * time.Millisecond},
			"10 events were refused by the server"},
		"flat out": {Fanout{For: 50 * time.Millisecond}, "events were refused by the server"},
		"warm-up": {Fanout{Rate: 100, For: 100 * time.Millisecond, Warm: 1},
			"1 of the first 1 events were not acknowledged: expected status 2xx, found 413"},
		"hold": {Hold{Broadcasts: 1}, "not acknowledged"},
		"storm": {Storm{Rate: 100, Before: 100 * time.Millisecond},
			"events were refused by the server"},
		"slow": {Slow{Rate: 100, For: 100 * time.Millisecond, Share: 0.5}, "not acknowledged"},
		"isolation": {Isolation{For: 100 * time.Millisecond, Every: 20 * time.Millisecond,
			Probe: time.Millisecond}, "not acknowledged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := c.what.Run(t.Context(), small(), (&faulty{deaf: true}).start(t))
			if err == nil {
				faults(t, r, nil, c.says)
			} else if !strings.Contains(err.Error(), c.says) {
				t.Errorf("expected %q, found %v", c.says, err)
			}
		})
	}
}

// TestIdle finds the streams without heartbeats, though others have twice theirs.
func TestIdle(t *testing.T) {
	t.Parallel()
	idle := Idle{Interval: 200 * time.Millisecond, For: 800 * time.Millisecond}
	r, err := idle.Run(t.Context(), small(), (&faulty{beat: 200 * time.Millisecond}).start(t))
	faults(t, r, err)
	r, err = idle.Run(t.Context(), small(), (&faulty{beat: 50 * time.Millisecond, mute: 2}).
		start(t))
	faults(t, r, err, "5 of 10 streams had fewer than 2 heartbeats")
	r, err = idle.Run(t.Context(), small(), (&faulty{}).start(t))
	faults(t, r, err, "no heartbeat came within 800ms")
	r, err = Hold{Beats: 1}.Run(t.Context(), small(),
		(&faulty{beat: 20 * time.Millisecond, mute: 2}).start(t))
	faults(t, r, err, "5 streams had no heartbeat while others had more than theirs")
	// A server that takes no events has heartbeats, too.
	target := (&faulty{beat: 20 * time.Millisecond, mute: 2}).start(t)
	target.PublishURL = ""
	r, err = Hold{Beats: 1}.Run(t.Context(), small(), target)
	faults(t, r, err, "5 streams had no heartbeat while others had more than theirs")
	// In one interval, and at half the rate.
	r, err = Idle{Interval: 200 * time.Millisecond, For: 200 * time.Millisecond}.Run(t.Context(),
		small(), (&faulty{beat: 50 * time.Millisecond, mute: 2}).start(t))
	faults(t, r, err, "5 of 10 streams had fewer than 1 heartbeats")
	r, err = Idle{Interval: 100 * time.Millisecond, For: 800 * time.Millisecond}.Run(t.Context(),
		small(), (&faulty{beat: 190 * time.Millisecond}).start(t))
	faults(t, r, err, "heartbeats came for each stream and interval")
	// What comes with them.
	r, err = idle.Run(t.Context(), small(), (&faulty{beat: 200 * time.Millisecond, garbage: true}).
		start(t))
	faults(t, r, err, "damaged lines came")
}

// restarted is a server whose CPU time goes back: it was started again.
type restarted struct{ used atomic.Int64 }

func (s *restarted) CPU() (time.Duration, error) {
	return time.Duration(s.used.Add(-1e9) + 1e12), nil
}
func (s *restarted) PSS() (int64, error)  { return 1, nil }
func (s *restarted) Peak() (int64, error) { return 1, nil }
func (s *restarted) Settle() error        { return nil }

// TestAServerThatWasStartedAgain has no CPU time that means anything.
func TestAServerThatWasStartedAgain(t *testing.T) {
	t.Parallel()
	target := (&faulty{}).start(t)
	target.Server = &restarted{}
	r, err := Fanout{Rate: 100, For: 100 * time.Millisecond}.Run(t.Context(), small(), target)
	faults(t, r, err)
	figures(t, r, map[string]float64{"cores": absent, "cpu_per_event": absent, "lost": 0})
	if !strings.Contains(strings.Join(r.Notes, " "), "gone back") {
		t.Errorf("found %q", r.Notes)
	}
}

// TestWhatWasRefusedBeforeAnInterrupt is not forgiven for it.
func TestWhatWasRefusedBeforeAnInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r, err := Fanout{Rate: 100, For: time.Hour}.Run(ctx, small(), (&faulty{deaf: true}).start(t))
	faults(t, r, err, "events were refused by the server")
}

// TestStreamsThatEndWhenTheyComeBack are never all there, nor caught up.
func TestStreamsThatEndWhenTheyComeBack(t *testing.T) {
	t.Parallel()
	r, err := Storm{Rate: 100, Before: 50 * time.Millisecond}.Run(t.Context(), small(),
		(&faulty{hangUpAfter: 10}).start(t))
	if err != nil || r.Value("live_seconds") >= 0 || r.Value("caught_up_seconds") >= 0 ||
		!strings.Contains(strings.Join(r.Faults, " "),
			"the server ended 10 streams after they had come back") {
		t.Errorf("found %v, %+v", err, r)
	}
}

// TestStreamsThatAreRefusedOnce are tried again, before anything is published that they would lack.
func TestStreamsThatAreRefusedOnce(t *testing.T) {
	t.Parallel()
	storm := Storm{Rate: 200, Before: 50 * time.Millisecond, Away: 50 * time.Millisecond}
	r, err := storm.Run(t.Context(), small(),
		(&faulty{refused: func(n int) bool { return n <= 3 }}).start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"streams": 10, "failed": 0, "dropped": 10, "exact": 10})
	r, err = Hold{Broadcasts: 1, Drop: 4}.Run(t.Context(), small(),
		(&faulty{refused: func(n int) bool { return n == 11 }}).start(t))
	faults(t, r, err)
	figures(t, r, map[string]float64{"dropped": 4, "exact": 10, "refused_connects": 1})
}

// TestAStormInterruptedWhileAllAreAway has not seen them come back.
func TestAStormInterruptedWhileAllAreAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var dropped atomic.Bool
	f := &faulty{refused: func(n int) bool { // streams that come again
		if n > 10 && !dropped.Swap(true) {
			cancel()
		}
		return n > 10
	}}
	r, err := Storm{Rate: 100, Before: 50 * time.Millisecond}.Run(ctx, small(), f.start(t))
	faults(t, r, err, "interrupted before everything had arrived")
	figures(t, r, map[string]float64{"dropped": 10, "live_seconds": absent,
		"caught_up_seconds": absent, "lost": absent})
	if !r.Interrupted {
		t.Errorf("found %+v", r)
	}
}

// TestTheWaitAfterAnInterruptionIsShort, whatever is still on its way.
func TestTheWaitAfterAnInterruptionIsShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	longer, stop := graceContext(ctx, time.Hour)
	defer stop()
	if longer.Err() != nil {
		t.Fatal("it ends before it is interrupted")
	}
	cancel()
	if longer.Err() != nil {
		t.Error("what is on its way has no time")
	}
	select {
	case <-longer.Done():
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}
