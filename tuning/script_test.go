package tuning

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func script(dir string, arguments ...string) (string, error) {
	cmd := exec.Command("sh", append([]string{"apply.sh"}, arguments...)...)
	cmd.Env = append(os.Environ(), "ROOT="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The script changes what the doctor would, to the same values, and takes it back.
func TestTheScriptDoesTheSame(t *testing.T) {
	for _, connections := range []string{"1000", "100000", "1000000", "5000000"} {
		more := map[string]string{"proc/sys/net/netfilter/nf_conntrack_max": "262144\n"}
		byScript, byDoctor, before := hostDir(t, more), hostDir(t, more), hostDir(t, more)
		if out, err := script(byScript, connections); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		n := int(parse(connections))
		if _, err := Apply(byDoctor, read(t, byDoctor, 20_000), Load{Connections: n}); err != nil {
			t.Fatal(err)
		}
		same := func(what, a, b string) {
			t.Helper()
			for i := range rules {
				name := "proc/sys/" + strings.ReplaceAll(rules[i].name, ".", "/")
				if x, y := content(t, a, name), content(t, b, name); x != y {
					t.Errorf("%s streams, %s: %s is %s and %s", connections, what, name, x, y)
				}
			}
		}
		same("script and doctor", byScript, byDoctor)
		if out, err := script(byScript, connections); err != nil || strings.Contains(out, "now") {
			t.Errorf("a second time: %v, %s", err, out)
		}
		if out, err := script(byScript, "--undo"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		same("before and after undoing", before, byScript)
	}
}

func TestMistakesOfTheScript(t *testing.T) {
	for _, c := range [][2]string{{"0", "expected a number"}, {"many", "expected a number"}, {"-5", "expected a number"}, {"--undo", "nothing to undo"}} {
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
