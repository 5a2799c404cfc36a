package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the build: -ldflags "-X main.release=v1.2.3".
var release = ""

// version is the release, else what Go knows of the source it was built from.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
	}
	return "dev"
}

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Printf("ssedge %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
