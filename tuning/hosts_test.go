package tuning

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// defaults are settings as the kernel has them on a host of so much memory.
func defaults(gib float64) map[string]string {
	pages := int(gib * (1 << 18))
	limit := pages / 16
	hash := 1
	for hash*2 <= int(gib*(1<<30))/131072 {
		hash *= 2
	}
	return map[string]string{
		"proc/meminfo": fmt.Sprintf("MemTotal: %d kB\nSwapTotal: 0 kB\n",
			pages*4),
		"proc/sys/net/ipv4/tcp_mem": fmt.Sprintf("%d\t%d\t%d\n", limit/4*3, limit,
			limit/2*3),
		"proc/sys/net/ipv4/tcp_max_orphans":         fmt.Sprintf("%d\n", hash/2),
		"proc/sys/fs/epoll/max_user_watches":        fmt.Sprintf("%d\n", int(gib*(1<<30)/25/160)),
		"proc/sys/fs/file-max":                      fmt.Sprintf("%d\n", pages*4/10),
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     fmt.Sprintf("%d\n", max(128, hash/128)),
		"proc/sys/net/netfilter/nf_conntrack_max":   "65536\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "120\n",
	}
}

// What falls short on ordinary hosts, with the defaults of the kernel: nothing for few streams.
func TestOrdinaryHosts(t *testing.T) {
	for _, c := range []struct {
		gib     float64
		streams int
		short   string
	}{
		{0.5, 1000, ""}, {3.5, 1000, ""}, {16, 1000, ""}, {3.5, 18_000, ""}, {16, 18_000, ""},
		{3.5, 100_000, "net.netfilter.nf_conntrack_max"},
		{16, 100_000, "net.netfilter.nf_conntrack_max"},
		{16, 1_000_000, "RLIMIT_NOFILE net.core.somaxconn net.netfilter.nf_conntrack_max"},
		{3.5,
			1_000_000, "RLIMIT_NOFILE memory fs.epoll.max_user_watches fs.file-max net.core.somaxconn net.netfilter.nf_conntrack_max"},
	} {
		h := read(t, hostDir(t, defaults(c.gib)), 524_288) // systemd's hard limit
		if f := named(t, Examine(h, Load{Connections: c.streams}),
			"net.ipv4.tcp_mem"); (f.Needed == "any") != (c.gib == 3.5 && c.streams == 1_000_000) {
			t.Errorf("%v GiB, %d streams: %+v", c.gib, c.streams, f)
		}
		var short []string
		for _, f := range Examine(h, Load{Connections: c.streams}) {
			if !f.OK && !f.Advice {
				short = append(short, f.Name)
			}
		}
		if got := strings.Join(short, " "); got != c.short {
			t.Errorf("%v GiB, %d streams: %s fall short, expected %s", c.gib, c.streams, got,
				c.short)
		}
	}
}

// With few sources ports matter, and only where the default range is too narrow.
func TestSources(t *testing.T) {
	h := read(t, hostDir(t, nil), 2_000_000)
	for _, c := range []struct {
		streams, sources int
		needed           string
		addresses        bool
	}{
		{28_232, 1, "any", false}, {28_233, 1, "10240 65535", false},
		{55_296, 1, "10240 65535", false}, {55_297, 1, "10240 65535", true},
		{1_000_000, 40, "any", false},
	} {
		all := Examine(h, Load{Connections: c.streams, Sources: c.sources})
		if f := named(t, all, "net.ipv4.ip_local_port_range"); f.Needed != c.needed {
			t.Errorf("%+v: %+v", c, f)
		}
		if f := named(t, all, "net.ipv4.ip_local_port_range"); strings.Contains(f.Why,
			"more addresses are needed") != c.addresses {
			t.Errorf("%+v: %+v", c, f)
		}
		if got := slices.ContainsFunc(all,
			func(f Finding) bool { return f.Name == "source addresses" }); got != c.addresses {
			t.Errorf("%+v: more addresses are asked for: %v", c, got)
		}
	}
}

