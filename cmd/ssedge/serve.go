package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"ssedge/engine"
	"ssedge/engine/setting"
)

type serveCmd struct {
	Check bool `help:"Check the settings and exit."`

	Settings engine.Config `embed:""`
	KeyFile  string        `help:"File with one key per line; SIGHUP reads it again." placeholder:"FILE" group:"Access"`

	LogFormat string `help:"text or json." default:"text" enum:"text,json" group:"Logs"`
	LogLevel  string `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" group:"Logs"`

	file      configFlag // where the settings come from, besides
	elsewhere []string   // settings there that are those of other commands
}

// AfterApply keeps the name of the file of settings, and what there is not for the server: one file
// may serve several commands.
func (c *serveCmd) AfterApply(all *cli, ctx *kong.Context) error {
	c.file = all.Config
	if all.file != nil {
		c.elsewhere = all.file.notOf(ctx.Selected())
	}
	return nil
}

// Help is what ssedge serve --help says below its first line.
func (serveCmd) Help() string {
	return setting.SizeHelp + " Times have a unit, too: 500ms, 10s, 5m, 1h."
}

// config is the engine's settings.
func (c *serveCmd) config() (engine.Config, error) {
	config := c.Settings
	config.Version, config.Logger = version(), slog.New(slog.DiscardHandler)
	switch config.Admin {
	case "off":
		config.Admin = ""
	case "": // no metrics and no health are not what an empty variable means
		return config, errors.New("--admin: expected host:port, or off, found nothing")
	}
	var err error
	config.Keys, err = c.keys()
	return config, err
}

func (c *serveCmd) keys() ([]string, error) {
	keys := slices.Clone(c.Settings.Keys)
	if c.KeyFile == "" {
		return keys, nil
	}
	text, err := readFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	given, number := len(keys), 0
	var wrong []error
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		// some editors begin a file with a byte order mark
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := c.Settings.CheckKey(line); err != nil {
			wrong = append(wrong, fmt.Errorf("--key-file %s, line %d: %w", c.KeyFile, number, err))
		}
		keys = append(keys, line)
	}
	if len(keys) == given {
		return nil, fmt.Errorf("--key-file %s: expected at least one key, one in a line", c.KeyFile)
	}
	return keys, errors.Join(wrong...)
}

// Run serves until a signal.
func (c *serveCmd) Run() error {
	if c.Check {
		return c.run()
	}
	return c.record(c.run())
}

func (c *serveCmd) run() error {
	config, err := c.config()
	if err != nil {
		return err
	}
	if err := config.Check(); err != nil {
		return err
	}
	if c.Check {
		return c.sayChecked(os.Stdout, &config)
	}
	out := c.newServerOutput()
	defer out.flush()
	config.Logger, config.LogDropped = c.logger(out.log), out.dropped
	slog.SetDefault(config.Logger) // what a library says goes there, too
	config.Inherited = passedSockets()
	m := newManager(config.Logger)
	if !c.Settings.Dev {
		config.WarnOfBudget(config.Logger)
		warnOfHost(config.StreamsMax, config.MemoryMax, c.Settings.StreamsMax > 0, config.Logger)
	}
	if len(c.elsewhere) > 0 {
		config.Logger.Warn(
			"settings of the file are without effect: they are those of other commands", "config",
			string(c.file), "settings", strings.Join(c.elsewhere, ", "))
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	makeRoom(config.Shards) // before the shards look how much there is
	warnOfUnused(config.Inherited, config.Listen, config.Logger)
	e, err := engine.New(config)
	closeAll(config.Inherited)
	if err != nil {
		return unlessTold(signals, config.Logger, err)
	}
	defer e.Close()
	if err := e.Start(); err != nil {
		return err
	}
	config.Logger.LogAttrs(context.Background(), slog.LevelInfo, "started",
		append(e.InForce(), c.access(config.Keys)...)...)
	if c.Settings.Dev || c.LogFormat != "json" { // what collects JSON takes both outputs, as a rule
		c.greet(e, out.announce)
	}
	go c.reload(e, config.Logger, reload, m)
	go m.follow(e)
	return wait(e, signals, m)
}

// unlessTold is why a start has failed; nil if the process was told to end meanwhile: then it ends
// as it was told.
func unlessTold(signals <-chan os.Signal, log *slog.Logger, err error) error {
	select {
	case s := <-signals:
		log.Info("told to end before it had started", "signal", s.String(), "error", err)
		return nil
	default:
		return err
	}
}

// sayChecked is the answer of --check to settings that are in order.
func (c *serveCmd) sayChecked(to io.Writer, config *engine.Config) error {
	w := bufio.NewWriter(to)
	if idle := config.WithoutEffect(); len(idle) > 0 {
		fmt.Fprintln(w, "Without effect:", strings.Join(idle, ", "))
	}
	if len(c.elsewhere) > 0 {
		fmt.Fprintf(w, "Without effect: %s (%s)\n", strings.Join(c.elsewhere, ", "), c.notOfServe())
	}
	fmt.Fprintln(w, "The settings are in order.")
	if says, _ := config.Overcommitted(); says != "" {
		fmt.Fprintln(w, "But "+says+".")
	}
	return w.Flush()
}

// notOfServe is why settings of the file are without effect.
func (c *serveCmd) notOfServe() string {
	if len(c.elsewhere) == 1 {
		return "not a setting of serve"
	}
	return "not settings of serve"
}

// access is what the start says of access without a key.
func (c *serveCmd) access(keys []string) []slog.Attr {
	return []slog.Attr{slog.Int("keys", len(keys)), slog.String("key_file", c.KeyFile),
		slog.Any("anonymous", append([]string{}, c.Settings.Anonymous...)),
		slog.String("config", string(c.file))}
}

// sameSignal is how long a signal counts as a repetition of the first: coreutils' timeout, and
// shells, send it to the process and to its group.
const sameSignal = time.Second

// wait runs the server until a signal: the first drains it, another one, later, ends it at once.
func wait(e *engine.Engine, signals <-chan os.Signal, m *manager) error {
	<-signals
	began := time.Now()
	m.stop(e)
	drained := make(chan struct{})
	go func() {
		e.Drain()
		close(drained)
	}()
	for {
		select {
		case <-drained:
			return nil
		case s := <-signals:
			if time.Since(began) < sameSignal {
				continue
			}
			select {
			case <-drained: // both at once: there was nothing left to do
				return nil
			default:
				return fmt.Errorf("%v again: ended before all streams were told", s)
			}
		}
	}
}

// greet prints where the server listens and, for a start, what to try.
func (c *serveCmd) greet(e *engine.Engine, w io.Writer) {
	var first string
	for _, a := range e.Addrs() {
		where := "unix:" + a.String()
		if _, ok := a.(*net.TCPAddr); ok {
			where = "http://" + a.String()
			if first == "" && !e.ForProxies(a) {
				first = where
			}
		}
		if e.ForProxies(a) {
			where += ", for the proxies " + strings.Join(c.Settings.TrustedProxies, ", ") +
				" (PROXY protocol)"
		}
		fmt.Fprintf(w, "ssedge %s listens on %s\n", version(), where)
	}
	if a := e.AdminAddr(); a != nil {
		fmt.Fprintf(w, "metrics and health on http://%s\n", a)
	}
	if !c.Settings.Dev || first == "" {
		return
	}
	fmt.Fprintf(w, "\nOpen %s/ in a browser, or try:\n\n  curl -N '%s/events?topic=news'\n  curl -d 'hello' '%s/publish?topic=news'\n\n",
		first, first, first)
}
