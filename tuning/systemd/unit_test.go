// Package systemd has tests only: of the unit.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// unit is the unit's text with the test's own program in it, and where that stands.
func unit(t *testing.T) (text, path string) {
	t.Helper()
	raw, err := os.ReadFile("ssedge.service")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(string(raw), "/usr/local/bin/ssedge", program)
	path = filepath.Join(t.TempDir(), "ssedge.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text, path
}

// socket is the socket unit's text.
func socket(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("ssedge.socket")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func setting(t *testing.T, unit, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(found) != 1 {
		t.Fatalf("%s= is there %d times, expected once", name, len(found))
	}
	return found[0][1]
}

// TestTheDrainFitsIntoTheStop: otherwise systemd kills it while it tells streams when to come back.
func TestTheDrainFitsIntoTheStop(t *testing.T) {
	text, _ := unit(t)
	stop, err := time.ParseDuration(setting(t, text, "TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	c := engine.DefaultConfig()
	if least := c.DrainDelay + c.DrainTimeout + 5*time.Second; stop < least {
		t.Errorf("TimeoutStopSec is %v, expected at least %v: the drain, and time to end", stop,
			least)
	}
	if signal := setting(t, text, "KillSignal"); signal != "SIGTERM" {
		t.Errorf("KillSignal is %s; only SIGTERM drains", signal)
	}
}

// TestAHostAllowsTheLimit: above fs.nr_open a unit does not start at all.
func TestAHostAllowsTheLimit(t *testing.T) {
	text, _ := unit(t)
	const usual = 1 << 20 // fs.nr_open, proc(5)
	if files, err := strconv.Atoi(setting(t, text, "LimitNOFILE")); err != nil || files > usual ||
		files < usual/2 {
		t.Errorf("LimitNOFILE is %v, %v: expected what fs.nr_open is without a setting, %d, or a little less",
			files, err, usual)
	}
}

// TestTheServiceNeedsNoSockets: the socket unit is optional.
func TestTheServiceNeedsNoSockets(t *testing.T) {
	text, _ := unit(t)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && strings.Contains(line, ".socket") ||
			strings.HasPrefix(line, "Sockets=") {
			t.Errorf("the service says %q: it would not start without its sockets", line)
		}
	}
	if kind := setting(t, text, "Type"); kind != "notify" {
		t.Errorf("Type is %s; the server says when it is ready", kind)
	}
	if access := setting(t, text, "NotifyAccess"); access != "main" {
		t.Errorf("NotifyAccess is %s; only the server itself has something to say", access)
	}
}

// TestTheSocketsAreWhatServeTakes: listening stream sockets where the server would listen by
// itself, with the name that its settings and the manual speak of.
func TestTheSocketsAreWhatServeTakes(t *testing.T) {
	text := socket(t)
	if regexp.MustCompile(`(?m)^(Accept|ListenDatagram|ListenSequentialPacket|ListenFIFO|SocketProtocol)=`).MatchString(text) {
		t.Errorf("the unit opens what the server refuses:\n%s", text)
	}
	c := engine.DefaultConfig()
	if address := setting(t, text, "ListenStream"); address != c.Listen[0] {
		t.Errorf("ListenStream is %s, expected the default of --listen, %s", address, c.Listen[0])
	}
	if share := setting(t, text, "ReusePort"); share != "yes" {
		t.Errorf("ReusePort is %s; a second line for the address would fail", share)
	}
	name := "systemd:" + setting(t, text, "FileDescriptorName")
	c.Listen, c.Keys = []string{name}, []string{"secret"}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"ssedge.socket", "../packaging/ssedge.yaml", "../README.md"} {
		if text, err := os.ReadFile(path); err != nil ||
			!strings.Contains(string(text), `"`+name+`"`) {
			t.Errorf("%s, %v: expected %q in it", path, err, name)
		}
	}
}

// TestSystemdHasNothingToSay of the unit, and little of what it exposes.
func TestSystemdHasNothingToSay(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("no systemd-analyze on the PATH; `make test` installs it (systemd)")
	}
	_, path := unit(t)
	listeners := filepath.Join(filepath.Dir(path), "ssedge.socket")
	if err := os.WriteFile(listeners, []byte(socket(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", path, listeners).CombinedOutput(); err != nil ||
		len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	const threshold = "15" // tenths; systemd calls up to 2.0 safe enough, and 10.0 is no protection
	if out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager",
		"--threshold="+threshold, path).CombinedOutput(); err != nil {
		t.Errorf("security: expected an exposure of at most %s tenths: %v\n%s", threshold, err, out)
	}
}
