package cgroup

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// groupOfChild names the group that a child of the test enters before it reads its limits.
const groupOfChild = "CGROUP_TEST_GROUP"

func TestMain(m *testing.M) {
	group := os.Getenv(groupOfChild)
	if group == "" {
		os.Exit(m.Run())
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(Read(os.DirFS("/")).Memory.Bytes)
}

// A process in a real group, whose parent group has the limit, sees it.
func TestARealGroup(t *testing.T) {
	r := reader{root: os.DirFS("/"), mounts: mounts(os.DirFS("/")), groups: groups(os.DirFS("/"))}
	limit, controller := "memory.limit_in_bytes", "memory"
	if r.dirs(controller) == nil {
		limit, controller = "memory.max", unified
	}
	dirs := r.dirs(controller)
	if dirs == nil {
		t.Skip("there are no cgroups here; a host with them would run this")
	}
	above, err := os.MkdirTemp("/"+dirs[len(dirs)-1], "ssedge-test-")
	if err != nil {
		t.Skipf("no group can be made (root on a host could): %v", err)
	}
	group := filepath.Join(above, "below")
	t.Cleanup(func() { // a group can be removed when the kernel has let go of its last process
		for _, dir := range []string{group, above} {
			err := os.Remove(dir)
			for tries := 0; err != nil && !os.IsNotExist(err) && tries < 10_000; tries++ {
				time.Sleep(time.Millisecond)
				err = os.Remove(dir)
			}
			if err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
	})
	const bytesMax = 1 << 30
	if err := os.WriteFile(filepath.Join(above, limit), []byte(fmt.Sprint(bytesMax)),
		0); err != nil {
		t.Skipf("no limit can be set (a host whose root has the memory controller could): %v", err)
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), groupOfChild+"="+group)
	var said bytes.Buffer
	child.Stderr = &said
	out, err := child.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if got := strings.TrimSpace(string(out)); got != fmt.Sprint(bytesMax) {
		t.Errorf("a process below a group of %d bytes found %s", bytesMax, got)
	}
}
