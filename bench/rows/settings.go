package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ssedge/bench/load"
)

// settings are the flags. See define for what each means.
type settings struct {
	ssedge     string
	ssedgeArgs string
	servers    string
	rows       string
	out        string
	quick      bool

	rounds        int
	shards        numbers
	streams       int
	memoryStreams numbers
	idleWait      time.Duration
	warmStreams   int
	settle        time.Duration
	inFlight      int
	clientThreads int
	dataBytes     int

	fanoutEvents   int
	fanoutPause    time.Duration
	floodStreams   int
	floodFor       time.Duration
	publishers     int
	batch          int
	broadcastEvery time.Duration
	isolationFor   time.Duration
	probeEvery     time.Duration
	heartbeatEvery time.Duration
	heartbeatFor   time.Duration
}

// filesSpare is what a process needs besides the streams' descriptors.
const filesSpare = 500

func (s *settings) define(f *flag.FlagSet) {
	f.StringVar(&s.ssedge, "ssedge", "", "the ssedge program; without it only the limit and the twin are measured")
	f.StringVar(&s.ssedgeArgs, "ssedge-args", "", "further arguments for every ssedge serve, separated by spaces")
	f.StringVar(&s.servers, "servers", "", "which of ssedge,limit,twin to measure (default ssedge,limit; without --ssedge limit,twin)")
	f.StringVar(&s.rows, "rows", strings.Join(rowNames(), ","), "which rows to measure")
	f.StringVar(&s.out, "out", "", "directory for raw.json; made if missing")
	f.BoolVar(&s.quick, "quick", false, "a smoke run of a few hundred streams and seconds; its figures mean nothing")

	f.IntVar(&s.rounds, "rounds", 3, "rounds of accept, fanout, flood and isolation; in each every server has one trial")
	f.Var(&s.shards, "shards", "numbers of shards (ssedge) and threads (limit) to measure")
	f.IntVar(&s.streams, "streams", 15_000, "streams in accept, fanout, isolation and heartbeat")
	f.Var(&s.memoryStreams, "memory-streams", "numbers of streams in memory, at least two")
	f.DurationVar(&s.idleWait, "idle-wait", 10*time.Second, "memory: time between the last accept and the measurement")
	f.IntVar(&s.warmStreams, "warm-streams", 500, "streams that come and go before anything is measured")
	f.DurationVar(&s.settle, "settle", 300*time.Millisecond, "time a server is given to finish what a change of load set off")
	f.IntVar(&s.inFlight, "in-flight", load.InFlightDefault, "connections on their way at once")
	f.IntVar(&s.clientThreads, "client-threads", 1, "epoll threads that receive in this process")
	f.IntVar(&s.dataBytes, "data-bytes", 100, "data of an event")

	f.IntVar(&s.fanoutEvents, "fanout-events", 20, "fanout: broadcasts per trial")
	f.DurationVar(&s.fanoutPause, "fanout-pause", 20*time.Millisecond, "fanout: pause after a broadcast has arrived everywhere")
	f.IntVar(&s.floodStreams, "flood-streams", 1000, "flood: streams")
	f.DurationVar(&s.floodFor, "flood-for", 5*time.Second, "flood: how long publishers run")
	f.IntVar(&s.publishers, "publishers", 4, "flood: publishing connections")
	f.IntVar(&s.batch, "batch", 100, "flood: events per NDJSON request")
	f.DurationVar(&s.broadcastEvery, "broadcast-every", 250*time.Millisecond, "isolation: interval of the broadcasts; 0: back to back")
	f.DurationVar(&s.isolationFor, "isolation-for", 10*time.Second, "isolation: how long")
	f.DurationVar(&s.probeEvery, "probe-every", 10*time.Millisecond, "isolation: interval of the events with one subscriber")
	f.DurationVar(&s.heartbeatEvery, "heartbeat", 2*time.Second, "heartbeat: interval the server is given")
	f.DurationVar(&s.heartbeatFor, "heartbeat-for", 20*time.Second, "heartbeat: how long")
}

