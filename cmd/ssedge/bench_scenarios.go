package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ssedge/bench/baseline"
	"ssedge/bench/load"
	"ssedge/bench/result"
	"ssedge/bench/scenario"
	"ssedge/bench/server"
	"ssedge/bench/twin"
)

type benchHold struct {
	For        time.Duration `help:"How long the streams are held before memory is read (default ${default})." default:"10s" placeholder:"TIME"`
	Broadcasts int           `help:"Then events to every topic (default ${default})." default:"1" placeholder:"N"`
	Beats      int           `help:"Then heartbeats to await on every stream." placeholder:"N"`
	Drop       int           `help:"Then streams to drop and resume." placeholder:"N"`
	loadFlags
	targetFlags
}

func (c *benchHold) Run() error {
	if c.For < 0 || c.Broadcasts < 0 || c.Beats < 0 || c.Drop < 0 || c.Drop > max(c.Streams, 0) {
		// fewer streams than 1 are refused by name
		return fmt.Errorf("--for, --broadcasts, --beats, --drop: expected 0 or more, and to drop at most the %d streams; found %v, %d, %d, %d",
			c.Streams, c.For, c.Broadcasts, c.Beats, c.Drop)
	}
	if c.Start == "" {
		c.complete()
	}
	if c.Start == "" && c.PublishURL == "" && c.Drop > 0 {
		return errors.New("--drop: expected --publish-url: it is told by what was published meanwhile whether streams resume")
	}
	if c.Broadcasts+c.Drop == 0 {
		c.PublishURL = "" // nothing is published, so nothing has to answer there
	}
	return c.measure(&c.targetFlags,
		scenario.Hold{For: c.For, Broadcasts: c.Broadcasts, Beats: c.Beats, Drop: c.Drop})
}

type benchFanout struct {
	Rate    float64       `help:"Events a second, over all topics (default ${default})." default:"10" placeholder:"RATE"`
	FlatOut bool          `help:"Publish as fast as answers come, instead of at a rate."`
	Batch   int           `help:"Bodies in one request, a line each (default ${default})." default:"1" placeholder:"N"`
	For     time.Duration `help:"How long (default ${default})." default:"10s" placeholder:"TIME"`
	Warm    int           `help:"Events to each topic before the measured ones (default ${default})." default:"1" placeholder:"N"`
	loadFlags
	targetFlags
}

func (c *benchFanout) Run() error {
	if err := c.publishes(); err != nil {
		return err
	}
	if c.FlatOut {
		c.Rate = 0
	} else if err := rate(c.Rate); err != nil {
		return fmt.Errorf("%w (--flat-out publishes as fast as answers come)", err)
	}
	if c.For <= 0 || c.Warm < 0 || c.Batch < 1 {
		return fmt.Errorf("--for, --warm, --batch: expected a time above 0, 0 or more, and 1 or more, found %v, %d, %d",
			c.For, c.Warm, c.Batch)
	}
	if c.Batch > 1 && c.PublishBody == "{payload}" {
		if c.lines = c.ours(); !c.lines {
			return fmt.Errorf("--batch %d: expected --publish-body, and --publish-header, with which this server takes lines for single events",
				c.Batch)
		}
	}
	return c.measure(&c.targetFlags, scenario.Fanout{Rate: c.Rate, For: c.For, Warm: c.Warm,
		Batch: c.Batch})
}

// rate checks a number of events a second.
func rate(r float64) error {
	if !(r >= scenario.RateMin && r <= scenario.RateMax) {
		return fmt.Errorf("--rate: expected %v to %d events a second, found %v", scenario.RateMin,
			int(scenario.RateMax), r)
	}
	return nil
}

type benchIsolation struct {
	For   time.Duration `help:"How long (default ${default})." default:"10s" placeholder:"TIME"`
	Every time.Duration `help:"Time between two broadcasts (default ${default})." default:"250ms" placeholder:"TIME"`
	Probe time.Duration `help:"Time between two events of the one (default ${default})." default:"10ms" placeholder:"TIME"`
	loadFlags
	targetFlags
}

func (c *benchIsolation) Run() error {
	if err := c.publishes(); err != nil {
		return err
	}
	if c.For <= 0 || c.Every < time.Millisecond || c.Probe < time.Millisecond {
		return fmt.Errorf("--for, --every, --probe: expected a time above 0, and 1ms or more, found %v, %v, %v", c.For, c.Every, c.Probe)
	}
	if c.Start == "" && (!strings.Contains(c.Subscribe, "{topic}") ||
		!strings.Contains(c.PublishURL+c.PublishBody, "{topic}")) {
		return fmt.Errorf("expected {topic} in --subscribe and in --publish-url or --publish-body: the one needs a topic of its own")
	}
	return c.measure(&c.targetFlags, scenario.Isolation{For: c.For, Every: c.Every, Probe: c.Probe})
}

