package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// schedulerThreads lets every locked load thread run whenever the kernel lets it; with one per core they would wait
// for each other inside the Go scheduler.
const schedulerThreads = 8

func main() {
	runtime.GOMAXPROCS(max(schedulerThreads, runtime.NumCPU()))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rows:", err)
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	settings
	launcher *launcher
	report   *report
	progress io.Writer
}

var rows = []struct {
	name    string
	measure func(*bench, context.Context) error
}{
	{"memory", (*bench).memory},
	{"accept", (*bench).accept},
	{"fanout", (*bench).fanout},
	{"flood", (*bench).flood},
	{"isolation", (*bench).isolation},
	{"heartbeat", (*bench).heartbeat},
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parseSettings(args, stderr)
	if err != nil {
		return err
	}
	launcher, err := newLauncher(ctx, s)
	if err != nil {
		return err
	}
	defer launcher.close()
	b := &bench{settings: s, launcher: launcher, progress: stderr}
	b.report, err = newReport(ctx, stdout, s, args)
	if err != nil {
		return err
	}
	// A row that fails says so and the others go on: an hour of measuring is not thrown away for one of them.
	var failed []error
	for _, row := range rows {
		if !s.wantsRow(row.name) {
			continue
		}
		if err := row.measure(b, ctx); err != nil {
			err = fmt.Errorf("%s: %w", row.name, err)
			fmt.Fprintln(stderr, "FAILED", err)
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func (b *bench) say(format string, values ...any) {
	fmt.Fprintf(b.progress, "  "+strings.TrimSuffix(format, "\n")+"\n", values...)
}
