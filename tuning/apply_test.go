package tuning

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernel replaces what takes values for a test.
func kernel(t *testing.T, takes func(file, value string) error) {
	t.Helper()
	real := write
	write = takes
	t.Cleanup(func() { write = real })
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree is all files of a host, but for those of tests' own making.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			all[name] = content(t, dir, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func change(t *testing.T, all []Change, name string) Change {
	t.Helper()
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no change of %s in %+v", name, all)
	return Change{}
}

// A kernel may take another value than it is given: that is said, and undone all the same.
func TestAValueIsClamped(t *testing.T) {
	dir := hostDir(t, nil)
	real := write
	kernel(t, func(file, value string) error {
		if strings.HasSuffix(file, "somaxconn") && value == "10000" {
			value = "8192"
		}
		return real(file, value)
	})
	changes, err := Apply(dir, read(t, dir, 20_000), million)
	if err != nil {
		t.Fatal(err)
	}
	if c := change(t, changes, "net.core.somaxconn"); c.Err != nil || c.After != "8192" ||
		c.Wanted != "10000" {
		t.Errorf("%+v", c)
	}
	if _, err := Undo(dir); err != nil || content(t, dir, "proc/sys/net/core/somaxconn") != "4096" {
		t.Errorf("%v, somaxconn is %s", err, content(t, dir, "proc/sys/net/core/somaxconn"))
	}
}

// A kernel that refuses the third of three numbers has taken two (Linux 6.18 does, of tcp_mem):
// they are put back.
func TestPartOfAValueIsRefused(t *testing.T) {
	dir := hostDir(t, nil)
	real := write
	kernel(t, func(file, value string) error {
		if strings.HasSuffix(file, "tcp_mem") && strings.HasSuffix(value, " 1000000") {
			return errors.Join(real(file, "500000 750000 376000"), errors.New("invalid argument"))
		}
		return real(file, value)
	})
	changes, err := Apply(dir, read(t, dir, 20_000), million)
	if err != nil {
		t.Fatal(err)
	}
	if c := change(t, changes, "net.ipv4.tcp_mem"); c.Err == nil ||
		c.After != "188000 251000 376000" {
		t.Errorf("%+v", c)
	}
}