type benchStorm struct {
	Rate   float64       `help:"Events a second, over all topics, all the time (default ${default})." default:"10" placeholder:"RATE"`
	Before time.Duration `help:"How long before the drop (default ${default})." default:"3s" placeholder:"TIME"`
	Away   time.Duration `help:"Time between drop and return (default ${default})." default:"1s" placeholder:"TIME"`
	After  time.Duration `help:"How long after all are back (default ${default})." default:"3s" placeholder:"TIME"`
	loadFlags
	targetFlags
}

func (c *benchStorm) Run() error {
	if err := c.publishes(); err != nil {
		return err
	}
	if err := rate(c.Rate); err != nil {
		return err
	}
	if c.Before < 0 || c.Away < 0 || c.After < 0 {
		return fmt.Errorf("--before, --away, --after: expected times of 0 or more, found %v, %v, %v", c.Before, c.Away, c.After)
	}
	return c.measure(&c.targetFlags, scenario.Storm{Rate: c.Rate, Before: c.Before, Away: c.Away,
		After: c.After})
}

type benchSlow struct {
	Rate    float64       `help:"Events a second, over all topics (default ${default})." default:"50" placeholder:"RATE"`
	For     time.Duration `help:"How long (default ${default})." default:"10s" placeholder:"TIME"`
	Share   float64       `help:"Share of the streams that are slow (default ${default})." default:"0.1" placeholder:"X"`
	Dribble int           `type:"size" help:"Bytes they read at a time; 0: they never read." placeholder:"N"`
	Pause   time.Duration `help:"Time between two such reads (default ${default})." default:"100ms" placeholder:"TIME"`
	loadFlags
	targetFlags
}

func (c *benchSlow) Run() error {
	if err := c.publishes(); err != nil {
		return err
	}
	if !(c.Share > 0 && c.Share <= 0.5) {
		return fmt.Errorf("--share: expected more than 0 and at most 0.5, found %v", c.Share)
	}
	if err := rate(c.Rate); err != nil {
		return err
	}
	if c.For <= 0 || c.Dribble < 0 || c.Pause < time.Millisecond {
		return fmt.Errorf("--for, --dribble, --pause: expected a time above 0, 0 or more bytes, and 1ms or more, found %v, %d, %v",
			c.For, c.Dribble, c.Pause)
	}
	return c.measure(&c.targetFlags, scenario.Slow{Rate: c.Rate, For: c.For, Share: c.Share,
		Dribble: int(c.Dribble), Pause: c.Pause})
}

type benchIdle struct {
	Interval time.Duration `help:"The server's heartbeat interval (default ${default})." default:"25s" placeholder:"TIME"`
	For      time.Duration `help:"How long to count them, from one and a half intervals on; 0: two intervals." placeholder:"TIME"`
	loadFlags
	targetFlags
}

func (c *benchIdle) Run() error {
	if c.Interval <= 0 || c.For != 0 && c.For < c.Interval {
		return fmt.Errorf("--interval, --for: expected a time above 0, and none or one at least as long, found %v, %v",
			c.Interval, c.For)
	}
	if c.Start == "" {
		c.complete()
		c.PublishURL = ""
	}
	return c.measure(&c.targetFlags, scenario.Idle{Interval: c.Interval, For: c.For})
}

type benchBaseline struct {
	Broadcasts int `help:"Events to all streams (default ${default})." default:"20" placeholder:"N"`
	Loops      int `help:"Threads of the loop (default ${default})." default:"1" placeholder:"N"`
	loadFlags
}

func (c *benchBaseline) Run() error {
	if c.Broadcasts < 1 || c.Loops < 1 || c.Loops > 64 {
		return fmt.Errorf("--broadcasts, --loops: expected 1 or more, and 1 to 64, found %d, %d",
			c.Broadcasts, c.Loops)
	}
	return c.session(func(ctx context.Context, o scenario.Options, each func(*result.Result)) (
		[]result.Table, error) {
		if err := enoughFiles(server.Kind{Name: server.Baseline}, c.Streams, ""); err != nil {
			return nil, err
		}
		start, err := serverOptions("")
		if err != nil {
			return nil, err
		}
		r, err := scenario.Fresh(ctx, server.Kind{Name: server.Baseline, Shards: c.Loops}, start,
			scenario.Hold{Broadcasts: c.Broadcasts}, o)
		if r != nil {
			r.Scenario, r.Reference = "baseline", false // it is what is measured here
			each(r)
		}
		return nil, err
	})
}

