package main

import (
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"

	"ssedge/engine/intake"
)

// passedSockets returns what systemd has passed to this process, by the names of the
// socket units (FileDescriptorName=); nil if that is nothing, or was meant for another process
// (sd_listen_fds(3)). No child inherits any of it, or the variables that tell of it. To be
// called once.
func passedSockets() map[string][]*os.File {
	named := os.Getenv("LISTEN_FDNAMES") != ""
	var all map[string][]*os.File
	for _, f := range activation.Files(true) {
		name := f.Name()
		if !named {
			name = "unknown" // what sd_listen_fds_with_names(3) calls it
		}
		if all == nil {
			all = map[string][]*os.File{}
		}
		all[name] = append(all[name], f)
	}
	return all
}

// warnOfUnused says which sockets nothing listens on: clients that connect there would wait in
// vain.
func warnOfUnused(passed map[string][]*os.File, listen []string, log *slog.Logger) {
	for _, name := range slices.Sorted(maps.Keys(passed)) {
		address := intake.InheritedPrefix + name
		if !slices.ContainsFunc(listen, func(l string) bool {
			return strings.TrimPrefix(l, "proxy:") == address
		}) {
			log.Warn("systemd has passed sockets that nothing listens on: clients that connect there wait in vain",
				"name", name, "sockets", len(passed[name]), "expected", "--listen="+address)
		}
	}
}

// closeAll gives up the descriptors that were passed. What is listened on is a duplicate.
func closeAll(passed map[string][]*os.File) {
	for _, files := range passed {
		for _, f := range files {
			f.Close()
		}
	}
}
