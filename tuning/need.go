package tuning

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Load is what a host is to hold.
type Load struct {
	Connections int   // streams at a time
	Memory      int64 // bytes that ssedge may have; 0: what the host has
	Sources     int   // addresses that connections come from, if they are few: proxies, a load generator; 0: they are many
}

// What streams take (ARCHITECTURE.md, "How cost grows"; bench/results/2026-11-26-million).
const (
	userBytes   = 100     // of ssedge's memory, a stream of a topic that others have
	kernelBytes = 4 << 10 // of the kernel's, a connection without unsent data
	otherFiles  = 10_000  // open besides streams: requests, listeners, the server's own
)

// Kind is how a setting is changed.
type Kind string

const (
	Sysctl  Kind = "sysctl"  // a kernel setting
	Rlimit  Kind = "limit"   // of a process
	Cgroup  Kind = "cgroup"  // of a unit or container
	Setting Kind = "setting" // anything else, by hand
)

// Finding is one setting, and whether it is as it should be.
type Finding struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Now    string `json:"now"`
	Needed string `json:"needed"`
	OK     bool   `json:"ok"`
	Why    string `json:"why"`    // in one line, with the arithmetic
	How    string `json:"how"`    // to change it
	Source string `json:"source"` // where it is described
	Advice bool   `json:"advice"` // it would be better, and streams are held all the same
}

// rule is a kernel setting and what is needed of it: as many numbers as it has, each at least so. Numbers
// that are 0 may be anything.
type rule struct {
	name   string
	needs  func(l Load) []int64
	exact  bool // not at least, but just that
	if_    func(h *Host, l Load) bool
	why    func(l Load) string
	source string
	usual  string // what current kernels have by default; "": that depends on the memory
}

const (
	ipSysctl    = "kernel Documentation/networking/ip-sysctl.rst"
	fsSysctl    = "kernel Documentation/admin-guide/sysctl/fs.rst"
	netSysctl   = "kernel Documentation/admin-guide/sysctl/net.rst"
	vmSysctl    = "kernel Documentation/admin-guide/sysctl/vm.rst"
	conntrack   = "kernel Documentation/networking/nf_conntrack-sysctl.rst"
	epollManual = "man 7 epoll"
)

// files is how many files a server of that many streams has open.
func files(l Load) int64 { return int64(l.Connections) + otherFiles }

// backlog is how many connections may wait to be accepted: those that come in 100 ms if all come back within
// ten seconds, no fewer than the kernel's default, no more than its queue counts well.
func backlog(l Load) int64 { return min(max(int64(l.Connections)/100, 4096), 65535) }

func few(h *Host, l Load) bool { return l.Sources > 0 }

