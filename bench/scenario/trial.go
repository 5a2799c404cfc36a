package scenario

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ssedge/bench/load"
	"ssedge/bench/observe"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

const (
	// arriveMax is how long what was published may take to arrive everywhere, as long as something does arrive.
	arriveMax = 15 * time.Minute
	// lostAfter times the time to settle is how long nothing must arrive before what is missing counts as lost: a busy
	// machine is silent, too.
	lostAfter = 10
	// answerMax is how long single events may take to arrive.
	answerMax = 30 * time.Second
	// curveEvery is the time between two points of what is drawn over time.
	curveEvery = 250 * time.Millisecond
)

// trial is a scenario against one server, while it runs.
type trial struct {
	o         Options
	t         Target
	r         *result.Result
	crowd     *load.Crowd
	publisher *publish.Publisher
	away      bool       // interrupted before all dropped streams were back: what they lack is nobody's fault
	notes     sync.Mutex // of r: a curve is drawn by a goroutine of its own, whose readings fail like any others
}

func begin(name string, o Options, t Target, more map[string]any) *trial {
	settings := o.settings()
	maps.Copy(settings, more)
	return &trial{o: o, t: t, r: &result.Result{Scenario: name, Server: t.Name, Began: time.Now(), Settings: settings}}
}

// finish ends everything and completes the result.
func (x *trial) finish(ctx context.Context) {
	if x.publisher != nil {
		x.publisher.Close()
	}
	if x.crowd != nil {
		x.crowd.Close()
	}
	x.r.Seconds = time.Since(x.r.Began).Seconds()
	x.r.Interrupted = ctx.Err() != nil
}

// open opens the streams, and notes what that came to. It fails if none is open.
func (x *trial) open(ctx context.Context, c load.Config) error {
	crowd, err := load.NewCrowd(c, x.o.Streams, x.o.Workers)
	if err != nil {
		return err
	}
	x.crowd = crowd
	x.o.Progress.Stage("opening", x.o.Streams)
	stop := x.report(func(t load.Totals) int { return int(t.Opened + t.Failed) })
	err = crowd.Open(ctx, x.o.Streams, x.o.Ramp)
	stop()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return x.opened()
}

// opened books failures and says if there is nothing to go on with.
func (x *trial) opened() error {
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	causes, err := x.crowd.Causes()
	if err != nil {
		return err
	}
	x.r.Add("streams", float64(totals.Live), "", "open")
	x.r.Add("failed", float64(totals.Failed), "", "did not open")
	for _, cause := range slices.Sorted(maps.Keys(causes)) {
		x.r.Note("did not open: %d streams: %s", causes[cause], cause)
	}
	if n := x.crowd.Processes(); n > 1 {
		x.r.Note("the client is %d processes", n)
	}
	if totals.Failed > 0 {
		x.r.Fault("%d of %d streams did not open", totals.Failed, x.o.Streams)
	}
	switch {
	case totals.Live > 0:
	case totals.Opened > 0:
		return fmt.Errorf("%s: the server ended all %d streams that opened", x.t.Subscribe, totals.Opened)
	case totals.Failed == 0:
		return context.Canceled
	default:
		return fmt.Errorf("%s: no stream opened: %s", x.t.Subscribe, slices.Sorted(maps.Keys(causes))[0])
	}
	return nil
}

// report keeps the progress bar going from the crowd's totals until stop is called.
func (x *trial) report(done func(load.Totals) int) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(200 * time.Millisecond):
			}
			if t, err := x.crowd.Totals(); err == nil {
				x.o.Progress.At(done(t))
			}
		}
	}()
	return func() { close(end); <-ended }
}

// connect makes the publisher.
func (x *trial) connect(ctx context.Context, c publish.Config) error {
	if x.t.PublishURL == "" {
		return errNoPublish
	}
	p, err := publish.New(ctx, c)
	if err != nil {
		return err
	}
	x.publisher = p
	return nil
}

// cpu is the server's time so far; NaN if it cannot be seen.
func (x *trial) cpu() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	d, err := x.t.Server.CPU()
	return x.seen(d.Seconds(), err)
}

func (x *trial) pss() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	n, err := x.t.Server.PSS()
	return x.seen(float64(n), err)
}

func (x *trial) peak() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	n, err := x.t.Server.Peak()
	return x.seen(float64(n), err)
}

// seen takes a reading that may have failed: once, that is said.
func (x *trial) seen(value float64, err error) float64 {
	if err == nil {
		return value
	}
	x.notes.Lock()
	defer x.notes.Unlock()
	note := "the server's costs: " + err.Error()
	if !slices.Contains(x.r.Notes, note) {
		x.r.Notes = append(x.r.Notes, note)
	}
	return math.NaN()
}

func (x *trial) kernel() observe.Kernel {
	k, err := observe.ReadKernel()
	x.seen(0, err)
	return k
}

// wait sleeps, but not beyond the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// arrive waits until every live stream has what was published, and says how long that took.
func (x *trial) arrive(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), arriveMax)
	defer cancel()
	began := time.Now()
	_, err := x.await(ctx, x.publisher.Published())
	return time.Since(began), err
}

// await waits until every live stream has what is due; what does not come before ctx ends, or after lostAfter of
// silence, will not come.
func (x *trial) await(ctx context.Context, due []load.Published) (whole bool, err error) {
	var events uint64
	var since time.Time
	for {
		behind, pause, err := behind(x.crowd, due)
		if err != nil || behind == 0 {
			return err == nil, err
		}
		t, err := x.crowd.Totals()
		if err != nil {
			return false, err
		}
		if now := t.Events + t.Gaps; now != events || since.IsZero() {
			events, since = now, time.Now()
		}
		if time.Since(since) > lostAfter*x.o.Settle || ctx.Err() != nil {
			return false, nil
		}
		wait(ctx, pause)
	}
}

