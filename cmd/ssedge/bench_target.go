package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/observe"
	"ssedge/bench/scenario"
	"ssedge/bench/server"
)

// targetFlags say which server is measured, and how to talk to it. In URLs, headers and bodies
// {topic}, {payload}, {now}, {run} and {stream} are filled in.
type targetFlags struct {
	Topics        int      `help:"Topics, of which each stream has one (default ${default})." default:"1" placeholder:"N"`
	Subscribe     string   `help:"URL of a stream; {topic} is its topic's number, {stream} its own (default: an ssedge at 127.0.0.1:8080)." placeholder:"URL"`
	Header        []string `help:"Header of its request, as 'Name: value'; may be repeated." sep:"none" placeholder:"LINE"`
	PublishURL    string   `name:"publish-url" help:"URL to publish to (default: that ssedge's; with --subscribe there is none)." placeholder:"URL"`
	PublishMethod string   `help:"Its method (default ${default})." default:"POST" placeholder:"NAME"`
	PublishHeader []string `help:"Header of its request, as 'Name: value'; may be repeated." sep:"none" placeholder:"LINE"`
	PublishBody   string   `help:"Its body; {payload} is the event's data, {now} the time (default ${default})." default:"{payload}" placeholder:"TEXT"`
	Pid           []int    `help:"The server's processes, for CPU and memory; by default those that listen there." placeholder:"PID"`
	Admin         string   `help:"Take CPU and memory from this server's /metrics instead." placeholder:"URL"`
	trustFlags             // of --admin
	AllowRemote   bool     `help:"Allow other hosts as targets; by default only this machine is one."`
	Start         string   `help:"Start a server for it, and end it: ssedge, ssedge/2 with two shards, twin or baseline." placeholder:"NAME"`
	Arguments     string   `help:"Further arguments of that ssedge serve, blanks between them." placeholder:"TEXT"`
	Beside        bool     `help:"Also measure the bare send loop, before and after, and print ratios."`

	lines bool // several events in one request
}

// ssedge on this machine, as ssedge serve --dev makes it.
const (
	ssedgeSubscribe = "http://127.0.0.1:8080/events?topic=t{topic}"
	ssedgePublish   = "http://127.0.0.1:8080/publish?topic=t{topic}"
)

// complete fills in what was not said.
func (f *targetFlags) complete() {
	if f.Subscribe == "" {
		f.Subscribe = ssedgeSubscribe
		if f.PublishURL == "" {
			f.PublishURL = ssedgePublish
		}
	}
}

// publishes is complete, for scenarios that publish.
func (f *targetFlags) publishes() error {
	if f.Start != "" {
		return f.alone()
	}
	f.complete()
	if f.PublishURL == "" {
		return errors.New("expected --publish-url: this scenario publishes, and --subscribe names a server")
	}
	return nil
}

// ours is whether the server is an ssedge that was not described.
func (f *targetFlags) ours() bool {
	return strings.HasPrefix(f.Start, server.Ssedge) || f.Start == "" &&
		f.Subscribe == ssedgeSubscribe && f.PublishURL == ssedgePublish
}

// inLines has several events published to an ssedge in one request.
func inLines(t *scenario.Target) {
	t.PublishURL, _, _ = strings.Cut(t.PublishURL, "?")
	t.PublishHeaders = slices.DeleteFunc(t.PublishHeaders, func(line string) bool {
		return strings.HasPrefix(line, "Content-Type:")
	})
	t.PublishHeaders = append(t.PublishHeaders, "Content-Type: application/x-ndjson")
	t.PublishBody = `{"topic":"t{topic}","data":"{payload}"}`
}