// makeQuick is for tests: everything runs, nothing is precise.
func (s *settings) makeQuick() {
	s.rounds, s.shards = 2, numbers{1}
	s.streams, s.memoryStreams, s.warmStreams = 300, numbers{100, 400}, 50
	s.idleWait, s.settle = 200*time.Millisecond, 100*time.Millisecond
	s.fanoutEvents, s.fanoutPause = 5, 5*time.Millisecond
	s.floodStreams, s.floodFor, s.publishers, s.batch = 50, 300*time.Millisecond, 2, 20
	s.broadcastEvery, s.isolationFor = 50*time.Millisecond, 500*time.Millisecond
	s.heartbeatEvery, s.heartbeatFor = time.Second, 3*time.Second
}

func parseSettings(args []string, stderr io.Writer) (settings, error) {
	s := settings{shards: numbers{1, 2}, memoryStreams: numbers{1000, 5000, 15_000, 18_000}}
	f := flag.NewFlagSet("rows", flag.ContinueOnError)
	f.SetOutput(stderr)
	s.define(f)
	// --quick gives other defaults, which the flags beside it still override.
	if slices.ContainsFunc(args, func(a string) bool { return strings.TrimLeft(a, "-") == "quick" }) {
		s.makeQuick()
	}
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("expected flags only, found %q", f.Arg(0))
	}
	if s.servers == "" {
		s.servers = "ssedge,limit"
		if s.ssedge == "" {
			s.servers = "limit,twin"
		}
	}
	return s, s.check()
}

func (s *settings) check() error {
	for _, name := range strings.Split(s.servers, ",") {
		if !slices.Contains([]string{"ssedge", "limit", "twin"}, name) {
			return fmt.Errorf("--servers: expected ssedge, limit or twin, found %q", name)
		}
		if name == "ssedge" && s.ssedge == "" {
			return fmt.Errorf("--servers names ssedge: --ssedge must say where the program is")
		}
	}
	for _, name := range strings.Split(s.rows, ",") {
		if !slices.ContainsFunc(rowNames(), func(known string) bool { return known == name }) {
			return fmt.Errorf("--rows: expected some of %s, found %q", strings.Join(rowNames(), ","), name)
		}
	}
	if len(s.memoryStreams) < 2 {
		return fmt.Errorf("--memory-streams: a slope needs two numbers or more, found %d", len(s.memoryStreams))
	}
	for _, at := range []struct {
		flag  string
		value int
	}{{"rounds", s.rounds}, {"streams", s.streams}, {"fanout-events", s.fanoutEvents}, {"publishers", s.publishers}, {"batch", s.batch},
		{"flood-streams", s.floodStreams}, {"client-threads", s.clientThreads}, {"in-flight", s.inFlight}, {"data-bytes", s.dataBytes},
		{"warm-streams", s.warmStreams}, {"shards", len(s.shards)}, {"probe-every", int(s.probeEvery)}} {
		if at.value < 1 {
			return fmt.Errorf("--%s: expected 1 or more, found %d", at.flag, at.value)
		}
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	if most := max(s.streams, s.floodStreams, slices.Max(s.memoryStreams)); uint64(most)+filesSpare > files.Cur {
		return fmt.Errorf("%d streams and %d other descriptors do not fit into the limit of %d open files", most, filesSpare, files.Cur)
	}
	return nil
}

func rowNames() []string {
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	return names
}

func (s *settings) wantsRow(name string) bool {
	return slices.Contains(strings.Split(s.rows, ","), name)
}

func (s *settings) wantsServer(name string) bool {
	return slices.Contains(strings.Split(s.servers, ","), name)
}

// specs are the servers to measure: ssedge and the limit once per number of shards.
func (s *settings) specs(names ...string) []spec {
	var specs []spec
	for _, shards := range s.shards {
		for _, name := range names {
			if name != "twin" && s.wantsServer(name) {
				specs = append(specs, spec{name: name, shards: shards})
			}
		}
	}
	if slices.Contains(names, "twin") && s.wantsServer("twin") {
		specs = append(specs, spec{name: "twin"})
	}
	return specs
}

// numbers is a flag of integers separated by commas.
type numbers []int

func (n *numbers) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(*n)), " ", ","), "[]")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for _, part := range strings.Split(text, ",") {
		value, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || value < 1 {
			return fmt.Errorf("expected positive numbers separated by commas, found %q", part)
		}
		*n = append(*n, value)
	}
	return nil
}
