package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestThePackageIsMadeOfWhatThereIs: every file of the tree that nfpm.yaml names, and
// scripts that are some.
func TestThePackageIsMadeOfWhatThereIs(t *testing.T) {
	var p struct {
		Contents []struct{ Src, Dst string }
		Scripts  map[string]string
	}
	if err := yaml.Unmarshal([]byte(read(t, "nfpm.yaml")), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Contents) < 4 || len(p.Scripts) != 3 {
		t.Fatalf("found %d files and %d scripts", len(p.Contents), len(p.Scripts))
	}
	for _, c := range p.Contents {
		if !strings.HasPrefix(c.Src, "bin/") { // is made
			read(t, "../../"+c.Src)
		}
	}
	for name, script := range p.Scripts {
		if out, err := exec.Command("sh", "-n", "../../"+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestThePackageInstalls into a root of its own, where it leaves what it should, and
// takes it away again. The program in it is a script: nothing is built.
func TestThePackageInstalls(t *testing.T) {
	nfpm, err := exec.LookPath("nfpm")
	if err != nil {
		t.Skip("there is no nfpm here: go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2")
	}
	if _, err := exec.LookPath("dpkg"); err != nil || os.Getuid() != 0 {
		t.Skip("this needs dpkg and root")
	}
	tree := t.TempDir()
	for _, name := range []string{"tuning", "LICENSE", "README.md"} {
		path, err := filepath.Abs("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, tree+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	for _, dir := range []string{tree + "/bin/release", tree + "/bin/deb", root + "/etc",
		root + "/var/lib/dpkg/info", root + "/var/lib/dpkg/updates"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, tree+"/bin/release/ssedge-linux-"+runtime.GOARCH, "#!/bin/sh\n")
	write(t, tree+"/bin/deb/ssedge.service", read(t, "../systemd/ssedge.service"))
	for _, file := range []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow",
		"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		write(t, root+"/"+file, "")
	}
	run := func(name string, arguments ...string) string {
		t.Helper()
		cmd := exec.Command(name, arguments...)
		cmd.Dir, cmd.Env = tree, append(os.Environ(), "ARCH="+runtime.GOARCH, "VERSION=1.2.3",
			"SOURCE_DATE_EPOCH=1700000000")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, arguments, err, out)
		}
		return string(out)
	}
	run(nfpm, "package", "-f", "tuning/packaging/nfpm.yaml", "-p", "deb", "-t", "one.deb")
	run(nfpm, "package", "-f", "tuning/packaging/nfpm.yaml", "-p", "deb", "-t", "another.deb")
	if one, another := read(t, tree+"/one.deb"), read(t, tree+"/another.deb"); one != another {
		t.Error("the same package, made twice, differs")
	}
	dpkg := []string{"--root=" + root, "--force-script-chrootless", "--force-depends"}
	run("dpkg", append(dpkg, "-i", "one.deb")...)
	for _, path := range []string{"/usr/bin/ssedge", "/usr/lib/systemd/system/ssedge.service",
		"/usr/lib/systemd/system/ssedge.socket", "/usr/lib/sysusers.d/ssedge.conf",
		"/etc/ssedge/ssedge.yaml"} {
		if _, err := os.Stat(root + path); err != nil {
			t.Errorf("%v: expected it to be installed", err)
		}
	}
	if users := read(t, root+"/etc/passwd"); !strings.HasPrefix(users, "ssedge:") ||
		strings.Count(users, "\n") != 1 {
		t.Errorf("the users are %q, expected ssedge", users)
	}
	const changed = "admin: off\n"
	write(t, root+"/etc/ssedge/ssedge.yaml", changed)
	run("dpkg", append(dpkg, "-i", "one.deb")...) // an upgrade
	if got := read(t, root+"/etc/ssedge/ssedge.yaml"); got != changed {
		t.Errorf("an upgrade has made %q of the settings", got)
	}
	run("dpkg", append(dpkg, "--purge", "ssedge")...)
	left := slices.DeleteFunc(files(t, root), func(f string) bool {
		return strings.Contains(f, "/var/") || strings.Contains(f, ".pwd.lock") ||
			strings.Contains(f, "passwd") || strings.Contains(f, "group") ||
			strings.Contains(f, "shadow")
	})
	if len(left) > 0 {
		t.Errorf("the package leaves %v", left)
	}
}
