package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"ssedge/bench/server"
	"ssedge/engine"
)

// serverFiles is what the twin and the baseline have open besides streams: listeners, publishers,
// what Go needs. It is rounded up.
const serverFiles = 64

// enoughFiles refuses more streams than a server that bench starts may have open: it would find out
// under load, and what it measured until then would be of no use. A server has the same limit as
// this process.
func enoughFiles(k server.Kind, streams int, arguments string) error {
	if k.Name != server.Ssedge {
		var files unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil && uint64(streams)+
			serverFiles > files.Max {
			return fmt.Errorf("--streams %d: %v needs %d open files for them, but RLIMIT_NOFILE is %d (ulimit -n)",
				streams, k, streams+serverFiles, files.Max)
		}
		return nil
	}
	if strings.Contains(arguments, "--streams-max") ||
		strings.Contains(arguments, "--http-connections-max") {
		return nil // other figures: the server holds them against each other itself
	}
	config := engine.DefaultConfig()
	config.Dev, config.StreamsMax = true, streams
	if err := config.Check(); err != nil && strings.Contains(err.Error(), "RLIMIT_NOFILE") {
		return fmt.Errorf("the server that is measured could not hold all streams: %w", err)
	}
	return nil
}
