// Command ssedge is a push tier: it holds Server-Sent-Events streams and delivers
// events to them. See README.md; every flag is explained by ssedge serve --help.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"ssedge/engine/setting"
)

// cli is all commands and their flags. A flag --some-thing is SSEDGE_SOME_THING in the environment
// and some-thing: in the configuration file; what is given first in that order counts.
type cli struct {
	Config configFlag `help:"Read settings from this YAML file: the names of the flags, without dashes in front." placeholder:"FILE" env:"SSEDGE_CONFIG"`

	Serve     serveCmd     `cmd:"" help:"Run the server."`
	Publish   publishCmd   `cmd:"" help:"Publish an event."`
	Subscribe subscribeCmd `cmd:"" help:"Follow topics, as a browser would."`
	Health    healthCmd    `cmd:"" help:"Check whether a server is alive, for a container's health check."`
	Redis     redisCmd     `cmd:"" help:"What Redis servers need, for publishing without an edge."`
	Tune      tuneCmd      `cmd:"" help:"Check, and change, what this host needs for very many streams."`
	Bench     benchCmd     `cmd:"" help:"Put load on a server of event streams, and measure it."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	file *settingsFile // that Config names; nil: none
}

func newParser(c *cli) *kong.Kong {
	return kong.Must(c,
		kong.Bind(c),
		kong.Name("ssedge"),
		kong.Description("A push tier for Server-Sent Events.\n\nEvery flag, but for those of bench and tune, can also be set in the environment (--drain-rate is SSEDGE_DRAIN_RATE) and in a YAML file (drain-rate: 5000). Flags come first, then the environment, then the file.\n\n"+
			setting.SizeHelp),
		kong.PostBuild(flagsOnly),
		kong.DefaultEnvars("SSEDGE"),
		kong.FlagNamer(setting.FlagOf),
		exactly(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true,
			NoExpandSubcommands: true}),
	)
}

// flagsOnly keeps in the command line what a measurement depends on, and what is done to a host.
func flagsOnly(k *kong.Kong) error {
	return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
		if n, ok := v.(*kong.Node); ok && n.Parent != nil && n.Path() != "" &&
			(strings.HasPrefix(n.Path()+" ", "bench ") || n.Path() == "tune") {
			for _, f := range n.Flags {
				f.Envs = []string{"-"}
			}
		}
		return next(nil)
	})
}

// withoutFile refuses the file of settings for commands that have none, and has them not look at
// the one that the environment names.
func withoutFile(command string, args []string) error {
	if command != "bench" && command != "tune" && command != "version" {
		return nil
	}
	os.Unsetenv("SSEDGE_CONFIG")
	for _, arg := range args {
		if arg == "--config" || strings.HasPrefix(arg, "--config=") {
			return fmt.Errorf("%s reads no file of settings: expected flags without --config",
				command)
		}
	}
	return nil
}

// orHelp returns the arguments, with --help for no arguments and for help as the first one.
func orHelp(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	}
	return args
}

// verdict is a result that ends a command with status 1, and is no failure of it.
type verdict string

func (v verdict) Error() string { return string(v) }

func main() {
	parser := newParser(&cli{})
	args := orHelp(os.Args[1:])
	command := commandOf(parser.Model, args)
	mistake := func(err error) {
		if code := kong.ExitCoder(nil); errors.As(recordMistake(command, args, err), &recorded{}) {
			if errors.As(err, &code) {
				os.Exit(code.ExitCode())
			}
			os.Exit(1)
		}
		parser.FatalIfErrorf(err)
	}
	mistake(withoutFile(command, args))
	ctx, err := parser.Parse(args)
	mistake(withHint(err))
	mistake(checkVariables(parser.Model, ctx.Command(), os.Environ()))
	if err := ctx.Run(); err != nil {
		printLast(func() {
			if v := verdict(""); errors.As(err, &v) {
				fmt.Fprintf(os.Stderr, "ssedge: %s\n", v)
			} else if !errors.As(err, &recorded{}) {
				parser.Errorf("%s", err)
			}
		})
		os.Exit(1)
	}
}
