package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

const (
	// quietEvents are sent before the broadcasts begin: what the same probe finds on a server with
	// nothing else to do.
	quietEvents = 100
	// probeConnections share the probe's events in turn, so that a slow answer does not hold up the
	// next event.
	probeConnections = 16
	// probeNice puts the probe's threads before the load's: what is measured is the server, not
	// this process.
	probeNice = -15
)

// Isolation times the events of a topic with one subscriber while all other streams get broadcasts.
type Isolation struct {
	For   time.Duration
	Every time.Duration // between two broadcasts
	Probe time.Duration // between two events of the one
}

// Run measures the one's latency without and with broadcasts.
func (i Isolation) Run(ctx context.Context, o Options, t Target) (*result.Result, error) {
	x := begin("isolation", o, t, map[string]any{"for": i.For.String(), "every": i.Every.String(),
		"probe": i.Probe.String()})
	defer x.finish(ctx)
	if err := x.open(ctx, o.streams(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	if err := x.connect(ctx, o.publishing(&t, 0, o.Topics)); err != nil {
		return x.r, err
	}
	p, err := x.probe(ctx)
	if err != nil {
		return x.r, err
	}
	defer p.close()
	wait(ctx, o.Settle)
	rate := float64(time.Second) / float64(i.Probe)
	quiet, err := p.run(ctx, publish.Schedule{Rate: rate, Count: quietEvents})
	if err = errors.Join(err, checkAcknowledged(ctx, quiet)); err != nil {
		return x.r, err
	}
	x.r.Add("quiet_p50", millis(p.latency, 50), result.Milliseconds,
		"of the one, without broadcasts")
	x.r.Add("quiet_p99", millis(p.latency, 99), result.Milliseconds,
		"of the one, without broadcasts")
	if _, _, err := x.crowd.Times(true); err != nil {
		return x.r, err
	}

	broadcasting, stop := context.WithCancel(ctx)
	defer stop()
	var report publish.Report
	ended := make(chan error, 1)
	go func() {
		var err error
		report, err = x.publisher.Run(broadcasting,
			publish.Schedule{Rate: float64(o.Topics) / i.Every.Seconds()})
		ended <- err
	}()
	o.Progress.Stage("probing", int(i.For.Seconds()*10))
	began := time.Now()
	stopBar := x.report(func(load.Totals) int { return int(time.Since(began).Seconds() * 10) })
	probed, err := p.run(ctx, publish.Schedule{Rate: rate, For: i.For})
	stopBar()
	stop()
	if broadcastErr := <-ended; err == nil {
		err = broadcastErr
	}
	if err != nil {
		return x.r, err
	}
	if _, err := x.arrive(ctx); err != nil {
		return x.r, err
	}
	x.checkPublished(ctx, "of the one: ", probed)
	return x.r, i.judge(ctx, x, p, report)
}

func (i Isolation) judge(ctx context.Context, x *trial, p *probe, report publish.Report) error {
	x.latency("", p.latency, "of the one, during broadcasts")
	x.r.Add("probe_late_p99", millis(p.late, 99), result.Milliseconds,
		"of that, before the request was written")
	x.r.Add("probe_events", float64(p.latency.TotalCount()), "", "to the one")
	times, _, err := x.crowd.Times(false)
	if err != nil {
		return err
	}
	x.latency("broadcast_", times, "of the broadcasts, over all streams")
	x.addPublished(ctx, report)
	v, err := p.crowd.Verify(p.publisher.Published())
	if err != nil {
		return err
	}
	x.r.Add("probe_lost", float64(v.Normal.Lost+v.Normal.MissedTold+v.Normal.MissedCut), "",
		"events of the one")
	if n := v.Normal; !n.Whole() && ctx.Err() == nil {
		x.r.Fault("the one: %v", n)
	} else if !n.Whole() {
		x.r.Fault("interrupted before the one had everything: loss was not looked for")
	}
	if v.Normal.Ended > 0 {
		x.r.Fault("the server ended the stream of the one")
	}
	return x.judge()
}

// probe is a topic with one subscriber, with threads of its own at a raised priority, if that is
// allowed.
type probe struct {
	crowd         *load.Crowd
	publisher     *publish.Publisher
	latency, late *hdrhistogram.Histogram
	settle        time.Duration
}

// probe opens one on the topic behind all others.
func (x *trial) probe(ctx context.Context) (*probe, error) {
	c := x.o.streams(&x.t, x.o.Topics, 1)
	c.Nice, c.Threads, c.Lanes = probeNice, 1, probeConnections
	crowd, err := load.NewCrowd(c, 1, load.Workers{})
	if err != nil {
		return nil, err
	}
	p := &probe{crowd: crowd, settle: x.o.Settle}
	if err := crowd.Open(ctx, 1, 0); err != nil {
		p.close()
		return nil, err
	}
	if t, err := crowd.Totals(); err != nil || t.Opened == 0 {
		causes, causesErr := crowd.Causes()
		p.close()
		return nil, errors.Join(err, causesErr, fmt.Errorf("the stream of the one did not open: %s",
			strings.Join(slices.Collect(maps.Keys(causes)), ", ")))
	}
	w := x.o.publishing(&x.t, x.o.Topics, 1)
	w.Connections, w.Shared, w.Nice = probeConnections, true, probeNice
	if p.publisher, err = publish.New(ctx, w); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *probe) run(ctx context.Context, s publish.Schedule) (publish.Report, error) {
	report, err := p.publisher.Run(ctx, s)
	if err != nil {
		return report, err
	}
	quiet, cancel := graceContext(ctx, answerMax)
	defer cancel()
	due := p.publisher.Published()
	for quiet.Err() == nil {
		behind, pause, err := behind(p.crowd, due)
		if err != nil {
			return report, err
		}
		if behind == 0 {
			break
		}
		wait(quiet, pause)
	}
	p.late = report.Late
	p.latency, _, err = p.crowd.Times(true)
	return report, err
}

func (p *probe) close() {
	if p.publisher != nil {
		p.publisher.Close()
	}
	p.crowd.Close()
}
