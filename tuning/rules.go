package tuning

import "fmt"

const (
	ipSysctl    = "kernel Documentation/networking/ip-sysctl.rst"
	fsSysctl    = "kernel Documentation/admin-guide/sysctl/fs.rst"
	netSysctl   = "kernel Documentation/admin-guide/sysctl/net.rst"
	vmSysctl    = "kernel Documentation/admin-guide/sysctl/vm.rst"
	conntrack   = "kernel Documentation/networking/nf_conntrack-sysctl.rst"
	epollManual = "man 7 epoll"
)

// rules are the kernel settings that a load may need to have changed, in the order in which they
// are.
var rules = []rule{
	{
		name: "fs.epoll.max_user_watches", source: epollManual,
		needs: func(l Load) []int64 { return []int64{files(l)} },
		why: func(l Load) string {
			return fmt.Sprintf(
				"%s streams, each watched once, and %s other files; beyond it a stream is refused",
				thousands(l.Connections), thousands(otherFiles(l)))
		},
	},
	{
		name: "fs.file-max", usual: "9223372036854775807", source: fsSysctl,
		needs: func(l Load) []int64 { return []int64{files(l) + 10_000} },
		why: func(l Load) string {
			return fmt.Sprintf("all processes together: %s files of ssedge, and 10,000 of the others", thousands(files(l)))
		},
	},
	{
		name: "fs.nr_open", usual: "1048576", source: fsSysctl,
		needs: func(l Load) []int64 { return []int64{files(l)} },
		least: func(l Load) []int64 { return []int64{leastFiles(l)} },
		why: func(l Load) string {
			return fmt.Sprintf("what RLIMIT_NOFILE may be at most: %s streams and %s other files",
				thousands(l.Connections), thousands(otherFiles(l)))
		},
	},
	{
		name: "net.core.somaxconn", usual: "4096", source: netSysctl,
		needs: func(l Load) []int64 { return []int64{backlog(l)} },
		why: func(l Load) string {
			return fmt.Sprintf("connections waiting to be accepted: %s that come back within 10 s are %s in 100 ms; what overflows is dropped, and tries again after 1 s, 3 s, 7 s",
				thousands(l.Connections), thousands(l.Connections/100))
		},
	},
	{
		name: "net.ipv4.tcp_syncookies", usual: "1", source: ipSysctl,
		needs: func(Load) []int64 { return []int64{1} },
		why: func(Load) string {
			return "when the queue of handshakes is full clients are still let in; with 0 a client that sends halves of handshakes keeps all others out"
		},
	},
	{
		name:   "net.ipv4.tcp_max_syn_backlog",
		source: "man 7 tcp; tcp_conn_request in the kernel's net/ipv4/tcp_input.c",
		needs:  func(l Load) []int64 { return []int64{backlog(l)} },
		why: func(l Load) string {
			return "handshakes that are not done, of kernels before 4.4: as many as may wait to be accepted"
		},
		spare: func(h *Host, l Load) string {
			if h != nil && h.before(4, 4) {
				return ""
			}
			return "since Linux 4.4 it is looked at only with tcp_syncookies 0: somaxconn bounds handshakes, too"
		},
	},
	{
		name: "net.core.netdev_max_backlog", usual: "1000", source: netSysctl, advice: true,
		needs: func(l Load) []int64 {
			return []int64{min(max(int64(l.Connections)/100, 1000), 10_000)}
		},
		why: func(l Load) string {
			return fmt.Sprintf("packets waiting for a CPU, on loopback, veth and cards without NAPI: %s handshakes in 100 ms; what overflows is sent again after 200 ms or more",
				thousands(l.Connections/100))
		},
	},
	{
		name: "net.ipv4.tcp_mem", source: ipSysctl + "; bench/results/2026-11-26-host-settings",
		advice: true,
		needs: func(l Load) []int64 {
			n := int64(l.Connections)
			return []int64{n / 2, n - n/4, n}
		},
		why: func(l Load) string {
			return fmt.Sprintf("pages of 4 KiB, of all TCP buffers: idle streams have none, a broadcast leaves up to one for each of %s, %s; all of them not reading would be %s. Beyond it events still leave, and arriving packets are dropped where others wait",
				thousands(l.Connections), size(int64(l.Connections)*pageBytes),
				size(int64(l.Connections)*fullBytes))
		},
		spare: func(h *Host, l Load) string {
			if need := kernelMemory(l) + userMemory(l) + buffers(l); h != nil && h.MemTotal < need {
				return fmt.Sprintf("to raise it would promise memory that is not there: streams and a broadcast need %s; beyond it small events still leave",
					size(need))
			}
			return ""
		},
	},
	{
		name: "net.ipv4.tcp_rmem", usual: "4096 131072 6291456", source: ipSysctl, advice: true,
		needs: func(Load) []int64 { return []int64{4096, 16384, 131072} },
		why: func(Load) string {
			return "bytes, minimum, default, maximum: a stream receives one request of a few KiB, and then nothing; it is a bound, and costs nothing until used"
		},
	},
	{
		name: "net.ipv4.tcp_wmem", usual: "4096 16384 4194304", source: ipSysctl, advice: true,
		needs: func(Load) []int64 { return []int64{4096, 16384, 1048576} },
		why: func(l Load) string {
			return fmt.Sprintf("bytes, minimum, default, maximum: idle streams use none; one that does not read keeps up to %s (--not-sent-lowat 16384), %s of them %s",
				size(fullBytes), thousands(l.Connections), size(int64(l.Connections)*fullBytes))
		},
	},
	{
		name: "net.ipv4.tcp_slow_start_after_idle", usual: "1", exact: true, advice: true,
		source: ipSysctl + "; RFC 5681, 4.1",
		needs:  func(Load) []int64 { return []int64{0} },
		why: func(Load) string {
			return "with 1 a stream's window is back at 10 segments (14 KiB) after a pause: a larger event takes a round trip or two more; smaller ones do not notice"
		},
		spare: func(h *Host, l Load) string {
			if h != nil && h.paces() {
				return h.Congestion + " does not look at it"
			}
			return ""
		},
	},
	{
		name: "net.ipv4.tcp_max_orphans", source: ipSysctl, advice: true,
		needs: func(l Load) []int64 { return []int64{int64(l.Connections) / 15} },
		why: func(l Load) string {
			return fmt.Sprintf("connections closed and not yet acknowledged: a drain in 30 s closes %s a second, each for up to 2 s; beyond it they are reset, and may miss when to come back",
				thousands(l.Connections/30))
		},
	},
	{
		name: "net.ipv4.ip_local_port_range", usual: "32768 60999", source: ipSysctl,
		needs: func(l Load) []int64 { return []int64{-10240, 65535} },
		why: func(l Load) string {
			if ports(l) > mostPorts {
				return fmt.Sprintf("of those that connect: %s connections from %s addresses need %s ports of each; %s are the most that can be had, so more addresses are needed, too (source addresses); 28,232 by default",
					thousands(l.Connections), thousands(l.Sources), thousands(ports(l)),
					thousands(mostPorts))
			}
			return fmt.Sprintf("of those that connect: %s connections from %s addresses need %s ports of each; %s are the most that can be had, and 28,232 by default",
				thousands(l.Connections), thousands(l.Sources), thousands(ports(l)),
				thousands(mostPorts))
		},
		spare: func(_ *Host, l Load) string {
			switch {
			case l.Sources == 0:
				return "a server takes no ports for streams; for clients, proxies and the load tool, see --sources"
			case ports(l) <= usualPorts:
				return fmt.Sprintf("of those that connect: %s connections from %s addresses need %s ports of each, and there are 28,232 by default",
					thousands(l.Connections), thousands(l.Sources), thousands(ports(l)))
			}
			return ""
		},
	},
	{
		name: "net.ipv4.tcp_tw_reuse", usual: "2", exact: true, advice: true,
		source: ipSysctl + "; RFC 6191",
		needs:  func(Load) []int64 { return []int64{1} },
		why: func(l Load) string {
			return fmt.Sprintf("of hosts that connect: the side that closes first keeps the port for 60 s, so %s ports are %s new connections a second; with 1 it is taken again after a second",
				thousands(usualPorts), thousands(usualPorts/60))
		},
		spare: func(_ *Host, l Load) string {
			if l.Sources == 0 {
				return "a server opens no connections; for clients, proxies and the load tool, see --sources"
			}
			return ""
		},
	},
	{
		name: "net.netfilter.nf_conntrack_max", source: conntrack,
		needs: func(l Load) []int64 { return []int64{files(l) + int64(l.Connections)/5} },
		why: func(l Load) string {
			return fmt.Sprintf("where connections are tracked: %s files and a fifth of the streams more, that are closing; beyond it packets are dropped. Better is not to track those of ssedge (conntrack bypass)",
				thousands(files(l)))
		},
		spare: func(h *Host, l Load) string {
			switch {
			case h != nil && h.Tracked == 0:
				return "connections are not tracked here: nf_conntrack_count is 0"
			}
			return ""
		},
	},
	{
		name: "vm.max_map_count", usual: "65530", source: vmSysctl,
		needs: func(Load) []int64 { return []int64{1024} },
		why: func(Load) string {
			return "memory areas of a process: ssedge has some dozens, whatever the number of streams"
		},
	},
}

// fullBytes is what the kernel keeps for a stream that does not read
// (bench/results/2026-11-26-host-settings).
const fullBytes = 24 << 10
