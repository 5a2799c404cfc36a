package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// spec names a server under test.
type spec struct {
	name   string // ssedge, limit or twin
	shards int    // of ssedge, threads of the limit; 0: not said
	args   []string
}

func (s spec) String() string {
	if s.shards == 0 {
		return s.name
	}
	return s.name + "/" + strconv.Itoa(s.shards)
}

// trialMax bounds a trial. Servers that can are told to exit by themselves after it.
const trialMax = 5 * time.Minute

// launcher builds what has to be built and starts servers.
type launcher struct {
	settings settings
	dir      string // for what is built
}

func newLauncher(ctx context.Context, s settings) (*launcher, error) {
	dir, err := os.MkdirTemp("", "rows-")
	if err != nil {
		return nil, err
	}
	l := &launcher{settings: s, dir: dir}
	if err := l.build(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *launcher) build(ctx context.Context) error {
	if l.settings.wantsServer("limit") {
		module, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "ssedge")
		if err != nil {
			return err
		}
		source := filepath.Join(module, "bench", "limit", "limit.c")
		if _, err := output(ctx, "gcc", "-O2", "-pthread", "-o", l.program("limit"), source); err != nil {
			return err
		}
	}
	if l.settings.wantsServer("twin") {
		if _, err := output(ctx, "go", "build", "-o", l.program("twin"), "ssedge/bench/twin"); err != nil {
			return err
		}
	}
	return nil
}

func (l *launcher) program(name string) string {
	if name == "ssedge" {
		return l.settings.ssedge
	}
	return filepath.Join(l.dir, name)
}

func (l *launcher) close() { os.RemoveAll(l.dir) }

// command is how to start a server on the two ports.
func (l *launcher) command(s spec, listen, admin string) *exec.Cmd {
	var args []string
	_, port, _ := strings.Cut(listen, ":")
	switch s.name {
	case "limit":
		args = []string{"-p", port, "-t", strconv.Itoa(max(1, s.shards)), "-s", strconv.Itoa(l.settings.dataBytes),
			"-d", strconv.Itoa(int(trialMax.Seconds()))}
	case "twin":
		args = []string{"-listen", listen, "-life", trialMax.String()}
	default:
		args = []string{"serve", "--dev", "--listen", listen, "--admin", admin}
		if s.shards > 0 {
			args = append(args, "--shards", strconv.Itoa(s.shards))
		}
		args = append(args, strings.Fields(l.settings.ssedgeArgs)...)
	}
	return exec.Command(l.program(s.name), append(args, s.args...)...)
}

// output runs a command and returns what it printed, or an error with all it said.
func output(ctx context.Context, name string, args ...string) (string, error) {
	text, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, text)
	}
	return strings.TrimSpace(string(text)), nil
}
