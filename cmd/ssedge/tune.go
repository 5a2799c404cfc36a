package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ssedge/tuning"
)

type tuneCmd struct {
	Connections int   `help:"Streams that this host is to hold." default:"1000000"`
	Memory      int64 `type:"size" help:"Memory that ssedge may have, as in 8G; by default all of the host's." placeholder:"SIZE"`
	Sources     int   `help:"Addresses that connections come from, if they are few: proxies, a load generator."`
	Port        int   `help:"Port of streams, for the rules that bypass conntrack." default:"8080"`
	JSON        bool  `name:"json" help:"Print the findings as JSON." xor:"form"`
	Sysctl      bool  `help:"Print a drop-in file for /etc/sysctl.d: what falls short on this host, and the rest as comments." xor:"form"`
	Apply       bool  `help:"Write /etc/sysctl.d/60-ssedge.conf and /etc/security/limits.d/60-ssedge.conf, and change what falls short (as root). No limit is lowered." xor:"form"`
	Undo        bool  `help:"Restore what was there before the first --apply." xor:"form"`
}

// connectionsMax is what a process can have open at most: fs.nr_open ends there.
const connectionsMax = 2_000_000_000

// errShort is what ends the command with status 1 when the table has said all there is to say. It
// is no failure.
var errShort = verdict("this host falls short")

// Run says what the host lacks, or changes it.
func (c *tuneCmd) Run() error {
	if c.Connections < 1 || c.Connections > connectionsMax || c.Sources < 0 {
		return fmt.Errorf("--connections, --sources: expected 1 or more streams (at most %d), and 0 or more addresses, found %d and %d",
			connectionsMax, c.Connections, c.Sources)
	}
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("--port: expected 1 to 65535, found %d", c.Port)
	}
	load := tuning.Load{Connections: c.Connections, Memory: int64(c.Memory), Sources: c.Sources,
		Port: c.Port}
	if c.Undo {
		changes, err := tuning.Undo("/")
		return errors.Join(err, printChanges(os.Stdout, changes))
	}
	h, err := readHost()
	if err != nil {
		return err
	}
	switch {
	case c.Sysctl:
		_, err := fmt.Print(tuning.DropIn(h, load))
		return err
	case c.Apply:
		changes, err := tuning.Apply("/", h, load)
		if err := errors.Join(err, printChanges(os.Stdout, changes)); err != nil {
			return err
		}
		if _, err := fmt.Printf("%s is written; ssedge tune --undo takes it back. A unit needs LimitNOFILE of its own.\n",
			"/"+tuning.DropInFile); err != nil {
			return err
		}
		for _, c := range changes {
			if c.Refused() {
				return errors.New("not everything was taken")
			}
		}
		return nil
	}
	findings := tuning.Examine(h, load)
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(findings)
	} else {
		err = tuning.WriteTable(os.Stdout, findings)
	}
	if err == nil && tuning.Short(findings) {
		return errShort
	}
	return err
}

// readHost reads this one.
func readHost() (*tuning.Host, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	return tuning.Read(os.DirFS("/"), tuning.Limit{Soft: limit.Cur, Hard: limit.Max}, os.Getenv)
}

// warnOfHost says once what a host lacks for so many streams in so much memory (0: all there is).
// Open files are the server's own to check: it holds no more streams than it may have files. If so
// many were not asked for, it is no warning.
func warnOfHost(streams int, memory int64, asked bool, logger *slog.Logger) {
	h, err := readHost()
	if err != nil {
		logger.Debug("the host cannot be looked at", "error", err)
		return
	}
	var short []string
	mend := fmt.Sprintf("ssedge tune --connections %d", streams)
	for _, f := range tuning.Examine(h, tuning.Load{Connections: streams, Memory: memory}) {
		if f.OK || f.Advice || f.Kind == tuning.Rlimit || f.Name == "fs.nr_open" {
			continue
		}
		if short = append(short, f.Name); f.Kind == tuning.Sysctl && h.Container == "" &&
			!strings.HasSuffix(mend, "--apply") {
			mend += " --apply"
		}
	}
	level, says := slog.LevelWarn, "this host falls short of --streams-max"
	if !asked {
		level, says = slog.LevelInfo, "this host holds fewer streams than open files allow: --streams-max says how many are wanted"
	}
	if len(short) > 0 {
		logger.Log(context.Background(), level, says, "streams", streams, "settings",
			strings.Join(short, ", "), "mend", mend)
	}
}

func printChanges(to io.Writer, changes []tuning.Change) error {
	w := bufio.NewWriter(to)
	for _, c := range changes {
		switch {
		case c.File != "":
			fmt.Fprintf(w, "%s: %s\n", c.Name, c.File)
		case c.Left != "":
			fmt.Fprintf(w, "%s: left as it is: %s\n", c.Name, c.Left)
		case c.Err != nil:
			fmt.Fprintf(w, "%s: %s stays, %s was refused: %s\n", c.Name, c.Before, c.Wanted,
				strings.ReplaceAll(c.Err.Error(), "\n", "; "))
		case c.After != c.Wanted:
			fmt.Fprintf(w, "%s: %s, now %s: the kernel did not take %s\n", c.Name, c.Before,
				c.After, c.Wanted)
		default:
			fmt.Fprintf(w, "%s: %s, now %s\n", c.Name, c.Before, c.After)
		}
	}
	return w.Flush()
}
