package tuning

import (
	"fmt"
	"strconv"
)

// kernel is about the kernel's version.
func (h *Host) kernel() Finding {
	return Finding{
		Name: "kernel", Kind: Setting, Now: h.Kernel, Needed: "4.4", OK: !h.before(4, 4),
		Advice: !h.before(3, 12),
		Why:    "3.12 has TCP_NOTSENT_LOWAT and SO_REUSEPORT, without which ssedge does not start; before 4.4 handshakes are bounded by tcp_max_syn_backlog, and before 5.4 somaxconn is 128 by default",
		How:    "a newer kernel", Source: "man 7 tcp, man 7 socket",
	}
}

// unit is about the systemd unit, whose limits are not those of a login.
func (h *Host) unit(l Load) Finding {
	f := Finding{
		Name: "systemd unit", Kind: Setting, Now: h.Unit, Needed: "any", OK: true,
		Source: "man 5 systemd.exec, man 5 systemd.resource-control",
		Why:    "its limits are LimitNOFILE=, MemoryMax=, TasksMax= and CPUQuota=, not those of a login: change them by systemctl edit",
	}
	if f.Now == "" {
		f.Now = "none"
		f.Why = fmt.Sprintf("limits here are those of this shell; a unit has its own: LimitNOFILE=%d (tuning/systemd/ssedge.service)",
			files(l))
	}
	return f
}

// cgroups is about where limits are looked for.
func (h *Host) cgroups() Finding {
	f := Finding{
		Name: "cgroup", Kind: Cgroup, Now: fmt.Sprint("v", h.CgroupVersion), Needed: "any",
		OK: true, Advice: true,
		Why:    "limits of memory, threads and processors are read from it and those above it",
		Source: "kernel Documentation/admin-guide/cgroup-v2.rst",
	}
	if h.CgroupVersion == 0 {
		f.Now, f.Why = "none", "no cgroup is to be seen, so neither are its limits"
	}
	return f
}

// nodes is about memory that is nearer to some processors than to others.
func (h *Host) nodes() Finding {
	f := Finding{
		Name: "NUMA nodes", Kind: Setting, Now: strconv.Itoa(max(h.Nodes, 1)), Needed: "any",
		OK:     true,
		Why:    "all memory is equally near",
		Source: "man 8 numactl; kernel Documentation/admin-guide/mm/numa_memory_policy.rst",
	}
	if h.Nodes > 1 {
		f.Why = "ssedge keeps 100 B a stream, and does not place them: one server for each node (numactl --cpunodebind=0 --membind=0 ssedge serve) is a way, not measured here"
	}
	return f
}

// container is about where settings can be changed.
func (h *Host) container() Finding {
	f := Finding{
		Name: "container", Kind: Setting, Now: "none", Needed: "any", OK: true,
		Why:    "settings are changed here",
		Source: "man 7 network_namespaces; docs.docker.com, docker run --sysctl",
	}
	if h.Container == "" {
		return f
	}
	f.Now = fmt.Sprintf("%s (%s)", h.Container, h.Sign)
	f.Why = "settings of the host cannot be changed from inside a container, and its own are set where it is started"
	switch {
	case h.Doubt:
		f.Why += "; if it is not one, remove that file: nothing else says so, and what to do on a host is said, too"
	case h.Sign != "":
		f.Why += "; if it is not one, that is left over"
	}
	return f
}
