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
		"sys/fs/cgroup/cgroup.controllers":                   "cpu memory pids\n",
		"proc/sys/net/ipv4/tcp_tw_reuse":                     "2\n",
		"proc/sys/net/ipv4/tcp_keepalive_time":               "7200\n",
		"proc/sys/net/ipv4/tcp_keepalive_intvl":              "75\n",
		"proc/sys/net/ipv4/tcp_keepalive_probes":             "9\n",
		"proc/sys/net/ipv4/tcp_retries2":                     "15\n",
		"proc/sys/net/ipv4/tcp_fin_timeout":                  "60\n",
		"proc/sys/net/ipv4/tcp_notsent_lowat":                "4294967295\n",
		"proc/sys/kernel/pid_max":                            "4194304\n",
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

// The Needed column has the bare need; what is raised is in How.
func TestAHostOfDefaultsFallsShort(t *testing.T) {
	h := read(t, hostDir(t, nil), 20_000)
	all := Examine(h, million)
	if !Short(all) {
		t.Error("nothing falls short")
	}
	for name, want := range map[string]struct {
		needed string
		advice bool
	}{
		"RLIMIT_NOFILE": {"1001216", false}, "net.core.somaxconn": {"10000", false},
		"net.ipv4.tcp_mem":                   {"500000 750000 1000000", true},
		"net.ipv4.tcp_slow_start_after_idle": {"0", true}, "net.ipv4.tcp_max_orphans": {"66666",
			true}, "net.core.netdev_max_backlog": {"10000", true},
	} {
		if f := named(t, all, name); f.OK || f.Advice != want.advice || f.Needed != want.needed ||
			f.How == "" {
			t.Errorf("%+v, expected to need %s", f, want.needed)
		}
	}
	for name, needed := range map[string]string{
		"fs.nr_open": "1010000", "fs.file-max": "1020000", "fs.epoll.max_user_watches": "1010000",
		"net.ipv4.tcp_rmem": "4096 16384 131072",
		"net.ipv4.tcp_wmem": "4096 16384 1048576", "net.ipv4.tcp_syncookies": "1",
		"vm.max_map_count": "1024", "memory, and a broadcast": "8227 MiB",
		"memory.high": "4321 MiB", "pids.max": "256", "memory": "4321 MiB",
		"transparent huge pages": "madvise", "net.ipv4.tcp_max_syn_backlog": "any",
		"net.ipv4.ip_local_port_range": "any", "net.ipv4.tcp_tw_reuse": "any",
		"net.ipv4.tcp_keepalive_time, _intvl, _probes": "any", "net.ipv4.tcp_retries2": "any",
		"net.ipv4.tcp_fin_timeout":   "any",
		"net.ipv4.tcp_notsent_lowat": "any", "net.ipv4.tcp_congestion_control": "any",
		"NUMA nodes": "any", "kernel": "4.4", "systemd unit": "any",
		"conntrack bypass": "not tracked", "cgroup": "any", "container": "any",
		"vm.swappiness": "any", "vm.overcommit_memory": "0 or 1", "GOMEMLIMIT": "none",
		"GOMAXPROCS": "none",
	} {
		if f := named(t, all, name); !f.OK || f.Needed != needed {
			t.Errorf("%+v, expected to be in order and to need %s", f, needed)
		}
	}
	if f := named(t, all, "net.ipv4.tcp_keepalive_time, _intvl, _probes"); f.Now != "7200 75 9" {
		t.Errorf("%+v", f)
	}
	for _, f := range all {
		if f.Now == "" || f.Why == "" || f.Source == "" || strings.Contains(f.Why, "\n") {
			t.Errorf("%+v does not say now, why and source, each in a line", f)
		}
		if f.Name == "kernel.pid_max" {
			t.Error("kernel.pid_max does not matter here")
		}
	}
}

