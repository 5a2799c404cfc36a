package packaging

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheReleaseIsStamped with the commit's date, or what SOURCE_DATE_EPOCH says, and
// with nothing else of the time and place of the build. That two builds are the same is
// tried by make reproduce, which takes minutes.
func TestTheReleaseIsStamped(t *testing.T) {
	cmd := exec.Command("make", "-C", "../..", "-s", "-n", "release", "RELEASE=v1.2.3",
		"COMMIT=abc", "SOURCE_DATE_EPOCH=86400")
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"-X main.release=v1.2.3 -X main.commit=abc -X main.date=1970-01-02T00:00:00Z -buildid='",
		"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "for arch in amd64 arm64;"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
}
