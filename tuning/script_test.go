package tuning

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells are those that the script is tried with, if they are there.
var shells = [][]string{{"sh"}, {"dash"}, {"busybox", "sh"}, {"bash", "--posix"}}

func script(dir string, arguments ...string) (string, error) {
	return scriptBy(shells[0], dir, arguments...)
}

func scriptBy(shell []string, dir string, arguments ...string) (string, error) {
	if _, err := os.Stat("apply.sh"); err != nil { // so that go test runs again when it changes
		return "", err
	}
	cmd := exec.Command(shell[0], slices.Concat(shell[1:], []string{"apply.sh"}, arguments)...)
	cmd.Env = append(os.Environ(), "ROOT="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The script changes what the doctor would, to the same values, and takes it back, in any shell.
func TestTheScriptDoesTheSame(t *testing.T) {
	for _, shell := range shells {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Logf("not tried with %s, which is not there", shell[0])
			continue
		}
		loads := [][]string{{"1000000", "20"}}
		if shell[0] == "sh" {
			loads = [][]string{{"1000"}, {"100000", "2"}, {"1000000"}, {"5000000", "40"},
				{"1000000", "400"}}
		}
		for _, arguments := range loads {
			sameAsDoctor(t, shell, arguments,
				map[string]string{"proc/sys/net/netfilter/nf_conntrack_max": "262144\n"})
		}
	}
	for _, more := range []map[string]string{
		keeping,
		{"proc/sys/net/ipv4/tcp_congestion_control": "bbr\n"},
		{"proc/sys/kernel/osrelease": "3.10.0-1160\n"}, {DropInFile: "# mine\n"},
		{"proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
			"proc/sys/net/netfilter/nf_conntrack_count": "0\n"}, defaults(3.5),
	} {
		sameAsDoctor(t, shells[0], []string{"1000000"}, more)
	}
}

// keeping is a host with files that say more than what is needed, and one of our name.
var keeping = map[string]string{
	"proc/sys/net/core/somaxconn": "4096\n", "proc/sys/vm/max_map_count": "262144\n",
	"etc/sysctl.d/50-more.conf":     "net.core.somaxconn=65535\nnet.ipv4.tcp_mem = 1 750001 x\nnet.ipv4.tcp_max_orphans = 70000\n -net/core/netdev_max_backlog =  20000\n",
	"usr/lib/sysctl.d/10-less.conf": "# net.core.somaxconn = 70000\nnet.core.somaxconn = 128\n; fs.nr_open = 5\n",
	DropInFile:                      "vm.max_map_count = 262144\nfs.file-max = 5\nvm.swappiness = 1\nvm.swappiness = 2\n",
}

// The file for the next boot lowers nothing: not what other files say, and not what is enough only
// by the file that it replaces.
func TestTheNextBootLowersNothing(t *testing.T) {
	dir := hostDir(t, keeping)
	for range 2 { // the second time all is enough
		if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil {
			t.Fatal(err)
		}
		got := configuredSysctls(os.DirFS(dir), DropInFile)
		for name, want := range map[string]string{
			"net.core.somaxconn": "65535", "net.core.netdev_max_backlog": "20000",
			"net.ipv4.tcp_mem": "500000 750000 1000000", "net.ipv4.tcp_max_orphans": "70000",
			"vm.max_map_count": "262144", "fs.file-max": "9223372036854775807",
			"vm.swappiness": "2", "net.ipv4.tcp_slow_start_after_idle": "0",
			"net.ipv4.tcp_rmem": "", "fs.nr_open": "", "fs.epoll.max_user_watches": "",
		} {
			if values := strings.Join(got[name], "; "); values != want {
				t.Errorf("%s is %q in the drop-in, expected %q", name, values, want)
			}
		}
	}
	dir = hostDir(t, nil)
	for range 2 {
		if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil {
			t.Fatal(err)
		}
		remove(t, dir, DropInFile) // by hand: what --apply has changed is set again
	}
	if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil ||
		len(configuredSysctls(os.DirFS(dir), DropInFile)["net.core.somaxconn"]) != 1 {
		t.Errorf("%v, %s", err, file(t, dir, DropInFile))
	}
}

// The script says how it is used.
func TestTheScriptsHelp(t *testing.T) {
	for _, flag := range []string{"--help", "-h"} {
		for _, shell := range shells {
			if _, err := exec.LookPath(shell[0]); err != nil {
				continue
			}
			if out, err := scriptBy(shell, t.TempDir(), flag); err != nil ||
				!strings.HasPrefix(out, "Usage") || !strings.Contains(out, "--undo") {
				t.Errorf("%v %s: %v, %s", shell, flag, err, out)
			}
		}
	}
}

func sameAsDoctor(t *testing.T, shell, arguments []string, more map[string]string) {
	t.Helper()
	byScript, byDoctor, before := hostDir(t, more), hostDir(t, more), hostDir(t, more)
	if out, err := scriptBy(shell, byScript, arguments...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l := Load{Connections: int(parse(arguments[0]))}
	if len(arguments) > 1 {
		l.Sources = int(parse(arguments[1]))
	}
	if _, err := Apply(byDoctor, read(t, byDoctor, 20_000), l); err != nil {
		t.Fatal(err)
	}
	same := func(what, a, b string) {
		t.Helper()
		for i := range rules {
			name := "proc/sys/" + strings.ReplaceAll(rules[i].name, ".", "/")
			if x, y := content(t, a, name), content(t, b, name); x != y {
				t.Errorf("%v %v, %s: %s is %s and %s", shell, arguments, what, name, x, y)
			}
		}
	}
	same("script and doctor", byScript, byDoctor)
	settings := func(dir string) (lines []string) {
		for line := range strings.Lines(file(t, dir, DropInFile)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines = append(lines, line)
			}
		}
		slices.Sort(lines)
		return lines
	}
	if a, b := settings(byScript), settings(byDoctor); !slices.Equal(a, b) {
		t.Errorf("%v %v: the files differ: %v and %v", shell, arguments, a, b)
	}
	if out, err := scriptBy(shell, byScript, arguments...); err != nil ||
		strings.Contains(out, "now") {
		t.Errorf("a second time: %v, %s", err, out)
	}
	became := map[bool]string{true: ": restored\n", false: ": removed\n"}[more[DropInFile] != ""]
	if out, err := scriptBy(shell, byScript, "--undo"); err != nil ||
		strings.Contains(out, "left as it is") ||
		!strings.Contains(out, filepath.Join(byScript, DropInFile)+became) {
		t.Fatalf("%v: %s", err, out)
	}
	if a, b := tree(t, before), tree(t, byScript); !maps.Equal(a, b) {
		t.Errorf("%v %v: before %v, after undoing %v", shell, arguments, a, b)
	}
}

func file(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Interrupted or applied again, it knows what is its own; what was changed by other means stays.
func TestTheScriptUndoes(t *testing.T) {
	dir := hostDir(t, nil)
	for _, n := range []string{"1000000", "2000000"} {
		if out, err := script(dir, n); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	// as if the second time had been interrupted
	put(t, dir, "proc/sys/net/ipv4/tcp_mem", "500000 750000 1000000\n")
	put(t, dir, "proc/sys/net/core/somaxconn", "30000\n")
	put(t, dir, DropInFile, "# theirs\n")
	out, err := script(dir, "--undo")
	if err != nil ||
		!strings.Contains(out, `somaxconn: left as it is: it was changed since to 30000; before, it was: sysctl -w net.core.somaxconn="4096"`) ||
		!strings.Contains(out, "60-ssedge.conf: left as it is") {
		t.Errorf("%v: %s", err, out)
	}
	for name, want := range map[string]string{"proc/sys/net/core/somaxconn": "30000",
		"proc/sys/net/ipv4/tcp_mem": "188000 251000 376000", DropInFile: "# theirs"} {
		if got := content(t, dir, name); got != want {
			t.Errorf("%s is %s, expected %s", name, got, want)
		}
	}
}

// What cannot be written changes nothing.
func TestTheScriptCannotWrite(t *testing.T) {
	for _, blocked := range []string{"etc/sysctl.d", "var/lib/ssedge"} {
		dir := hostDir(t, nil)
		put(t, dir, blocked, "") // a file where a directory should be
		before := tree(t, dir)
		out, err := script(dir, "1000000")
		if err == nil || !strings.Contains(out, "nothing was changed: ") {
			t.Errorf("%s: %v, %s", blocked, err, out)
		}
		if after := tree(t, dir); !maps.Equal(before, after) {
			t.Errorf("%s: before %v, after %v", blocked, before, after)
		}
	}
}

func TestMistakesOfTheScript(t *testing.T) {
	for _, c := range [][2]string{{"0", "expected a number"}, {"many", "expected a number"},
		{"-5", "expected a number"}, {"99999999999", "expected a number"},
		{"--undo", "nothing to undo"}} {
		if out, err := script(hostDir(t, nil), c[0]); err == nil || !strings.Contains(out, c[1]) {
			t.Errorf("%s: %v, %s", c[0], err, out)
		}
	}
	if out, err := script(t.TempDir(), "1000"); err == nil || !strings.Contains(out, "no /proc") {
		t.Errorf("without /proc: %v, %s", err, out)
	}
}

// What is refused is said, with a status, and the others are set.
func TestTheScriptIsRefused(t *testing.T) {
	dir := refusing(t)
	out, err := script(dir, "10000000")
	if err == nil || !strings.Contains(out, "fs.nr_open: 65536 stays, 10010000 was refused") {
		t.Errorf("%v, %s", err, out)
	}
	if got := content(t, dir, "proc/sys/net/ipv4/tcp_max_orphans"); got != "666666" {
		t.Errorf("tcp_max_orphans is %s", got)
	}
}