func TestWhatAHostHasBesides(t *testing.T) {
	unit := "sys/fs/cgroup/system.slice/ssedge.service/"
	h := read(t, hostDir(t, map[string]string{
		"proc/sys/net/netfilter/nf_conntrack_max":   "262144\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "77\n", unit + "memory.max": "1073741824\n",
		unit + "memory.high":                  "1000000000\n",
		"sys/fs/cgroup/system.slice/pids.max": "100\n", unit + "cpu.max": "150000 100000\n",
		"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
		"proc/meminfo":            "MemTotal: 16777216 kB\nSwapTotal: 1024 kB\n",
		"proc/sys/kernel/pid_max": "2048\n", "proc/sys/vm/overcommit_memory": "2\n",
		"sys/devices/system/node/node0/x": "", "sys/devices/system/node/node1/x": "",
	}), math.MaxUint64, "GOMAXPROCS=8")
	if h.Container != "" || h.Unit != "ssedge.service" || h.CgroupMax != 1<<30 ||
		h.PidsMax != 100 || h.CPUQuota != 1.5 || h.CPUs != 2 || h.Memory != 1<<30 || h.Nodes != 2 ||
		h.Tracked != 77 {
		t.Errorf("%+v", h)
	}
	all := Examine(h, Load{Connections: 1_000_000, Sources: 10, Port: 443})
	for name, short := range map[string]bool{
		"net.netfilter.nf_conntrack_max": true, "memory": true, "pids.max": true,
		"net.ipv4.ip_local_port_range": true, "source addresses": true,
		"transparent huge pages": false, "GOMEMLIMIT": false, "GOMAXPROCS": false,
		"net.ipv4.tcp_tw_reuse": false, "vm.swappiness": false,
		"vm.overcommit_memory": false, "kernel.pid_max": false, "memory.high": false,
		"conntrack bypass": false,
	} {
		if f := named(t, all, name); f.OK || f.Advice == short {
			t.Errorf("%+v, expected to fall short: %v", f, short)
		}
	}
	for name, how := range map[string]string{
		"memory": "systemctl edit ssedge.service: [Service] MemoryMax=", "pids.max": "TasksMax=256",
		"net.ipv4.ip_local_port_range": `="10240 65535"`,
		"conntrack bypass":             "tcp dport 443 notrack",
		"net.ipv4.tcp_tw_reuse":        "tcp_tw_reuse=",
	} {
		if f := named(t, all, name); !strings.Contains(f.How, how) {
			t.Errorf("%+v, expected to be changed by %s", f, how)
		}
	}
	if f := named(t, all, "systemd unit"); f.Now != "ssedge.service" {
		t.Errorf("%+v", f)
	}
	if f := named(t, all, "source addresses"); f.Needed != "19" {
		t.Errorf("%+v", f)
	}
	var table bytes.Buffer
	if err := WriteTable(&table, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SHORT", "better", "ok", "net.netfilter.nf_conntrack_max",
		`sysctl -w net.core.somaxconn="10000"`, "To change it:"} {
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
	for name, says := range map[string]string{"net.ipv4.no_such": "no such setting",
		"../x": "expected the name", "net..x": "expected the name", "": "expected the name"} {
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
	if f := named(t, Examine(h, million), "fs.epoll.max_user_watches"); !f.OK ||
		f.Now != "not there" {
		t.Errorf("%+v", f)
	}
	if strings.Contains(DropIn(h, million), "max_user_watches") {
		t.Error("the drop-in has a setting that there is not")
	}
	changes, err := Apply(dir, h, million)
	if err != nil {
		t.Fatal(err)
	}
	if c := changes[0]; c.Name != "fs.epoll.max_user_watches" ||
		!strings.Contains(c.Left, "no such setting") {
		t.Errorf("%+v", c)
	}
	for release, want := range map[string]string{"4.3.9": "10000", "3.10.0-1160.el7": "10000",
		"4.4.0": "any", "5.15.0-91-generic": "any", "what": "any"} {
		h := read(t, hostDir(t, map[string]string{"proc/sys/kernel/osrelease": release + "\n"}),
			2_000_000)
		all := Examine(h, million)
		if f := named(t, all, "net.ipv4.tcp_max_syn_backlog"); f.Needed != want {
			t.Errorf("%s: %+v", release, f)
		}
		if f := named(t, all, "kernel"); f.OK != (want == "any") ||
			f.Advice == (release[0] == '3') {
			t.Errorf("%s: %+v", release, f)
		}
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
		if c.Left == "" && (c.Err != nil || c.After != c.Wanted || c.Before == c.Wanted) {
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
	if again, err := Apply(dir, h, Load{Connections: 2_000_000}); err != nil || len(again) == 0 {
		// what was there before the first time stays saved
		t.Fatal(again, err)
	}
	if changes, err = Undo(dir); err != nil || len(changes) == 0 {
		t.Fatal(changes, err)
	}
	for name, became := range map[string]string{DropInFile: "restored", LimitsFile: "removed"} {
		if c := change(t, changes, filepath.Join(dir, name)); c.File != became || c.Refused() {
			t.Errorf("%+v", c)
		}
	}
	for name, want := range map[string]string{
		"proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/tcp_mem": "188000 251000 376000",
		"proc/sys/fs/nr_open": "1048576",
		DropInFile:            "# mine", LimitsFile: "none", SavedFile: "none",
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
		if err := os.WriteFile(filepath.Join(dir, blocked), nil, 0o644); err != nil {
			// a file where a directory should be
			t.Fatal(err)
		}
		changes, err := Apply(dir, read(t, dir, 20_000), million)
		if err == nil || !strings.HasPrefix(err.Error(), "nothing was changed: ") ||
			len(changes) != 0 {
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

// refusing is a host whose nr_open can be read, and takes nothing: it is a setting that cannot be
// changed on this kernel.
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
		if c.Left == "" && (c.Name == "fs.nr_open") != (c.Err != nil) {
			t.Errorf("%+v", c)
		}
	}
	if !refused || content(t, dir, "proc/sys/net/ipv4/tcp_max_orphans") != "666666" {
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

// On a host a file has what falls short there, and the rest as comments; on none, what is no
// default and not sized by memory.
func TestDropInComments(t *testing.T) {
	h := read(t, hostDir(t, map[string]string{"proc/sys/net/core/somaxconn": "65535\n",
		"proc/sys/net/netfilter/nf_conntrack_max": "262144\n"}), 20_000)
	here, any := DropIn(h, million), DropIn(nil, million)
	for _, c := range []struct{ text, line string }{
		{here, "# net.core.somaxconn needs 10000, and is 65535 here."},
		{here, "# fs.epoll.max_user_watches needs 1010000, and is 3600000 here."},
		{here, "net.ipv4.tcp_max_orphans = 66666"},
		{here, "net.netfilter.nf_conntrack_max = 1210000"},
		{
			any, "# The kernel sizes it by the memory; where it is less: fs.epoll.max_user_watches = 1010000"},
		{
			any, "# The kernel sizes it by the memory; where it is less: net.ipv4.tcp_mem = 500000 750000 1000000"},
		{
			any, "# The kernel sizes it by the memory; where it is less: net.ipv4.tcp_max_orphans = 66666"},
		{
			any, "# The kernel sizes it by the memory; where it is less: net.netfilter.nf_conntrack_max = 1210000"},
		{any, "net.core.somaxconn = 10000"},
	} {
		if !strings.Contains(c.text, "\n"+c.line+"\n") {
			t.Errorf("no line %q in\n%s", c.line, c.text)
		}
	}
	if !strings.Contains(any, "a host that has more is lowered") ||
		!strings.Contains(here, "another host may have more") {
		t.Error("it is not said that a file sets, and does not compare")
	}
}
