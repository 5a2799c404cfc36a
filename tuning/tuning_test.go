package tuning

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostDir is a host as a directory: a new kernel's defaults, and what is given besides.
func hostDir(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"proc/sys/kernel/osrelease":                          "6.12.1\n",
		"proc/meminfo":                                       "MemTotal:       16777216 kB\nMemFree: 1 kB\n",
		"proc/cpuinfo":                                       "processor\t: 0\nprocessor\t: 1\n",
		"proc/sys/fs/nr_open":                                "1048576\n",
		"proc/sys/fs/file-max":                               "9223372036854775807\n",
		"proc/sys/fs/epoll/max_user_watches":                 "3600000\n",
		"proc/sys/net/core/somaxconn":                        "4096\n",
		"proc/sys/net/core/netdev_max_backlog":               "1000\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":              "1024\n",
		"proc/sys/net/ipv4/tcp_syncookies":                   "1\n",
		"proc/sys/net/ipv4/tcp_mem":                          "188000\t251000\t376000\n",
		"proc/sys/net/ipv4/tcp_rmem":                         "4096\t131072\t6291456\n",
		"proc/sys/net/ipv4/tcp_wmem":                         "4096\t16384\t4194304\n",
		"proc/sys/net/ipv4/tcp_slow_start_after_idle":        "1\n",
		"proc/sys/net/ipv4/tcp_max_orphans":                  "65536\n",
		"proc/sys/net/ipv4/ip_local_port_range":              "32768\t60999\n",
		"proc/sys/net/ipv4/tcp_congestion_control":           "cubic\n",
		"proc/sys/vm/max_map_count":                          "65530\n",
		"proc/sys/vm/swappiness":                             "60\n",
		"proc/sys/vm/overcommit_memory":                      "0\n",
		"sys/kernel/mm/transparent_hugepage/enabled":         "always [madvise] never\n",
		"proc/self/cgroup":                                   "0::/system.slice/ssedge.service\n",
		"sys/fs/cgroup/system.slice/ssedge.service/pids.max": "max\n",
	}
	for name, content := range more {
		all[name] = content
	}
	for name, content := range all {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir string, limit uint64, env ...string) *Host {
	t.Helper()
	h, err := Read(os.DirFS(dir), Limit{limit, limit}, func(name string) string {
		for _, e := range env {
			if n, v, _ := strings.Cut(e, "="); n == name {
				return v
			}
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func named(t *testing.T, all []Finding, name string) Finding {
	t.Helper()
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding of %s", name)
	return Finding{}
}

var million = Load{Connections: 1_000_000}

func TestAHostOfDefaultsFallsShort(t *testing.T) {
	h := read(t, hostDir(t, nil), 20_000)
	all := Examine(h, million)
	if !Short(all) {
		t.Error("nothing falls short")
	}
	for name, want := range map[string]string{
		"RLIMIT_NOFILE": "1010000", "net.core.somaxconn": "10000", "net.ipv4.tcp_mem": "500000 750000 1000000", "net.ipv4.tcp_slow_start_after_idle": "0",
		"net.ipv4.tcp_max_orphans": "125000", "net.core.netdev_max_backlog": "10000", "net.ipv4.tcp_max_syn_backlog": "10000",
	} {
		if f := named(t, all, name); f.OK || f.Needed != want || f.Why == "" || f.How == "" || f.Source == "" {
			t.Errorf("%+v, expected to need %s", f, want)
		}
	}
	for _, name := range []string{"fs.nr_open", "fs.file-max", "fs.epoll.max_user_watches", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_syncookies", "vm.max_map_count", "pids.max", "memory", "transparent huge pages"} {
		if f := named(t, all, name); !f.OK {
			t.Errorf("%+v", f)
		}
	}
	if f := named(t, all, "net.ipv4.tcp_rmem"); f.Needed != "4096 131072 6291456" {
		t.Errorf("a value would be lowered: %+v", f)
	}
	for _, f := range all {
		if strings.HasPrefix(f.Name, "net.netfilter") || f.Name == "net.ipv4.ip_local_port_range" {
			t.Errorf("%s does not matter here", f.Name)
		}
	}
	if few := Examine(h, Load{Connections: 10_000}); Short(few) && !strings.Contains(named(t, few, "net.ipv4.tcp_slow_start_after_idle").Needed, "0") {
		t.Errorf("ten thousand streams: %+v", few)
	}
}

func TestWhatAHostHasBesides(t *testing.T) {
	unit := "sys/fs/cgroup/system.slice/ssedge.service/"
	h := read(t, hostDir(t, map[string]string{
		"proc/sys/net/netfilter/nf_conntrack_max": "262144\n", unit + "memory.max": "1073741824\n", "sys/fs/cgroup/system.slice/pids.max": "100\n",
		unit + "cpu.max": "150000 100000\n", "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n", ".dockerenv": "",
	}), math.MaxUint64, "GOMAXPROCS=8")
	if h.Container != "docker" || h.Unit != "ssedge.service" || h.CgroupMax != 1<<30 || h.PidsMax != 100 || h.CPUQuota != 1.5 || h.CPUs != 2 || h.Memory != 1<<30 {
		t.Errorf("%+v", h)
	}
	all := Examine(h, Load{Connections: 1_000_000, Sources: 10})
	for name, ok := range map[string]bool{
		"RLIMIT_NOFILE": true, "net.netfilter.nf_conntrack_max": false, "memory": false, "pids.max": false, "transparent huge pages": false, "GOMEMLIMIT": false, "GOMAXPROCS": false,
		"net.ipv4.ip_local_port_range": false,
	} {
		if f := named(t, all, name); f.OK != ok {
			t.Errorf("%+v", f)
		}
	}
	if f := named(t, all, "net.ipv4.ip_local_port_range"); f.Needed != "10240 65535" {
		t.Errorf("%+v", f)
	}
	var table bytes.Buffer
	if err := WriteTable(&table, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SHORT", "better", "ok", "net.netfilter.nf_conntrack_max", `sysctl -w net.core.somaxconn="10000"`, "To change it:"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in %s", want, &table)
		}
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
}

func TestWithoutProc(t *testing.T) {
	if _, err := Read(os.DirFS(t.TempDir()), Limit{}, os.Getenv); err != ErrNoProc {
		t.Errorf("found %v", err)
	}
	h := read(t, hostDir(t, nil), 1)
	for name, says := range map[string]string{"net.ipv4.no_such": "no such setting", "../x": "expected the name", "net..x": "expected the name", "": "expected the name"} {
		if _, err := h.Sysctl(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An old kernel lacks a setting: that is said, and nothing falls short for it.
func TestAnOldKernel(t *testing.T) {
	dir := hostDir(t, nil)
	os.Remove(filepath.Join(dir, "proc/sys/fs/epoll/max_user_watches"))
	h := read(t, dir, 2_000_000)
	if f := named(t, Examine(h, million), "fs.epoll.max_user_watches"); !f.OK || f.Now != "not there" {
		t.Errorf("%+v", f)
	}
	if strings.Contains(DropIn(h, million), "max_user_watches") {
		t.Error("the drop-in has a setting that there is not")
	}
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "none"
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

func TestApplyAndUndo(t *testing.T) {
	dir := hostDir(t, map[string]string{DropInFile: "# mine\n"})
	h := read(t, dir, 20_000)
	changes, err := Apply(dir, h, million)
	if err != nil || len(changes) == 0 {
		t.Fatal(changes, err)
	}
	for _, c := range changes {
		if c.Err != nil || c.After != c.Wanted || c.Before == c.Wanted {
			t.Errorf("%+v", c)
		}
	}
	if got := content(t, dir, "proc/sys/net/core/somaxconn"); got != "10000" {
		t.Errorf("somaxconn is %s", got)
	}
	if got := content(t, dir, LimitsFile); !strings.Contains(got, "* hard nofile 1010000") {
		t.Errorf("limits: %s", got)
	}
	for _, f := range Examine(h, million) {
		if f.Kind == Sysctl && !f.OK && !f.Advice {
			t.Errorf("still short: %+v", f)
		}
	}
	if again, err := Apply(dir, h, Load{Connections: 2_000_000}); err != nil || len(again) == 0 { // what was there before the first time stays saved
		t.Fatal(again, err)
	}
	if changes, err = Undo(dir); err != nil || len(changes) == 0 {
		t.Fatal(changes, err)
	}
	for name, want := range map[string]string{
		"proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/tcp_mem": "188000 251000 376000", "proc/sys/fs/nr_open": "1048576",
		DropInFile: "# mine", LimitsFile: "none", SavedFile: "none",
	} {
		if got := content(t, dir, name); got != want {
			t.Errorf("%s is %s after undoing, expected %s", name, got, want)
		}
	}
	if _, err := Undo(dir); err == nil || !strings.Contains(err.Error(), "nothing to undo") {
		t.Errorf("undone twice: %v", err)
	}
}

// What cannot be written changes nothing.
func TestApplyWhereNothingCanBeWritten(t *testing.T) {
	for _, blocked := range []string{"etc/sysctl.d", "etc/security/limits.d", "var/lib/ssedge"} {
		dir := hostDir(t, nil)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, blocked)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, blocked), nil, 0o644); err != nil { // a file where a directory should be
			t.Fatal(err)
		}
		changes, err := Apply(dir, read(t, dir, 20_000), million)
		if err == nil || !strings.HasPrefix(err.Error(), "nothing was changed: ") || len(changes) != 0 {
			t.Errorf("%s: %v, %v", blocked, changes, err)
		}
		if got := content(t, dir, "proc/sys/net/core/somaxconn"); got != "4096" {
			t.Errorf("%s: somaxconn is %s", blocked, got)
		}
		if got := content(t, dir, DropInFile); got != "none" {
			t.Errorf("%s: the drop-in is %s", blocked, got)
		}
	}
}

// refusing is a host whose nr_open can be read, and takes nothing: it is a setting of this kernel that nobody may change.
func refusing(t *testing.T) string {
	t.Helper()
	dir := hostDir(t, nil)
	file := filepath.Join(dir, "proc/sys/fs/nr_open")
	os.Remove(file)
	if err := os.Symlink("/proc/sys/kernel/ngroups_max", file); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A value that the kernel refuses is told, and the others are set.
func TestAValueIsRefused(t *testing.T) {
	dir := refusing(t)
	changes, err := Apply(dir, read(t, dir, 20_000), Load{Connections: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	refused := false
	for _, c := range changes {
		refused = refused || c.Name == "fs.nr_open"
		if (c.Name == "fs.nr_open") != (c.Err != nil) {
			t.Errorf("%+v", c)
		}
	}
	if !refused || content(t, dir, "proc/sys/net/ipv4/tcp_max_orphans") != "1250000" {
		t.Errorf("found %+v", changes)
	}
}

// sysctl.conf at the root is what the doctor says of a million streams.
func TestSysctlConf(t *testing.T) {
	b, err := os.ReadFile("../sysctl.conf")
	if err != nil {
		t.Fatal(err)
	}
	if want := DropIn(nil, million); string(b) != want {
		t.Errorf("expected sysctl.conf to be\n%s", want)
	}
}
