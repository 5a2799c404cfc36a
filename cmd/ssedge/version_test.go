package main

import (
	"encoding/json"
	"regexp"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	out, _, code := run(t, "version")
	if code != 0 || !regexp.MustCompile(`^ssedge \S+( \(commit [^)]+\))? go1\.\S+ linux/\w+\n$`).
		MatchString(out) {
		t.Errorf("exit code %d, found %q: expected the version, the commit, Go's and the platform",
			code, out)
	}
	out, _, code = run(t, "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != 0 || b.Version != version() ||
		b.Go != runtime.Version() || b.Platform == "" {
		t.Errorf("exit code %d, %v, found %q: expected the same as JSON", code, err, out)
	}
}

// TestVersionSaysWhereItIsFrom: what the build was told, else what Go has seen.
func TestVersionSaysWhereItIsFrom(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	seen := []debug.BuildSetting{{Key: "vcs.revision", Value: revision},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}
	end := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for _, c := range []struct {
		told build
		seen []debug.BuildSetting
		want string
	}{
		{build{}, nil, "ssedge dev"},
		{build{}, seen,
			"ssedge dev-0123456789ab (commit 0123456789ab, modified, 2026-01-02T03:04:05Z)"},
		{build{Version: "v1.2.3"}, seen[:1], "ssedge v1.2.3 (commit 0123456789ab)"},
		{build{Version: "v1.2.3", Commit: "abc", Date: "2025-01-01T00:00:00Z"}, seen,
			"ssedge v1.2.3 (commit abc, 2025-01-01T00:00:00Z)"},
	} {
		if got := describe(c.told, c.seen).String(); got != c.want+end {
			t.Errorf("found %q, expected %q", got, c.want+end)
		}
	}
}
