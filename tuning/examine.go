package tuning

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Examine compares a host with a load: a finding for each setting that matters, or is said to
// matter, those that fall short first.
func Examine(h *Host, l Load) []Finding {
	var all []Finding
	all = append(all, h.container(), h.files(l), h.memory(l), h.memoryOfBroadcast(l),
		h.memoryHigh(l), h.memoryOfSsedge(l))
	for i := range rules {
		all = append(all, rules[i].check(h, l))
	}
	all = append(all, h.sources(l)...)
	all = append(all, h.bypass(l), h.pids())
	all = append(all, h.pidMax()...)
	all = append(all, h.hugePages(), h.swappiness(), h.overcommit(), h.goMemory(l), h.goProcs(),
		h.kernel(), h.unit(l), h.cgroups(), h.nodes())
	all = append(all, h.leftAlone()...)
	slices.SortStableFunc(all, func(a, b Finding) int { return rank(a) - rank(b) })
	return all
}

func (h *Host) files(l Load) Finding {
	most, least := uint64(files(l)), uint64(leastFiles(l))
	other := fmt.Sprintf("LimitNOFILE=%d in the unit, ulimit -n %d in a shell of root", most, most)
	if h.LoginFiles >= int64(most) {
		other = fmt.Sprintf("log in again: /%s gives new logins %d; a unit needs LimitNOFILE=%d",
			LimitsFile, h.LoginFiles, most)
	}
	f := Finding{
		Name: "RLIMIT_NOFILE", Kind: Rlimit,
		Now:    fmt.Sprintf("%s soft, %s hard", unlimited(h.Files.Soft), unlimited(h.Files.Hard)),
		Needed: strconv.FormatUint(most, 10),
		// Go raises the soft one to the hard one
		OK: h.Files.Hard >= most, Advice: h.Files.Hard >= least,
		Why: fmt.Sprintf("a stream is an open file: ssedge serve does not start with fewer than %s and %s others; with %s others there is room for clients that connect all at once; it raises the soft limit to the hard one",
			thousands(l.Connections), thousands(int64(serveFiles)), thousands(otherFiles(l))),
		How: h.howContained(fmt.Sprintf("LimitNOFILE=%d", most),
			fmt.Sprintf("--ulimit nofile=%d:%d", most, most),
			fmt.Sprintf("LimitNOFILE=%d of the node's container runtime, a pod cannot set it",
				most), other),
		Source: "man 2 getrlimit, man 5 systemd.exec",
	}
	if h.Files.Hard < least {
		f.Needed = strconv.FormatUint(least, 10)
	}
	return f
}