// rules are the kernel settings, by name.
var rules = []rule{
	{
		name: "fs.epoll.max_user_watches", source: epollManual,
		needs: func(l Load) []int64 { return []int64{files(l)} },
		why: func(l Load) string {
			return fmt.Sprintf("%d streams, each watched once, and %d other files", l.Connections, otherFiles)
		},
	},
	{
		name: "fs.file-max", usual: "9223372036854775807", source: fsSysctl,
		needs: func(l Load) []int64 { return []int64{2 * files(l)} },
		why:   func(l Load) string { return fmt.Sprintf("all processes together: twice the %d of this one", files(l)) },
	},
	{
		name: "fs.nr_open", usual: "1048576", source: fsSysctl,
		needs: func(l Load) []int64 { return []int64{files(l)} },
		why: func(l Load) string {
			return fmt.Sprintf("one process: %d streams and %d other files", l.Connections, otherFiles)
		},
	},
	{
		name: "net.core.somaxconn", usual: "4096", source: netSysctl,
		needs: func(l Load) []int64 { return []int64{backlog(l)} },
		why: func(l Load) string {
			return fmt.Sprintf("connections waiting to be accepted: %d that come back within 10 s are %d in 100 ms", l.Connections, l.Connections/100)
		},
	},
	{
		name: "net.ipv4.tcp_max_syn_backlog", usual: "1024", source: ipSysctl,
		needs: func(l Load) []int64 { return []int64{backlog(l)} },
		why:   func(l Load) string { return "as many whose handshake is not done" },
	},
	{
		name: "net.ipv4.tcp_syncookies", usual: "1", source: ipSysctl,
		needs: func(Load) []int64 { return []int64{1} },
		why:   func(Load) string { return "when that is full clients are still let in, and floods are not" },
	},
	{
		name: "net.core.netdev_max_backlog", usual: "1000", source: netSysctl,
		needs: func(l Load) []int64 { return []int64{min(max(int64(l.Connections)/100, 1000), 10_000)} },
		why: func(l Load) string {
			return "packets waiting for a CPU, on loopback, veth and cards without NAPI: a storm's worth of 100 ms"
		},
	},
	{
		name: "net.ipv4.tcp_mem", source: ipSysctl,
		needs: func(l Load) []int64 { n := int64(l.Connections); return []int64{n / 2, n * 3 / 4, n} },
		why: func(l Load) string {
			return fmt.Sprintf("pages of 4 KiB of all TCP buffers: a broadcast leaves up to one page for each of %d streams, %s", l.Connections, size(int64(l.Connections)*4096))
		},
	},
	{
		name: "net.ipv4.tcp_rmem", usual: "4096 131072 6291456", source: ipSysctl,
		needs: func(Load) []int64 { return []int64{4096, 16384, 131072} },
		why: func(Load) string {
			return "bytes, minimum, default, maximum: a stream receives one request; buffers grow only when used"
		},
	},
	{
		name: "net.ipv4.tcp_wmem", usual: "4096 16384 4194304", source: ipSysctl,
		needs: func(Load) []int64 { return []int64{4096, 16384, 1048576} },
		why: func(l Load) string {
			return fmt.Sprintf("bytes: idle streams use none; %d that do not read have at most --send-buffer each, by default %s in all", l.Connections, size(int64(l.Connections)*16384))
		},
	},
	{
		name: "net.ipv4.tcp_slow_start_after_idle", usual: "1", exact: true, source: ipSysctl,
		needs: func(Load) []int64 { return []int64{0} },
		why: func(Load) string {
			return "streams are idle most of the time: with 1 each event after a pause starts with a small window"
		},
	},
	{
		name: "net.ipv4.tcp_max_orphans", source: ipSysctl,
		needs: func(l Load) []int64 { return []int64{max(int64(l.Connections)/8, 16384)} },
		why: func(l Load) string {
			return "connections closed with unsent data: an eighth of all, when a node is drained; beyond it they are reset"
		},
	},
	{
		name: "net.ipv4.ip_local_port_range", usual: "32768 60999", source: ipSysctl, if_: few,
		needs: func(Load) []int64 { return []int64{-10240, 65535} },
		why: func(l Load) string {
			return fmt.Sprintf("of clients and proxies: %d connections from %d addresses need %d ports each to one address and port; there are 55,296", l.Connections, l.Sources, (l.Connections+l.Sources-1)/l.Sources)
		},
	},
	{
		name: "net.netfilter.nf_conntrack_max", source: conntrack, if_: func(h *Host, l Load) bool { return h != nil && h.Conntrack },
		needs: func(l Load) []int64 { return []int64{files(l) + int64(l.Connections)/5} },
		why: func(l Load) string {
			return fmt.Sprintf("connections are tracked here: %d streams and a fifth more that are closing; better none (NOTRACK for the port)", l.Connections)
		},
	},
	{
		name: "vm.max_map_count", usual: "65530", source: vmSysctl,
		needs: func(Load) []int64 { return []int64{65530} },
		why: func(Load) string {
			return "memory areas of a process: the Go heap has some hundred, whatever the number of streams"
		},
	},
}

// check compares a kernel setting with what is needed.
func (r *rule) check(h *Host, l Load) Finding {
	f := Finding{Name: r.name, Kind: Sysctl, Why: r.why(l), Source: r.source}
	now, err := h.Sysctl(r.name)
	if err != nil {
		f.Now, f.Needed, f.OK = "not there", join(r.needs(l)), true
		f.Why = "this kernel has no such setting"
		return f
	}
	value, ok := r.raised(now, l)
	f.Now, f.Needed, f.OK = now, value, ok
	f.How = "sysctl -w " + r.name + "=" + strconv.Quote(value)
	return f
}

// raised is the value that a setting should have, given what it has: each of its numbers is raised if it
// is less than needed, and left if it is more. ok says that nothing has to be changed.
func (r *rule) raised(now string, l Load) (value string, ok bool) {
	has := strings.Fields(now)
	needs := r.needs(l)
	ok = true
	values := make([]int64, len(needs))
	for i, need := range needs {
		n := int64(0)
		if i < len(has) {
			n = parse(has[i])
		}
		switch {
		case r.exact:
			values[i] = need
			ok = ok && n == need
		case need < 0: // at most
			values[i] = min(n, -need)
			ok = ok && n <= -need
		default:
			values[i] = max(n, need)
			ok = ok && n >= need
		}
	}
	return join(values), ok
}

// parse reads a number; what is larger than an int64 counts as the largest.
func parse(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && strings.Trim(s, "0123456789") == "" {
		return math.MaxInt64
	}
	return n
}

func join(values []int64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		if v < 0 {
			v = -v
		}
		texts[i] = strconv.FormatInt(v, 10)
	}
	return strings.Join(texts, " ")
}

// size says a number of bytes.
func size(n int64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if n < 10*1024 || unit == "TiB" {
			return strconv.FormatInt(n, 10) + " " + unit
		}
		n >>= 10
	}
	return ""
}
