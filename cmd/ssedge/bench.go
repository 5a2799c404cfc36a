package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/progress"
	"ssedge/bench/report"
	"ssedge/bench/result"
	"ssedge/bench/scenario"
	"ssedge/bench/server"
)

type benchCmd struct {
	Hold      benchHold      `cmd:"" help:"Open streams and hold them: connects, memory, what a held stream costs."`
	Fanout    benchFanout    `cmd:"" help:"Publish to streams: latency, deliveries, loss, order."`
	Isolation benchIsolation `cmd:"" help:"Time the events of one stream while others get broadcasts."`
	Storm     benchStorm     `cmd:"" help:"Drop all streams at once and resume them."`
	Slow      benchSlow      `cmd:"" help:"Have a share of the streams read slowly or never, and measure the others."`
	Idle      benchIdle      `cmd:"" help:"Watch heartbeats."`
	Baseline  benchBaseline  `cmd:"" help:"Measure the bare send loop: what no server here can beat."`
	Compare   benchCompare   `cmd:"" help:"ssedge, a plain net/http server and the baseline, in turn: some six minutes a round."`
	Growth    benchGrowth    `cmd:"" help:"How ssedge's costs grow: streams, topics, history, payload, rate."`
	Report    benchReport    `cmd:"" help:"Make the page of an earlier run, from its raw.json or raw.json.gz."`

	Server benchServer `cmd:"" hidden:"" help:"Run one of the built-in servers."`
	Worker benchWorker `cmd:"" hidden:"" help:"Hold streams for another process."`
}

// Help is what ssedge bench --help says below its first line.
func (benchCmd) Help() string {
	return `A scenario starts a server (--start ssedge), or measures one that runs: an ssedge at 127.0.0.1:8080, or any other by URL templates, in which {topic}, {payload}, {now}, {run} and {stream} are filled in. A Mercure hub:

ssedge bench fanout --subscribe 'http://127.0.0.1:3000/.well-known/mercure?topic=t{topic}' --publish-url http://127.0.0.1:3000/.well-known/mercure --publish-header 'Authorization: Bearer TOKEN' --publish-header 'Content-Type: application/x-www-form-urlencoded' --publish-body 'topic=t{topic}&data={payload}'

Payloads need no escaping in a form, in JSON or in a URL. bench/README.md has the figures, and recipes for Mercure, Centrifugo, nchan and Pushpin.`
}

// loadFlags are what all scenarios have.
type loadFlags struct {
	Streams     int           `help:"Streams to open (default ${default})." default:"1000" placeholder:"N"`
	Payload     int           `type:"size" help:"Bytes of an event's data, 16 or more (default ${default})." default:"100" placeholder:"N"`
	Ramp        float64       `help:"Connects a second; 0: as fast as the server answers." placeholder:"RATE"`
	InFlight    int           `help:"Connections that are being opened at a time (default ${default})." default:"256" placeholder:"N"`
	Threads     int           `help:"Threads of the client that receive, in each of its processes (default ${default})." default:"1" placeholder:"N"`
	Workers     int           `help:"Processes of the client; 0: as few as the limit on open files allows." placeholder:"N"`
	Publishers  int           `help:"Connections that publish (default ${default})." default:"4" placeholder:"N"`
	Settle      time.Duration `help:"Time a server is given to finish what a change of load set off (default ${default})." default:"300ms" placeholder:"TIME"`
	OpenTimeout time.Duration `help:"Time for the head of a stream's answer (default ${default})." default:"30s" placeholder:"TIME"`
	AllowGaps   bool          `help:"Events that a stream was told it missed are no fault."`
	Expect      []string      `help:"A bound that fails the run, as in 'p99<50ms'; names are those of the figures." sep:"none" placeholder:"BOUND"`
	JSON        bool          `help:"Print the results as JSON."`
	Report      string        `help:"Write raw.json and a page with plots into this directory." placeholder:"DIR"`

	several bool // there will be several results, with different figures
}

func (f *loadFlags) options(bar scenario.Progress) (scenario.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return scenario.Options{}, err
	}
	o := scenario.Defaults()
	o.Streams, o.Payload, o.Ramp, o.InFlight, o.Threads = f.Streams, int(f.Payload), f.Ramp,
		f.InFlight, f.Threads
	o.Publishers, o.Settle, o.OpenTimeout, o.AllowGaps = f.Publishers, f.Settle, f.OpenTimeout,
		f.AllowGaps
	o.Run = strconv.FormatUint(rand.Uint64(), 36)
	o.Workers = load.Workers{Command: []string{self, "bench", "worker"}, Count: f.Workers}
	o.Progress = bar
	return o, nil
}

