package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestInterrupted scenarios give the figures so far.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		what Scenario
		says []string
	}{
		"fanout": {Fanout{Rate: 1000, For: time.Hour}, nil},
		"isolation": {Isolation{For: time.Hour, Every: 10 * time.Millisecond,
			Probe: 2 * time.Millisecond}, nil},
		"storm": {Storm{Rate: 1000, Before: time.Hour},
			[]string{"interrupted before the streams were dropped"}},
		"slow": {Slow{Rate: 1000, For: time.Hour, Share: 0.5},
			[]string{"interrupted before anything was shown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var events atomic.Int64
			f := &faulty{publishing: func() {
				if events.Add(1) == 200 { // of isolation, 100 come before the broadcasts
					cancel()
				}
			}}
			r, err := c.what.Run(ctx, small(), f.start(t))
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if r == nil || !r.Interrupted || r.Scenario != name || len(r.Figures) == 0 {
				t.Errorf("found %+v, %v", r, err)
			}
			faults(t, r, nil, c.says...)
		})
	}
}

// TestInterruptedBeforeAnythingWasShown: such a run has not passed, whenever it is interrupted:
// before it begins, while streams open, and when they are open and nothing was published.
func TestInterruptedBeforeAnythingWasShown(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Scenario{
		"fanout":           Fanout{Rate: 100, For: time.Hour},
		"fanout, flat out": Fanout{For: time.Hour, Warm: 1},
		"storm":            Storm{Rate: 100, Before: time.Hour},
		"isolation":        Isolation{For: time.Hour, Every: time.Hour, Probe: time.Hour},
		"slow":             Slow{Rate: 100, For: time.Hour, Share: 0.5},
		"hold":             Hold{For: time.Hour, Broadcasts: 1},
		"hold, beats":      Hold{Beats: 1},
		"hold, drop":       Hold{For: time.Hour, Drop: 3},
		"idle":             Idle{Interval: time.Hour},
		"history":          history{events: 100},
	} {
		for _, opened := range []int{0, 1, 10} { // attempts to subscribe before it is interrupted
			t.Run(fmt.Sprintf("%s, %d", name, opened), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f := &faulty{refused: func(n int) bool {
					if n == opened {
						cancel()
					}
					return false
				}, publishing: func() { <-ctx.Done() }}
				if opened == 0 {
					cancel()
				}
				r, err := s.Run(ctx, small(), f.start(t))
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if r == nil || !r.Interrupted || len(r.Faults) == 0 {
					t.Errorf("found %+v, expected a fault", r)
				}
			})
		}
	}
	// All that was asked for was that streams open, and they did.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r, err := Hold{For: time.Hour}.Run(ctx, small(), (&faulty{}).start(t))
	faults(t, r, err)
	if !r.Interrupted || r.Value("streams") != 10 {
		t.Errorf("found %+v", r)
	}
}

// TestLossBeforeAnInterrupt is not excused by it.
func TestLossBeforeAnInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var events atomic.Int64
	f := &faulty{spoilAt: 2, spoil: func(string) string { return "" }, publishing: func() {
		if events.Add(1) == 20 {
			cancel()
		}
	}}
	r, err := Fanout{Rate: 100, For: time.Hour}.Run(ctx, small(), f.start(t))
	if err != nil || len(r.Faults) == 0 {
		t.Errorf("found %+v, %v, expected a fault", r, err)
	}
}

// notes are what a run says that it waits for.
type notes struct {
	Silent
	mu  sync.Mutex
	all []string
}

func (n *notes) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, text)
}

func (n *notes) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = nil
}

func (n *notes) said() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.all, "; ")
}

// TestATargetThatRefusesAll is not waited for, though single streams would be; what is waited for
// is said.
func TestATargetThatRefusesAll(t *testing.T) {
	t.Parallel()
	o := small()
	for name, s := range map[string]Scenario{"storm": Storm{Rate: 100}, "hold": Hold{Drop: 3},
		"history": history{events: 1}} {
		f := &faulty{refused: func(int) bool { return true }}
		_, err := s.Run(t.Context(), o, f.start(t))
		if err == nil || !strings.Contains(err.Error(), "no stream opened: expected HTTP/1.1 200") {
			t.Errorf("%s: found %v", name, err)
		}
		if opened := f.attempts(); opened > 2*o.Streams { // it would be asked every second for 30 s
			t.Errorf("%s: %d attempts for %d streams", name, opened, o.Streams)
		}
	}
	n := &notes{}
	o.Progress = n
	r, err := Storm{Rate: 200, Before: 50 * time.Millisecond}.Run(t.Context(), o,
		(&faulty{refused: func(n int) bool { return n <= 3 }}).start(t))
	faults(t, r, err)
	if !strings.Contains(n.said(), "3 of 10 streams did not open at once (expected HTTP/1.1 200") {
		t.Errorf("found the notes %q", n.said())
	}
	n.forget()
	o.OpenTimeout = 5 * time.Second
	r, err = Storm{Rate: 200, Before: 50 * time.Millisecond}.Run(t.Context(), o,
		(&faulty{refused: func(n int) bool { return n > 10 }}).start(t))
	faults(t, r, err, "10 of 10 streams did not come back within")
	if !strings.Contains(n.said(), "streams do not come back (expected HTTP/1.1 200") {
		t.Errorf("found the notes %q", n.said())
	}
	n.forget()
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))
	defer hung.Close()
	o.OpenTimeout = 3 * time.Second
	_, err = Hold{}.Run(t.Context(), o, Target{Name: "hung", Subscribe: hung.URL})
	if err == nil || !strings.Contains(err.Error(), "no answer within 3s") ||
		!strings.Contains(n.said(), "waiting for "+hung.URL+" to answer") {
		t.Errorf("found %v and the notes %q", err, n.said())
	}
}