// behind is how many live streams lack something, and how long to wait before that is asked again: looking at a million
// streams takes time from receiving.
func behind(c *load.Crowd, due []load.Published) (streams int, pause time.Duration, err error) {
	began := time.Now()
	v, err := c.Verify(due)
	return v.Behind, max(2*time.Millisecond, 10*time.Since(began)), err
}

// judge adds what the streams received, held against what was published, and what is wrong with it.
func (x *trial) judge() error {
	if x.away {
		x.r.Note("interrupted before all streams were back: loss was not looked for")
		return nil
	}
	time.Sleep(x.o.Settle) // what comes twice comes late
	v, err := x.crowd.Verify(x.publisher.Published())
	if err != nil {
		return err
	}
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	x.verdict(v.Normal, totals)
	return nil
}

func (x *trial) verdict(v load.Verdict, totals load.Totals) {
	r := x.r
	r.Add("exact", float64(v.Exact), "", "streams with every event once, in order")
	r.Add("lost", float64(v.Lost), "", "events missing in silence")
	r.Add("told", float64(v.MissedTold), "", "events missing on streams that were told of a gap")
	r.Add("cut", float64(v.MissedCut), "", "events missing on streams that the server ended")
	r.Add("duplicates", float64(totals.Duplicates), "", "events that came again")
	r.Add("disorder", float64(totals.Late+totals.Unsorted), "", "events behind a later one, and ids that do not rise")
	r.Add("misdelivered", float64(totals.Misdelivered), "", "events of other topics")
	r.Add("damaged", float64(totals.Damaged), "", "lines that belong to no event")
	r.Add("ended", float64(totals.Ended), "", "streams that the server ended")
	if v.Whole() && totals.Ended == 0 {
		return
	}
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Short, "streams lost events in silence"}, {v.Over, "streams got more than was published"}, {v.Duplicate, "streams got events twice"},
		{v.Late, "streams got events out of order"}, {v.Unsorted, "streams got ids that do not rise"},
		{v.Misdelivered, "streams got events of other topics"}, {v.Damaged, "streams got damaged lines"}, {v.Ended, "streams were ended by the server"},
	} {
		if f.n > 0 {
			r.Fault("%d of %d %s", f.n, v.Streams, f.what)
		}
	}
	if v.Told > 0 && !x.o.AllowGaps {
		r.Fault("%d of %d streams missed events, and were told (--allow-gaps accepts that)", v.Told, v.Streams)
	}
}

// booked adds what publishing came to.
func (x *trial) booked(p publish.Report) {
	x.r.Add("published", float64(p.Acknowledged), "", "events acknowledged")
	x.r.Add("published_rate", float64(p.Acknowledged)/p.Took.Seconds(), result.PerSecond, "")
	x.r.Add("refused", float64(p.Refused), "", "events that the server did not take")
	x.r.Add("unsure", float64(p.Unsure), "", "events whose answer never came")
	x.r.Add("late_p99", millis(p.Late, 99), result.Milliseconds, "from when an event was due to when it was written")
	x.r.Add("answer_p99", millis(p.Answer, 99), result.Milliseconds, "from then to its answer")
	for _, cause := range slices.Sorted(maps.Keys(p.Causes)) {
		x.r.Note("not acknowledged: %d events: %s", p.Causes[cause], cause)
	}
}

// latency adds quantiles under their usual names, behind a prefix, and the curve.
func (x *trial) latency(prefix string, h *hdrhistogram.Histogram, says string) {
	if h.TotalCount() == 0 {
		return
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}} {
		x.r.Add(prefix+q.name, millis(h, q.at), result.Milliseconds, says)
	}
	x.r.Curves = append(x.r.Curves, distribution(says, x.t.Name, h))
}

// millis is a quantile in milliseconds.
func millis(h *hdrhistogram.Histogram, percentile float64) float64 {
	if h.TotalCount() == 0 {
		return math.NaN()
	}
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

// ticks are the points of a distribution for each halving of what is left to 100 %.
const ticks = 8

func distribution(title, server string, h *hdrhistogram.Histogram) result.Curve {
	c := result.Curve{Title: title, Server: server, X: result.Axis{Name: "latency", Unit: result.Milliseconds, Log: true},
		Y: result.Axis{Name: "share", Unit: result.Percent}}
	for _, b := range h.CumulativeDistributionWithTicks(ticks) {
		c.Points = append(c.Points, [2]float64{float64(b.ValueAt) / 1000, b.Quantile})
	}
	return c
}

// over records a curve over time until stop is called, which adds it.
func (x *trial) over(title string, y result.Axis, value func() float64) (stop func()) {
	c := result.Curve{Title: title, Server: x.t.Name, X: result.Axis{Name: "time", Unit: result.Seconds}, Y: y}
	end, ended := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(curveEvery):
			}
			if v := value(); !math.IsNaN(v) {
				c.Points = append(c.Points, [2]float64{time.Since(began).Seconds(), v})
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		x.r.Curves = append(x.r.Curves, c)
	}
}

// overTime is the rate at which events arrive, for over.
func (x *trial) overTime() func() float64 {
	var events uint64
	at := time.Now()
	if t, err := x.crowd.Totals(); err == nil {
		events = t.Events
	}
	return func() float64 {
		t, err := x.crowd.Totals()
		if err != nil {
			return math.NaN()
		}
		now := time.Now()
		rate := float64(t.Events-events) / now.Sub(at).Seconds()
		events, at = t.Events, now
		return rate
	}
}

const micros = 1e6 // in a second
