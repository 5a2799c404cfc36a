package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// release, commit and date are set by the build: -ldflags "-X main.release=v1.2.3 -X
// main.commit=… -X main.date=…". Date is the commit's, as RFC 3339 in UTC, so that
// building it again gives the same program.
var release, commit, date string

// build is what this program was made of.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Modified bool   `json:"modified,omitempty"` // the source was not what the commit has
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild is what the build said, else what Go knows of the source it was built from.
func thisBuild() build {
	var settings []debug.BuildSetting
	if info, ok := debug.ReadBuildInfo(); ok {
		settings = info.Settings
	}
	return describe(build{Version: release, Commit: commit, Date: date}, settings)
}

func describe(b build, settings []debug.BuildSetting) build {
	b.Go, b.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	if b.Commit == "" {
		for _, s := range settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Date = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "dev"
		if b.Commit != "" {
			b.Version = "dev-" + short(b.Commit)
		}
	}
	return b
}

func short(commit string) string { return commit[:min(12, len(commit))] }

// version is the release, or dev and the commit.
func version() string { return thisBuild().Version }

func (b build) String() string {
	from := ""
	if b.Commit != "" {
		from = " (commit " + short(b.Commit)
		if b.Modified {
			from += ", modified"
		}
		if b.Date != "" {
			from += ", " + b.Date
		}
		from += ")"
	}
	return fmt.Sprintf("ssedge %s%s %s %s", b.Version, from, b.Go, b.Platform)
}

type versionCmd struct {
	JSON bool `name:"json" help:"As JSON, with the whole commit." env:"SSEDGE_VERSION_JSON"`
}

func (c versionCmd) Run() error {
	b := thisBuild()
	if !c.JSON {
		_, err := fmt.Println(b)
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(b)
}
