package scenario

import (
	"errors"
	"fmt"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/mark"
	"ssedge/bench/observe"
	"ssedge/bench/publish"
	"ssedge/bench/template"
)

// Target is a server and how to talk to it.
type Target struct {
	Name           string // in results
	Subscribe      string // URL template
	Headers        []string
	PublishURL     string // template; "": nothing can be published
	PublishMethod  string
	PublishHeaders []string
	PublishBody    string
	Server         observe.Source // nil: its costs cannot be seen
	Local          bool           // on this machine: the kernel's memory is the connections'
}

// Options are what all scenarios share. The zero value is not one: see Defaults.
type Options struct {
	Streams     int
	Topics      int
	Payload     int     // bytes
	Ramp        float64 // connects a second; 0: as fast as the server answers
	InFlight    int
	Threads     int // of the client, in each process
	Publishers  int // connections
	Settle      time.Duration
	OpenTimeout time.Duration
	AllowRemote bool
	AllowGaps   bool // events that a stream was told it missed are no fault
	Run         string
	Workers     load.Workers
	Progress    Progress
}

// Defaults are modest: they fit any machine.
func Defaults() Options {
	return Options{
		Streams: 1000, Topics: 1, Payload: 100, InFlight: load.InFlightDefault, Threads: 1,
		Publishers: 4,
		Settle:     300 * time.Millisecond, OpenTimeout: load.OpenTimeoutDefault,
		Progress: Silent{},
	}
}

// Rates that are taken, events or connects a second.
const (
	RateMin = 0.001
	RateMax = 1e6
)

// Progress is told how far a scenario is, from any goroutine.
type Progress interface {
	// Stage begins a part of total steps; 0 if their number is not known.
	Stage(name string, total int)
	// At says how many are done.
	At(done int)
	// Note says in a line what the run waits for.
	Note(text string)
}

// Silent reports nothing.
type Silent struct{}

func (Silent) Stage(string, int) {}
func (Silent) At(int)            {}
func (Silent) Note(string)       {}

// CheckLoad holds the options against each other.
func (o *Options) CheckLoad() error {
	for _, c := range []struct {
		name        string
		value, most int
	}{
		{"streams", o.Streams, 1 << 30}, {"topics", o.Topics, mark.TopicsMax - 1},
		{"in-flight", o.InFlight, 1 << 20}, {"threads", o.Threads, 256},
		{"publishers", o.Publishers, 1024},
	} {
		if c.value < 1 || c.value > c.most {
			return fmt.Errorf("--%s: expected 1 to %d, found %d", c.name, c.most, c.value)
		}
	}
	if o.Payload < mark.Bytes || o.Payload > 16<<20 {
		return fmt.Errorf("--payload: expected %d to %d bytes, found %d", mark.Bytes, 16<<20,
			o.Payload)
	}
	if o.Topics > o.Streams {
		return fmt.Errorf("--topics: expected at most one for each of the %d streams, found %d",
			o.Streams, o.Topics)
	}
	if !(o.Ramp >= 0 && o.Ramp <= RateMax) {
		return fmt.Errorf("--ramp: expected connects a second, at most %d, or 0, found %v",
			int(RateMax), o.Ramp)
	}
	if o.Workers.Count < 0 || o.Workers.Count > 1024 {
		return fmt.Errorf("--workers: expected 0 to 1024, found %d", o.Workers.Count)
	}
	if o.Settle <= 0 || o.OpenTimeout <= 0 {
		return fmt.Errorf("--settle, --open-timeout: expected times above 0, found %v, %v",
			o.Settle, o.OpenTimeout)
	}
	return nil
}

// Check holds the options against each other and against a target.
func (o *Options) Check(t *Target) error {
	if err := o.CheckLoad(); err != nil {
		return err
	}
	subscribe, err := template.Parse(t.Subscribe)
	if err != nil {
		return fmt.Errorf("--subscribe: %w", err)
	}
	if o.Topics > 1 && !subscribe.Has(template.Topic) {
		return fmt.Errorf("--subscribe: expected {topic} in it for --topics %d, found %s", o.Topics,
			t.Subscribe)
	}
	if err := o.streams(t, 0, o.Topics).Check(); err != nil {
		return err
	}
	if t.PublishURL == "" {
		return nil
	}
	if o.Topics > 1 {
		named := false
		for _, text := range append([]string{t.PublishURL, t.PublishBody}, t.PublishHeaders...) {
			part, err := template.Parse(text)
			if err != nil {
				return fmt.Errorf("publishing: %w", err)
			}
			named = named || part.Has(template.Topic)
		}
		if !named {
			return fmt.Errorf("--publish-url, --publish-body: expected {topic} in one of them for --topics %d", o.Topics)
		}
	}
	return o.publishing(t, 0, o.Topics).Check()
}

var errNoPublish = errors.New("expected --publish-url: this scenario publishes")

// streams is the configuration of a crowd on topics first to first+topics-1.
func (o *Options) streams(t *Target, first, topics int) load.Config {
	return load.Config{
		Subscribe: t.Subscribe, Headers: t.Headers, Topics: topics, TopicFirst: first, Run: o.Run,
		Threads:  o.Threads,
		InFlight: o.InFlight, OpenTimeout: o.OpenTimeout, AllowRemote: o.AllowRemote,
		Payload: o.Payload,
	}
}

func (o *Options) publishing(t *Target, first, topics int) publish.Config {
	return publish.Config{
		URL: t.PublishURL, Method: t.PublishMethod, Headers: t.PublishHeaders, Body: t.PublishBody,
		Run:    o.Run,
		Topics: topics, TopicFirst: first, Payload: o.Payload, Connections: o.Publishers,
		AllowRemote: o.AllowRemote,
	}
}

// settings are the options as a result writes them down.
func (o *Options) settings() map[string]any {
	return map[string]any{
		"streams": o.Streams, "topics": o.Topics, "payload": o.Payload, "ramp": o.Ramp,
		"in-flight": o.InFlight, "threads": o.Threads,
	}
}