// measure runs a scenario against the target and reports what it came to.
func (f *loadFlags) measure(target *targetFlags, s scenario.Scenario) error {
	return f.session(func(ctx context.Context, o scenario.Options, each func(*result.Result)) (
		[]result.Table, error) {
		if err := target.alone(); err != nil {
			return nil, err
		}
		target.complete()
		t, err := target.target()
		if err != nil {
			return nil, err
		}
		o.Topics, o.AllowRemote = target.Topics, target.AllowRemote
		if target.lines {
			inLines(&t)
		}
		if err := o.Check(&t); err != nil {
			return nil, err
		}
		if target.Start == "" {
			if err := target.reach(ctx, o.Progress); err != nil {
				return nil, err
			}
		}
		start, err := serverOptions(target.Arguments)
		if err != nil {
			return nil, err
		}
		if idle, ok := s.(scenario.Idle); ok {
			start.Heartbeat = idle.Interval
		}
		if target.Start != "" {
			k, err := server.ParseKind(target.Start)
			if err != nil {
				return nil, fmt.Errorf("--start: %w", err)
			}
			if err := enoughFiles(k, o.Streams, target.Arguments); err != nil {
				return nil, err
			}
			child, err := server.Start(ctx, k, start)
			if err != nil {
				return nil, unlessEnded(ctx, err)
			}
			defer child.Stop()
			t = scenario.Child(child)
			if target.lines {
				inLines(&t)
			}
			if err := scenario.Warm(ctx, o, t); err != nil {
				return nil, unlessEnded(ctx, err)
			}
		}
		var results []*result.Result
		if target.Beside {
			results, err = scenario.Beside(ctx, start, s, o, t)
		} else {
			var r *result.Result
			r, err = s.Run(ctx, o, t)
			results = append(results, r)
		}
		if ctx.Err() != nil && len(results) > 0 {
			err = nil // the figures so far are what was asked for
		}
		for _, r := range results {
			switch {
			case r == nil:
				continue
			case err == nil || r.Reference: // what is wrong with a reference fails nothing
			case !(r.Value("streams") > 0):
				continue // it did not begin: the error says all there is to say
			default:
				r.Fault("ended early: %v", err)
				err = nil
			}
			each(r)
		}
		return nil, err
	})
}

// unlessEnded is an error, or that the run was interrupted instead.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before anything was measured")
	}
	return err
}

// serverOptions are how the built-in servers are started.
func serverOptions(arguments string) (server.Options, error) {
	self, err := os.Executable()
	return server.Options{Program: []string{self}, Arguments: strings.Fields(arguments)}, err
}

// clientThreads lets every locked thread of the client run whenever the kernel lets it; with one
// per core they would wait for each other inside the Go scheduler.
const clientThreads = 8

// session runs what measures, and reports: text or JSON on standard output, files if asked for. It
// fails if streams did not get what they should, or an expectation was not met.
func (f *loadFlags) session(run func(context.Context, scenario.Options,
	func(*result.Result)) ([]result.Table, error)) error {
	runtime.GOMAXPROCS(max(clientThreads, runtime.NumCPU()))
	var expectations []result.Expectation
	for _, text := range f.Expect {
		e, err := result.ParseExpectation(text)
		if err == nil {
			err = scenario.CheckExpectation(e)
		}
		if err != nil {
			return fmt.Errorf("--expect: %w", err)
		}
		expectations = append(expectations, e)
	}
	if f.Report != "" {
		if err := report.Writable(f.Report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	bar := progress.New(os.Stderr)
	o, err := f.options(bar)
	if err == nil {
		err = o.CheckLoad()
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	defer stop()

	all := result.Run{Environment: result.Describe(version(), os.Args[1:]),
		Results: []result.Result{}}
	write := func() error {
		if f.Report == "" {
			return nil
		}
		return report.Write(f.Report, &all)
	}
	var failures []error
	tables, err := run(ctx, o, func(r *result.Result) {
		bar.Close()
		one := *r // what is expected here is no fault where results are held against each other
		one.Faults = slices.Clone(r.Faults)
		for _, e := range expectations {
			if err := e.Check(r); err != nil && !r.Reference && (e.Of(r) || !f.several) {
				one.Faults = append(one.Faults, err.Error())
			}
		}
		all.Results = append(all.Results, one)
		if !f.JSON {
			failures = append(failures, one.WriteText(os.Stdout))
		}
		write() // what goes wrong goes wrong at the end again
	})
	for _, e := range expectations {
		if f.several && !slices.ContainsFunc(all.Results, func(r result.Result) bool {
			return !r.Reference && e.Of(&r)
		}) {
			failures = append(failures, fmt.Errorf("expected %v: there is no such figure", e))
		}
	}
	bar.Close()
	all.Tables = tables
	failures = append(failures, err, write())
	if f.JSON {
		text, err := report.JSON(&all)
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		failures = append(failures, err)
	} else {
		for _, t := range tables {
			failures = append(failures, t.WriteText(os.Stdout))
		}
	}
	for _, fault := range all.Faults() {
		failures = append(failures, errors.New(fault))
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	// What is wrong with a reference fails nothing, so a run may have no fault and nothing to show
	// either.
	if !slices.ContainsFunc(all.Results, func(r result.Result) bool {
		return len(r.Figures) > 0 && len(r.Faults) == 0
	}) {
		return errors.New("nothing was measured")
	}
	return nil
}