// alone says which flags have no meaning beside --start.
func (f *targetFlags) alone() error {
	if f.Start == "" {
		if f.Arguments != "" {
			return errors.New("--arguments: expected --start ssedge with it")
		}
		return nil
	}
	for _, c := range []struct {
		name string
		set  bool
	}{
		{"--subscribe", f.Subscribe != ""}, {"--header", f.Header != nil},
		{"--publish-url", f.PublishURL != ""}, {"--publish-header", f.PublishHeader != nil},
		{"--publish-method", f.PublishMethod != "POST"},
		{"--publish-body", f.PublishBody != "{payload}"},
		{"--pid", f.Pid != nil}, {"--admin", f.Admin != ""}, {"--ca", f.CA != ""},
		{"--arguments for another server than ssedge", f.Arguments != "" &&
			!strings.HasPrefix(f.Start, server.Ssedge)},
	} {
		if c.set {
			return fmt.Errorf("--start measures a server of its own: expected no %s with it",
				c.name)
		}
	}
	return nil
}

// reachMax is how long a server may take to accept a connection.
const reachMax = 10 * time.Second

// reach fails at once where nothing listens, instead of once for every stream and attempt.
func (f *targetFlags) reach(ctx context.Context, bar scenario.Progress) error {
	for _, one := range [][2]string{{"--subscribe", f.Subscribe}, {"--publish-url", f.PublishURL}} {
		flag, at := one[0], one[1]
		u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(at))
		if err != nil || u.Host == "" {
			continue // there is none, or it is refused elsewhere
		}
		to, err := load.Resolve(u.Host, f.AllowRemote)
		if err != nil {
			continue
		}
		waits := time.AfterFunc(time.Second, func() {
			bar.Note(fmt.Sprintf("waiting for %v to accept a connection, for at most %v", to,
				reachMax))
		})
		conn, err := (&net.Dialer{Timeout: reachMax}).DialContext(ctx, "tcp", to.String())
		waits.Stop()
		if err != nil {
			return unlessEnded(ctx,
				fmt.Errorf("%s %s: no server is there: %w (--start ssedge starts one)", flag, at,
					err))
		}
		conn.Close()
	}
	return nil
}

func (f *targetFlags) target() (scenario.Target, error) {
	t := scenario.Target{
		Subscribe: f.Subscribe, Headers: f.Header, PublishURL: f.PublishURL,
		PublishMethod:  f.PublishMethod,
		PublishHeaders: f.PublishHeader, PublishBody: f.PublishBody,
	}
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(f.Subscribe))
	if err != nil || u.Host == "" {
		return t, fmt.Errorf("--subscribe %s: expected http://host:port/path", f.Subscribe)
	}
	t.Name = u.Host
	to, err := load.Resolve(u.Host, f.AllowRemote)
	if err != nil {
		return t, fmt.Errorf("--subscribe: %w", err)
	}
	t.Local = to.Addr().IsLoopback()
	switch {
	case f.Admin == "" && f.CA != "":
		return t,
			errors.New("--ca: expected --admin https://… with it: streams and publishing go over http")
	case f.Admin != "":
		admin, err := url.Parse(f.Admin)
		if err != nil || admin.Host == "" {
			return t, fmt.Errorf("--admin %s: expected http://host:port", f.Admin)
		}
		if _, err := load.Resolve(admin.Host, f.AllowRemote); err != nil {
			return t, fmt.Errorf("--admin: %w", err)
		}
		if err := f.forHTTPS("--admin", f.Admin, admin.Scheme); err != nil {
			return t, err
		}
		transport, err := f.transport()
		if err != nil {
			return t, err
		}
		t.Server = &observe.Metrics{Trust: transport.TLSClientConfig,
			URL: strings.TrimSuffix(strings.TrimSuffix(f.Admin, "/"), "/metrics") + "/metrics"}
	case len(f.Pid) > 0:
		pids := slices.Clone(f.Pid)
		slices.Sort(pids)
		t.Server = observe.Server(slices.Compact(pids))
		if _, err := t.Server.CPU(); err != nil {
			return t, fmt.Errorf("--pid: %w", err)
		}
	case t.Local:
		if found, err := observe.Listeners(to); err == nil {
			t.Server = found
		}
	}
	return t, nil
}