type benchCompare struct {
	Servers    []string      `help:"Which (default ${default}); the number is that of shards, or threads." default:"ssedge/1,ssedge/2,baseline/1,baseline/2,twin" placeholder:"NAME"`
	Rounds     int           `help:"How often each is measured, in turn (default ${default})." default:"3" placeholder:"N"`
	Flood      int           `help:"Streams when publishers run flat out (default ${default})." default:"1000" placeholder:"N"`
	IdleWait   time.Duration `help:"Time between the last accept and the reading of memory (default ${default})." default:"10s" placeholder:"TIME"`
	Broadcasts int           `help:"Events to all streams, each complete before the next (default ${default})." default:"20" placeholder:"N"`
	For        time.Duration `help:"How long isolation is measured; flat out half of that (default ${default})." default:"10s" placeholder:"TIME"`
	Beat       time.Duration `help:"Heartbeat interval where heartbeats are measured (default ${default})." default:"4s" placeholder:"TIME"`
	Arguments  string        `help:"Further arguments of ssedge serve, blanks between them." placeholder:"TEXT"`
	loadFlags
}

func (c *benchCompare) Run() error {
	var kinds []server.Kind
	for _, name := range c.Servers {
		k, err := server.ParseKind(name)
		if err != nil {
			return fmt.Errorf("--servers: %w", err)
		}
		kinds = append(kinds, k)
	}
	if c.Rounds < 1 || c.Flood < 1 || c.Broadcasts < 1 {
		return fmt.Errorf("--rounds, --flood, --broadcasts: expected 1 or more, found %d, %d, %d",
			c.Rounds, c.Flood, c.Broadcasts)
	}
	if c.IdleWait < 0 || c.For <= 0 || c.Beat <= 0 {
		return fmt.Errorf("--idle-wait, --for, --beat: expected times, the last two above 0, found %v, %v, %v", c.IdleWait, c.For, c.Beat)
	}
	c.several = true
	return c.session(func(ctx context.Context, o scenario.Options, each func(*result.Result)) (
		[]result.Table, error) {
		for _, k := range kinds {
			if err := enoughFiles(k, max(c.Streams, c.Flood), c.Arguments); err != nil {
				return nil, err
			}
		}
		start, err := serverOptions(c.Arguments)
		if err != nil {
			return nil, err
		}
		table, err := scenario.Compare{
			Servers: kinds, Rounds: c.Rounds, Start: start, Flood: c.Flood, IdleWait: c.IdleWait,
			Events: c.Broadcasts, For: c.For, Heartbeat: c.Beat,
		}.Run(ctx, o, each)
		return []result.Table{table}, err
	})
}

type benchGrowth struct {
	Along     []string      `help:"What grows (default ${default})." default:"streams,topics,history,payload,rate" placeholder:"NAME"`
	Server    string        `help:"Of which server (default ${default})." default:"ssedge" placeholder:"NAME"`
	For       time.Duration `help:"How long each size is measured (default ${default})." default:"5s" placeholder:"TIME"`
	Arguments string        `help:"Further arguments of ssedge serve, blanks between them." placeholder:"TEXT"`
	loadFlags
}

func (c *benchGrowth) Run() error {
	for _, name := range c.Along {
		if !slices.Contains(scenario.Axes(), name) {
			return fmt.Errorf("--along: expected some of %s, found %q",
				strings.Join(scenario.Axes(), ", "), name)
		}
	}
	kind, err := server.ParseKind(c.Server)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	if c.For <= 0 {
		return fmt.Errorf("--for: expected a time above 0, found %v", c.For)
	}
	c.several = true
	return c.session(func(ctx context.Context, o scenario.Options, each func(*result.Result)) (
		[]result.Table, error) {
		start, err := serverOptions(c.Arguments)
		if err != nil {
			return nil, err
		}
		return scenario.Growth{Server: kind, Start: start, Along: c.Along, For: c.For}.Run(ctx, o,
			each)
	})
}

// benchServer is a server that comes along, as its own process.
type benchServer struct {
	Name      string        `arg:"" help:"twin or baseline." enum:"twin,baseline"`
	Listen    string        `help:"Address." default:"127.0.0.1:0" env:"-"`
	Threads   int           `help:"Threads of the baseline." default:"1" env:"-"`
	Heartbeat time.Duration `help:"Interval; 0: none." env:"-"`
	Life      time.Duration `help:"End after this time." default:"1m" env:"-"`
}

func (c *benchServer) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Life)
	defer cancel()
	if c.Name == server.Twin {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return err
		}
		return twin.Serve(ctx, l, twin.Config{Heartbeat: c.Heartbeat})
	}
	to, err := netip.ParseAddrPort(c.Listen)
	if err != nil {
		return err
	}
	s, err := baseline.Listen(baseline.Config{Listen: to, Threads: c.Threads,
		Heartbeat: c.Heartbeat})
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

type benchWorker struct{}

// Run holds streams until standard input ends.
func (benchWorker) Run() error { return load.ServeWorker(os.Stdin, os.Stdout) }