func unlimited(n uint64) string {
	if n == math.MaxUint64 {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// memory is what the kernel and ssedge need together.
func (h *Host) memory(l Load) Finding {
	need := kernelMemory(l) + userMemory(l)
	return Finding{
		Name: "memory", Kind: Cgroup, Now: size(h.Memory), Needed: size(need), OK: h.Memory >= need,
		Why: fmt.Sprintf("%s streams of 4 KiB in the kernel, sockets and files, %s, and ssedge",
			thousands(l.Connections), size(kernelMemory(l))),
		How: h.howContained("MemoryMax="+strconv.FormatInt(need, 10),
			"--memory "+strconv.FormatInt(need, 10), "resources: {limits: {memory: \""+
				strconv.FormatInt(need, 10)+"\"}}",
			"a larger host, or memory.max of the cgroup: the kernel's part counts in it"),
		Source: "ARCHITECTURE.md; kernel Documentation/admin-guide/cgroup-v2.rst",
	}
}

// memoryOfBroadcast is what they need besides while an event is on its way to all streams. tcp_mem
// allows as much.
func (h *Host) memoryOfBroadcast(l Load) Finding {
	need := kernelMemory(l) + userMemory(l) + buffers(l)
	return Finding{
		Name: "memory, and a broadcast", Kind: Setting, Now: size(h.Memory), Needed: size(need),
		OK: h.Memory >= need, Advice: true,
		Why: fmt.Sprintf("an event on its way to all streams at once takes up to a page of each, %s: nothing where clients answer at once, all of it where none does",
			size(buffers(l))),
		How:    "more memory, or fewer streams, where all have one topic and clients are far away",
		Source: ipSysctl + ", tcp_mem",
	}
}

// memoryHigh is what a cgroup may have before it is slowed down.
func (h *Host) memoryHigh(l Load) Finding {
	need := kernelMemory(l) + userMemory(l)
	f := Finding{
		Name: "memory.high", Kind: Cgroup, Now: "none", Needed: size(need),
		OK: h.CgroupHigh >= need, Advice: true,
		Why: "beyond it the kernel makes every allocation wait until something is reclaimed, and sockets cannot be",
		How: h.howContained("MemoryHigh="+strconv.FormatInt(need, 10),
			"--memory, which sets no memory.high",
			"the memory request and limit, of which the kubelet makes memory.high",
			"memory.high of the cgroup"),
		Source: "kernel Documentation/admin-guide/cgroup-v2.rst",
	}
	if h.CgroupHigh != math.MaxInt64 {
		f.Now = size(h.CgroupHigh)
	}
	return f
}

// memoryOfSsedge is what ssedge may have.
func (h *Host) memoryOfSsedge(l Load) Finding {
	need, has := userMemory(l), h.Memory
	if l.Memory > 0 {
		has = min(has, l.Memory)
	}
	return Finding{
		Name: "memory of ssedge", Kind: Setting, Now: size(has), Needed: size(need),
		OK: has >= need,
		Why: fmt.Sprintf("%s streams of %d B, %s, 64 MiB of its own, and 256 MiB of histories when they are full (--history-max)",
			thousands(l.Connections), userBytes, size(int64(l.Connections)*userBytes)),
		How: "more of it (--memory), or a smaller --history-max", Source: "ARCHITECTURE.md",
	}
}

// sources is a finding where no range of ports is wide enough.
func (h *Host) sources(l Load) []Finding {
	need := (l.Connections + mostPorts - 1) / mostPorts
	if l.Sources == 0 || l.Sources >= need {
		return nil
	}
	return []Finding{{
		Name: "source addresses", Kind: Setting, Now: strconv.Itoa(l.Sources),
		Needed: strconv.Itoa(need),
		Why: fmt.Sprintf("%s connections to one address and port of the server, and an address has %s ports at most",
			thousands(l.Connections), thousands(mostPorts)),
		How:    "more addresses for those that connect, or more addresses or ports of the server",
		Source: ipSysctl,
	}}
}

// bypass is about not tracking connections at all.
func (h *Host) bypass(l Load) Finding {
	p := port(l)
	f := Finding{
		Name: "conntrack bypass", Kind: Setting, Now: "not tracked", Needed: "not tracked",
		OK: !h.Conntrack || h.Tracked == 0, Advice: true,
		Why: fmt.Sprintf("an entry costs 256 B and more, and a look-up for each packet; streams need none, unless they come through NAT (Docker's -p, a Service's address): then only a larger table helps. Rules by ct state must let port %d through",
			p),
		How: fmt.Sprintf(`nft 'table inet ssedge { chain in { type filter hook prerouting priority raw; tcp dport %d notrack; }; chain out { type filter hook output priority raw; tcp sport %d notrack; }; }', or iptables -t raw -A PREROUTING -p tcp --dport %d -j CT --notrack; iptables -t raw -A OUTPUT -p tcp --sport %d -j CT --notrack`,
			p, p, p, p),
		Source: "man 8 nft, NOTRACK; man 8 iptables-extensions, CT; " + conntrack,
	}
	if !f.OK {
		f.Now = "tracked"
		if h.Tracked > 0 {
			f.Now = strconv.FormatInt(h.Tracked, 10) + " tracked"
		}
		if h.Container != "" {
			f.How = "on the host: " + f.How
		}
	}
	return f
}

func (h *Host) pids() Finding {
	now := "no limit"
	if h.PidsMax != math.MaxInt64 {
		now = strconv.FormatInt(h.PidsMax, 10)
	}
	return Finding{
		Name: "pids.max", Kind: Cgroup, Now: now, Needed: "256", OK: h.PidsMax >= 256,
		Why: "threads, whatever the number of streams: some for each core, and those in system calls",
		How: h.howContained("TasksMax=256", "--pids-limit 256",
			"podPidsLimit: 256 of the node's kubelet", "pids.max of the cgroup"),
		Source: "kernel Documentation/admin-guide/cgroup-v2.rst",
	}
}

// pidMax is a finding only where it matters: where there is hardly room for the threads of one
// server.
func (h *Host) pidMax() []Finding {
	now, err := h.Sysctl("kernel.pid_max")
	if err != nil || parse(now) >= 4096 {
		return nil
	}
	return []Finding{{
		Name: "kernel.pid_max", Kind: Sysctl, Scope: OfHost, Now: now, Needed: "4096", Advice: true,
		Why:    "threads of all processes: some dozens of ssedge, and those of all other programs",
		How:    howSysctl(h, "kernel.pid_max", "4096"),
		Source: "kernel Documentation/admin-guide/sysctl/kernel.rst",
	}}
}

func (h *Host) hugePages() Finding {
	now := h.HugePages
	if now == "" {
		now = "not there"
	}
	return Finding{
		Name: "transparent huge pages", Kind: Setting, Now: now, Needed: "madvise",
		OK: h.HugePages != "always", Advice: true,
		Why:    "with always the kernel may back 4 KiB that are used with 2 MiB: ssedge takes more memory than it counts",
		How:    "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled",
		Source: "go.dev/doc/gc-guide, Linux transparent huge pages",
	}
}

func (h *Host) swappiness() Finding {
	f := Finding{
		Name: "vm.swappiness", Kind: Sysctl, Scope: OfHost, Needed: "any", OK: true, Advice: true,
		Source: vmSysctl,
		Why:    "there is no swap",
	}
	now, err := h.Sysctl("vm.swappiness")
	if f.Now = now; err != nil {
		f.Now = "not there"
	} else if h.Swap {
		f.Needed, f.OK = "10 or less", parse(now) <= 10
		f.Why = "idle streams are touched at each heartbeat: what was swapped out is fetched again then, one page after the other"
		f.How = howSysctl(h, "vm.swappiness", "10")
	}
	return f
}

func (h *Host) overcommit() Finding {
	now, err := h.Sysctl("vm.overcommit_memory")
	if err != nil {
		now = "not there"
	}
	return Finding{
		Name: "vm.overcommit_memory", Kind: Sysctl, Scope: OfHost, Now: now, Needed: "0 or 1",
		OK: now != "2", Advice: true,
		Why: "with 2 the address space that Go reserves and never uses counts against vm.overcommit_ratio",
		How: howSysctl(h, "vm.overcommit_memory", "0"), Source: vmSysctl,
	}
}

func (h *Host) goMemory(l Load) Finding {
	f := Finding{
		Name: "GOMEMLIMIT", Kind: Setting, Now: h.GoMemLimit, Needed: "none", OK: true,
		Advice: true,
		Why:    "memory.max does not bound this process, so the collector needs no limit",
		Source: "go.dev/doc/gc-guide, Memory limit",
	}
	if f.Now == "" {
		f.Now = "none"
	}
	if h.CgroupMax != math.MaxInt64 {
		limit := max(h.CgroupMax-kernelMemory(l), 0) / 10 * 9
		f.Needed, f.OK = size(limit), h.GoMemLimit != ""
		f.Why = fmt.Sprintf("memory.max %s less 4 KiB of the kernel's for each stream, less a tenth: the collector works harder before the process is killed",
			size(h.CgroupMax))
		f.How = fmt.Sprintf("GOMEMLIMIT=%d in the environment", limit)
	}
	return f
}

func (h *Host) goProcs() Finding {
	f := Finding{
		Name: "GOMAXPROCS", Kind: Setting, Now: h.GoMaxProcs, Needed: "none", OK: true,
		Advice: true,
		Why:    "Go takes as many as there are processors, and no more than the cgroup's quota",
		Source: "go.dev/blog/container-aware-gomaxprocs",
	}
	if f.Now == "" {
		f.Now = "none"
	}
	if n, err := strconv.ParseFloat(h.GoMaxProcs, 64); err == nil && h.CPUQuota > 0 &&
		n > math.Ceil(h.CPUQuota) {
		f.OK, f.Needed = false, strconv.FormatFloat(math.Ceil(h.CPUQuota), 'f', 0, 64)
		f.Why = fmt.Sprintf("the cgroup has %.1f processors: with more threads than that all of them stand still when the quota is used up",
			h.CPUQuota)
		f.How = "unset GOMAXPROCS"
	}
	return f
}
