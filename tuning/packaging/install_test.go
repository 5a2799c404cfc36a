// Package packaging has tests only: of what puts ssedge onto a host.
package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// makeTarget runs make at the root. What is installed is a file of ours: nothing is built.
func makeTarget(t *testing.T, arguments ...string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	write(t, program, "#!/bin/sh\n")
	cmd := exec.Command("make", append([]string{"-C", "../..", "-s", "BIN=" + program},
		arguments...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // this test may run below make
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %v: %v\n%s", arguments, err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files are the files below root, each with its permissions in front.
func files(t *testing.T, root string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		all = append(all, info.Mode().String()+" "+strings.TrimPrefix(path, root))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestInstallAndUninstall(t *testing.T) {
	for _, c := range []struct {
		prefix string
		given  []string
	}{{"/usr/local", nil}, {"/usr", []string{"PREFIX=/usr"}},
		{"/opt/ssedge", []string{"PREFIX=/opt/ssedge"}}} {
		root := t.TempDir()
		given := append([]string{"DESTDIR=" + root}, c.given...)
		makeTarget(t, append(given, "install")...)
		want := []string{
			"-rw-r--r-- /etc/ssedge/ssedge.yaml",
			"-rw-r--r-- " + c.prefix + "/lib/systemd/system/ssedge.service",
			"-rw-r--r-- " + c.prefix + "/lib/systemd/system/ssedge.socket",
			"-rw-r--r-- " + c.prefix + "/lib/sysusers.d/ssedge.conf",
			"-rwxr-xr-x " + c.prefix + "/bin/ssedge",
		}
		if got := files(t, root); !slices.Equal(got, want) {
			t.Errorf("%v: found\n%s\nexpected\n%s", c.given, strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
		unit := read(t, root+c.prefix+"/lib/systemd/system/ssedge.service")
		if start := "\nExecStart=" + c.prefix +
			"/bin/ssedge serve --config=/etc/ssedge/ssedge.yaml\n"; !strings.Contains(unit, start) {
			t.Errorf("%v: expected %q in the unit", c.given, start)
		}
		makeTarget(t, append(given, "install")...) // again: an upgrade
		makeTarget(t, append(given, "uninstall")...)
		if left := files(t, root); len(left) > 0 {
			t.Errorf("%v: uninstall leaves %v", c.given, left)
		}
		if _, err := os.Stat(root + "/etc/ssedge"); err == nil {
			t.Errorf("%v: uninstall leaves an empty /etc/ssedge", c.given)
		}
		makeTarget(t, append(given, "uninstall")...) // again: there is nothing
	}
}

// TestSettingsOfOthersStay: neither install nor uninstall touches what an operator
// has written, nor what stands beside it.
func TestSettingsOfOthersStay(t *testing.T) {
	root := t.TempDir()
	makeTarget(t, "DESTDIR="+root, "install")
	write(t, root+"/etc/ssedge/ssedge.yaml", "listen: [0.0.0.0:80]\n")
	write(t, root+"/etc/ssedge/keys", "secret\n")
	write(t, root+"/usr/local/bin/other", "")
	makeTarget(t, "DESTDIR="+root, "install")
	makeTarget(t, "DESTDIR="+root, "uninstall")
	want := []string{"-rw-r--r-- /etc/ssedge/keys", "-rw-r--r-- /etc/ssedge/ssedge.yaml",
		"-rw-r--r-- /usr/local/bin/other"}
	if got := files(t, root); !slices.Equal(got, want) {
		t.Errorf("found %v, expected %v", got, want)
	}
	if got := read(t, root+"/etc/ssedge/ssedge.yaml"); got != "listen: [0.0.0.0:80]\n" {
		t.Errorf("the settings have become %q", got)
	}
}
