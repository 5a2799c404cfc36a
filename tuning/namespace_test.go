package tuning

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// inside is set in a process that has a network namespace of its own.
const inside = "SSEDGE_TEST_NAMESPACE"

// The kernel itself: the test runs itself again in a network namespace of its own, whose settings
// it may change.
func TestOnThisKernel(t *testing.T) {
	if os.Getenv(inside) != "" {
		onThisKernel(t)
		return
	}
	own := "-n"
	if os.Geteuid() != 0 {
		own = "-rn" // root of a user namespace is enough
	}
	if out, err := exec.Command("unshare", own, "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: unshare %s: %v %s", own, err, out)
	}
	cmd := exec.Command("unshare", own, os.Args[0], "-test.run=^TestOnThisKernel$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestOnThisKernel") {
		t.Errorf("%v: %s", err, out)
	}
}

func onThisKernel(t *testing.T) {
	// What is a network namespace's, and what the host's.
	for i := range rules {
		name := rules[i].name
		if !strings.HasPrefix(name, "net.") {
			continue
		}
		f, err := os.OpenFile(sysctlFile("/", name), os.O_WRONLY, 0)
		if err == nil {
			f.Close()
		}
		if (err == nil) != (scope(name) == OfNamespace) {
			t.Errorf("%s is said to be of the %s, and opening it says %v", name, scope(name), err)
		}
	}

	// A kernel that refuses the last of three numbers may have taken the others: both ways put them
	// back.
	before := value("/", "net.ipv4.tcp_rmem")
	const impossible = "8192 262144 99999999999"
	if err := set("/", "net.ipv4.tcp_rmem", impossible); err == nil ||
		value("/", "net.ipv4.tcp_rmem") != before {
		t.Errorf("%v, tcp_rmem was %s and is %s", err, before, value("/", "net.ipv4.tcp_rmem"))
	}
	functions, _, ok := strings.Cut(file(t, ".", "apply.sh"), "# raise NAME")
	out, err := exec.Command("sh", "-c", functions+"put net.ipv4.tcp_rmem '"+impossible+"'").
		Output()
	if !ok || err != nil || !strings.Contains(string(out), before+" stays") ||
		value("/", "net.ipv4.tcp_rmem") != before {
		t.Errorf("%v, %s, tcp_rmem was %s and is %s", err, out, before,
			value("/", "net.ipv4.tcp_rmem"))
	}

	// A host with this kernel, and files of its own. So few streams need nothing of the host's
	// settings.
	few := Load{Connections: 30_000, Sources: 1}
	for _, way := range []string{"doctor", "script"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "proc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/proc/sys", filepath.Join(dir, "proc/sys")); err != nil {
			t.Fatal(err)
		}
		start := map[string]string{"net.core.somaxconn": "128",
			"net.ipv4.ip_unprivileged_port_start": "20000",
			"net.ipv4.ip_local_port_range":        "32768 60999", "net.ipv4.tcp_tw_reuse": "2"}
		for _, name := range []string{"net.core.somaxconn", "net.ipv4.ip_local_port_range",
			"net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_tw_reuse"} {
			if err := set("/", name, start[name]); err != nil {
				t.Fatal(err)
			}
		}
		// The kernel refuses local ports below those that are privileged.
		var said string
		if way == "doctor" {
			changes, err := Apply(dir, read(t, dir, 100_000), few)
			if err != nil {
				t.Fatal(err)
			}
			if c := change(t, changes, "net.ipv4.ip_local_port_range"); c.Err == nil ||
				c.After != "32768 60999" {
				t.Errorf("%+v", c)
			}
			if c := change(t, changes, "net.core.somaxconn"); c.Err != nil || c.After != "4096" {
				t.Errorf("%+v", c)
			}
		} else {
			out, err := script(dir, "30000", "1")
			if err == nil ||
				!strings.Contains(out,
					"ip_local_port_range: 32768 60999 stays, 10240 65535 was refused") ||
				!strings.Contains(out, "somaxconn: 128, now 4096") {
				t.Errorf("%v: %s", err, out)
			}
		}
		if got := value("/", "net.core.somaxconn"); got != "4096" {
			t.Errorf("%s: somaxconn is %s", way, got)
		}
		// It takes them once it may, and gives them back.
		if err := set("/", "net.ipv4.ip_unprivileged_port_start", "1024"); err != nil {
			t.Fatal(err)
		}
		if way == "doctor" {
			if _, err := Apply(dir, read(t, dir, 100_000), few); err != nil {
				t.Error(err)
			}
		} else if out, err := script(dir, "30000", "1"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if got := value("/", "net.ipv4.ip_local_port_range"); got != "10240 65535" {
			t.Errorf("%s: the range is %s", way, got)
		}
		if way == "doctor" {
			_, err := Undo(dir)
			if err != nil {
				t.Error(err)
			}
		} else if out, err := script(dir, "--undo"); err != nil {
			t.Errorf("%v: %s", err, out)
		} else {
			said = out
		}
		for _, name := range []string{"net.core.somaxconn", "net.ipv4.ip_local_port_range",
			"net.ipv4.tcp_tw_reuse"} {
			if got := value("/", name); got != start[name] {
				t.Errorf("%s: %s is %s after undoing, expected %s; %s", way, name, got, start[name],
					said)
			}
		}
	}
}