// Killed before any of its writes to the kernel, first or second time, it can be undone.
func TestInterrupted(t *testing.T) {
	real := write
	for _, first := range []bool{false, true} {
		for after := range 7 {
			dir := hostDir(t, map[string]string{DropInFile: "# mine\n"})
			before := tree(t, dir)
			if first {
				if _, err := Apply(dir, read(t, dir, 20_000),
					Load{Connections: 500_000}); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			kernel(t, func(file, value string) error {
				if n++; n > after {
					panic("killed")
				}
				return real(file, value)
			})
			killed := func() (killed bool) {
				defer func() { killed = recover() != nil }()
				_, _ = Apply(dir, read(t, dir, 20_000), Load{Connections: 2_000_000})
				return
			}()
			write = real
			changes, err := Undo(dir)
			if after := tree(t, dir); err != nil || !maps.Equal(before, after) {
				t.Errorf("after %d writes (killed: %v): %v, %+v; before %v, after %v", n, killed,
					err, changes, before, after)
			}
			if after < 5 && !killed {
				t.Errorf("not killed after %d", after)
			}
		}
	}
}

// Killed when it had saved what was there, and nothing more.
func TestInterruptedBeforeAnything(t *testing.T) {
	applied, dir := hostDir(t, nil), hostDir(t, nil)
	if _, err := Apply(applied, read(t, applied, 20_000), million); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	put(t, dir, SavedFile, file(t, applied, SavedFile))
	if changes, err := Undo(dir); err != nil || len(changes) != 0 ||
		!maps.Equal(before, tree(t, dir)) {
		t.Errorf("%v, %+v", err, changes)
	}
}

// What was changed since by other means stays.
func TestUndoLeavesWhatOthersChanged(t *testing.T) {
	dir := hostDir(t, nil)
	if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "proc/sys/net/core/somaxconn", "20000\n")
	put(t, dir, DropInFile, "# theirs\n")
	changes, err := Undo(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c := change(t, changes, "net.core.somaxconn"); !strings.Contains(c.Left,
		`sysctl -w net.core.somaxconn="4096"`) {
		t.Errorf("%+v", c)
	}
	for name, want := range map[string]string{
		"proc/sys/net/core/somaxconn": "20000", DropInFile: "# theirs", LimitsFile: "none",
		SavedFile: "none", "proc/sys/net/ipv4/tcp_mem": "188000 251000 376000",
	} {
		if got := content(t, dir, name); got != want {
			t.Errorf("%s is %s, expected %s", name, got, want)
		}
	}
}

// A second time that fails takes nothing back of the first.
func TestASecondApplyFails(t *testing.T) {
	dir := hostDir(t, nil)
	if _, err := Apply(dir, read(t, dir, 20_000), Load{Connections: 500_000}); err != nil {
		t.Fatal(err)
	}
	limits := filepath.Dir(filepath.Join(dir, LimitsFile))
	if err := errors.Join(os.RemoveAll(limits), os.Symlink("nowhere", limits)); err != nil {
		// there is no file, and there can be none
		t.Fatal(err)
	}
	before := tree(t, dir)
	if _, err := Apply(dir, read(t, dir, 20_000), million); err == nil ||
		!strings.HasPrefix(err.Error(), "nothing was changed: ") {
		t.Error(err)
	}
	if after := tree(t, dir); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

// Where what was there cannot be restored it stays saved, for another try.
func TestUndoIsRefused(t *testing.T) {
	dir := hostDir(t, nil)
	if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil {
		t.Fatal(err)
	}
	real := write
	kernel(t, func(file, value string) error {
		if strings.HasSuffix(file, "somaxconn") {
			return errors.New("not now")
		}
		return real(file, value)
	})
	if _, err := Undo(dir); err == nil || content(t, dir, SavedFile) == "none" ||
		content(t, dir, "proc/sys/net/ipv4/tcp_mem") != "188000 251000 376000" {
		t.Errorf("%v, tcp_mem is %s", err, content(t, dir, "proc/sys/net/ipv4/tcp_mem"))
	}
	kernel(t, func(file, value string) error { // it takes another value: that is no success, either
		return real(file, strings.Replace(value, "4096", "8192", 1))
	})
	if _, err := Undo(dir); err == nil ||
		!strings.Contains(err.Error(), "net.core.somaxconn is not restored") ||
		content(t, dir, SavedFile) == "none" {
		t.Error(err)
	}
	put(t, dir, "proc/sys/net/core/somaxconn", "10000\n")
	write = real
	if _, err := Undo(dir); err != nil ||
		content(t, dir, "proc/sys/net/core/somaxconn") != "4096" ||
		content(t, dir, SavedFile) != "none" {
		t.Errorf("%v, somaxconn is %s", err, content(t, dir, "proc/sys/net/core/somaxconn"))
	}
	put(t, dir, SavedFile, "{")
	if _, err := Undo(dir); err == nil ||
		!strings.Contains(err.Error(), "expected what --apply has saved") {
		t.Error(err)
	}
	if _, err := Apply(dir, read(t, dir, 20_000), million); err == nil ||
		!strings.HasPrefix(err.Error(), "nothing was changed: ") {
		t.Error(err)
	}
}

// Limits are no lower than any file says, and no higher than nr_open: users with a higher limit
// cannot log in.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		said         string
		hard, nrOpen int
		streams      int
		want         string
	}{
		{"", 20_000, 1_048_576, 1_000_000, "1010000"},
		{"", 524_288, 1_048_576, 1000, "none"},
		{"", 524_288, 1_048_576, 1_000_000, "1010000"},
		{"* hard nofile 700000\n", 20_000, 1_048_576, 1000, "700000"},
		{"# * hard nofile 900000\nroot - nofile unlimited\n", 20_000, 1_048_576, 1000, "1048576"},
		{"* soft nofile 9000000\n", 20_000, 1_048_576, 1_000_000, "1010000"},
		{"", 20_000, 65_536, 1_000_000, "1010000"}, // nr_open is raised first
	} {
		dir := hostDir(t, map[string]string{"proc/sys/fs/nr_open": fmt.Sprintln(c.nrOpen),
			"etc/security/limits.conf": c.said})
		if _, err := Apply(dir, read(t, dir, uint64(c.hard)),
			Load{Connections: c.streams}); err != nil {
			t.Fatal(err)
		}
		got := content(t, dir, LimitsFile)
		if i := strings.Index(got, "* hard nofile "); i >= 0 {
			got = strings.Fields(got[i:])[3]
		}
		if got != c.want {
			t.Errorf("%+v: found %s", c, got)
		}
	}
	dir := refusing(t) // nr_open is 65536, and stays
	changes, err := Apply(dir, read(t, dir, 20_000), million)
	if c := change(t, changes, "hard limit on open files, for new logins"); err != nil ||
		c.After != "65536" || c.Wanted != "1010000" {
		t.Errorf("%v, %+v", err, c)
	}
}
