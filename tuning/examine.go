package tuning

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Examine holds a host against a load: a finding for each setting that matters, those that fall short first.
func Examine(h *Host, l Load) []Finding {
	var all []Finding
	all = append(all, h.files(l), h.memory(l), h.userMemory(l))
	for i := range rules {
		if r := &rules[i]; r.if_ == nil || r.if_(h, l) {
			all = append(all, r.check(h, l))
		}
	}
	all = append(all, h.pids(), h.hugePages(), h.swappiness(), h.overcommit(), h.goMemory(l), h.goProcs())
	slices.SortStableFunc(all, func(a, b Finding) int { return rank(a) - rank(b) })
	return all
}

func rank(f Finding) int {
	switch {
	case f.OK:
		return 2
	case f.Advice:
		return 1
	}
	return 0
}

// Short reports whether anything falls short.
func Short(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return !f.OK && !f.Advice })
}

func (h *Host) files(l Load) Finding {
	need := uint64(files(l))
	f := Finding{
		Name: "RLIMIT_NOFILE", Kind: Rlimit, Now: fmt.Sprintf("%s soft, %s hard", unlimited(h.Files.Soft), unlimited(h.Files.Hard)), Needed: strconv.FormatUint(need, 10),
		OK:  h.Files.Hard >= need, // Go raises the soft one to the hard one
		Why: fmt.Sprintf("a stream is an open file: %d, and %d others; the soft limit is raised to the hard one at start", l.Connections, otherFiles),
		How: fmt.Sprintf("LimitNOFILE=%d in the unit, ulimit -n %d in a shell", need, need), Source: "man 2 getrlimit, man 5 systemd.exec",
	}
	if h.Unit != "" {
		f.How = fmt.Sprintf("systemctl edit %s: [Service] LimitNOFILE=%d", h.Unit, need)
	}
	switch h.Container {
	case "docker", "podman":
		f.How = fmt.Sprintf("%s run --ulimit nofile=%d:%d", h.Container, need, need)
	case "kubernetes":
		f.How = fmt.Sprintf("the container runtime's LimitNOFILE on the node, %d or more: Kubernetes has no setting for it", need)
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
	need := int64(l.Connections)*(kernelBytes+userBytes) + 256<<20
	return Finding{
		Name: "memory", Kind: Cgroup, Now: size(h.Memory), Needed: size(need), OK: h.Memory >= need,
		Why:    fmt.Sprintf("%d streams of 4 KiB in the kernel, sockets and files, and %d B in ssedge; 256 MiB for histories and the rest", l.Connections, userBytes),
		How:    "a larger host, or memory.max of the cgroup: the kernel's part counts in it",
		Source: "ARCHITECTURE.md; kernel Documentation/admin-guide/cgroup-v2.rst",
	}
}

// userMemory is what ssedge may have.
func (h *Host) userMemory(l Load) Finding {
	need := int64(l.Connections)*userBytes + 192<<20
	has := h.Memory
	if l.Memory > 0 {
		has = min(has, l.Memory)
	}
	return Finding{
		Name: "memory of ssedge", Kind: Setting, Now: size(has), Needed: size(need), OK: has >= need,
		Why: fmt.Sprintf("%d streams of %d B, 64 MiB of histories (--history-max), and as much again for the collector", l.Connections, userBytes),
		How: "--memory, if that is what it may have", Source: "ARCHITECTURE.md",
	}
}

func (h *Host) pids() Finding {
	now := "no limit"
	if h.PidsMax != math.MaxInt64 {
		now = strconv.FormatInt(h.PidsMax, 10)
	}
	return Finding{
		Name: "pids.max", Kind: Cgroup, Now: now, Needed: "256", OK: h.PidsMax >= 256,
		Why: "threads, whatever the number of streams: some for each core, and those in system calls; so kernel.pid_max does not matter",
		How: "TasksMax=256 or more in the unit", Source: "kernel Documentation/admin-guide/cgroup-v2.rst",
	}
}

func (h *Host) hugePages() Finding {
	now := h.HugePages
	if now == "" {
		now = "not there"
	}
	return Finding{
		Name: "transparent huge pages", Kind: Setting, Now: now, Needed: "madvise", OK: h.HugePages != "always", Advice: true,
		Why: "with always the kernel may back 4 KiB that are used with 2 MiB: the memory of slots and histories in use is not what it counts",
		How: "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled", Source: "go.dev/doc/gc-guide, Linux transparent huge pages",
	}
}

func (h *Host) swappiness() Finding {
	now, err := h.Sysctl("vm.swappiness")
	if err != nil {
		now = "0"
	}
	return Finding{
		Name: "vm.swappiness", Kind: Sysctl, Now: now, Needed: "10", OK: parse(now) <= 10, Advice: true,
		Why: "idle streams are touched at each heartbeat: what was swapped out is fetched again then, one page after the other",
		How: "sysctl -w vm.swappiness=10", Source: vmSysctl,
	}
}

func (h *Host) overcommit() Finding {
	now, _ := h.Sysctl("vm.overcommit_memory")
	return Finding{
		Name: "vm.overcommit_memory", Kind: Sysctl, Now: now, Needed: "0 or 1", OK: now != "2", Advice: true,
		Why: "with 2 the address space that Go reserves and never uses counts against vm.overcommit_ratio",
		How: "sysctl -w vm.overcommit_memory=0", Source: vmSysctl,
	}
}

func (h *Host) goMemory(l Load) Finding {
	f := Finding{
		Name: "GOMEMLIMIT", Kind: Setting, Now: h.GoMemLimit, Needed: "none", OK: true, Advice: true,
		Why: "memory.max does not bound this process, so the collector needs no limit", Source: "go.dev/doc/gc-guide, Memory limit",
	}
	if f.Now == "" {
		f.Now = "none"
	}
	if h.CgroupMax != math.MaxInt64 {
		limit := (h.CgroupMax - int64(l.Connections)*kernelBytes) / 10 * 9
		f.Needed, f.OK = size(limit), h.GoMemLimit != ""
		f.Why = fmt.Sprintf("memory.max %s less 4 KiB of the kernel's for each stream, less a tenth: the collector works harder before the process is killed", size(h.CgroupMax))
		f.How = fmt.Sprintf("GOMEMLIMIT=%d in the environment", max(limit, 0))
	}
	return f
}

func (h *Host) goProcs() Finding {
	f := Finding{
		Name: "GOMAXPROCS", Kind: Setting, Now: h.GoMaxProcs, Needed: "none", OK: true, Advice: true,
		Why: "Go takes as many as there are processors, and no more than the cgroup's quota", Source: "go.dev/blog/container-aware-gomaxprocs",
	}
	if f.Now == "" {
		f.Now = "none"
	}
	if n, err := strconv.ParseFloat(h.GoMaxProcs, 64); err == nil && h.CPUQuota > 0 && n > math.Ceil(h.CPUQuota) {
		f.OK, f.Needed = false, strconv.FormatFloat(math.Ceil(h.CPUQuota), 'f', 0, 64)
		f.Why = fmt.Sprintf("the cgroup has %.1f processors: with more threads than that all of them stand still when the quota is used up", h.CPUQuota)
		f.How = "unset GOMAXPROCS"
	}
	return f
}