// bbr does not look at tcp_slow_start_after_idle.
func TestCongestionControl(t *testing.T) {
	h := read(t, hostDir(t, map[string]string{"proc/sys/net/ipv4/tcp_congestion_control": "bbr\n"}),
		2_000_000)
	if f := named(t, Examine(h, million), "net.ipv4.tcp_slow_start_after_idle"); !f.OK ||
		f.Needed != "any" {
		t.Errorf("%+v", f)
	}
	if strings.Contains(DropIn(h, million), "\nnet.ipv4.tcp_slow_start_after_idle") {
		t.Error("the drop-in sets it")
	}
}

// A unit is the innermost one: a login below user@1000.service is none.
func TestUnits(t *testing.T) {
	for group, want := range map[string]string{
		"0::/system.slice/ssedge.service":                                        "ssedge.service",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope": "",
		"0::/user.slice/user-1000.slice/session-3.scope":                         "", "0::/": "",
		"10:memory:/x.service\n0::/a.slice/b.service": "b.service",
	} {
		if h := read(t, hostDir(t, map[string]string{"proc/self/cgroup": group + "\n"}),
			1); h.Unit != want || h.CgroupVersion != 2 {
			t.Errorf("%s: found %q, version %d", group, h.Unit, h.CgroupVersion)
		}
	}
	dir := hostDir(t, nil)
	os.Remove(filepath.Join(dir, "sys/fs/cgroup/cgroup.controllers"))
	if f := named(t, Examine(read(t, dir, 1), million), "cgroup"); f.Now != "none" {
		t.Errorf("%+v", f)
	}
}

// Open files fall short where ssedge serve does not start, and are advice where there is no room
// for all that connect at once.
func TestOpenFiles(t *testing.T) {
	for _, c := range []struct {
		streams, hard, nrOpen int
		short, advice         bool
		needed, how           string
	}{
		{18_785, 20_000, 1 << 20, true, true, "20001", "28785"},
		{18_784, 20_000, 1 << 20, false, true, "28784", "28784"},
		{12_000, 20_000, 1 << 20, false, true, "22000", "22000"},
		{10_000, 20_000, 1 << 20, false, false, "20000", ""},
		{12_000, 22_000, 13_215, true, false, "22000", ""},
		{12_000, 22_000, 13_216, false, false, "22000", ""},
	} {
		h := read(t,
			hostDir(t, map[string]string{"proc/sys/fs/nr_open": fmt.Sprintln(c.nrOpen),
				"proc/self/cgroup": "0::/\n"}), uint64(c.hard))
		all := Examine(h, Load{Connections: c.streams})
		f := named(t, all, "RLIMIT_NOFILE")
		if c.nrOpen < c.hard { // the other setting that bounds them
			if n := named(t, all, "fs.nr_open"); n.OK || n.Advice == c.short ||
				n.Needed != map[bool]string{true: "13216", false: "22000"}[c.short] ||
				!strings.Contains(n.How, "22000") {
				t.Errorf("%+v: %+v", c, n)
			}
			continue
		}
		if f.OK != (!c.short && !c.advice) || !f.OK && f.Advice == c.short ||
			f.Needed != c.needed || !strings.Contains(f.How, c.how) || Short(all) != c.short {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

// A shell from before --apply has the old limit: the row says where the new one is.
func TestOpenFilesOfTheNextLogin(t *testing.T) {
	dir := hostDir(t, map[string]string{"proc/self/cgroup": "0::/\n"})
	if _, err := Apply(dir, read(t, dir, 20_000), million); err != nil {
		t.Fatal(err)
	}
	h := read(t, dir, 20_000)
	if f := named(t, Examine(h, million), "RLIMIT_NOFILE"); f.OK ||
		f.How != "log in again: /etc/security/limits.d/60-ssedge.conf gives new logins 1010000; a unit needs LimitNOFILE=1010000" {
		t.Errorf("%+v", f)
	}
	if f := named(t, Examine(h, Load{Connections: 2_000_000}), "RLIMIT_NOFILE"); strings.Contains(
		f.How, "log in") {
		t.Errorf("the file has less than that: %+v", f)
	}
	h.Unit = "ssedge.service"
	if f := named(t, Examine(h, million), "RLIMIT_NOFILE"); !strings.Contains(f.How,
		"systemctl edit") {
		t.Errorf("a unit has nothing of it: %+v", f)
	}
}
