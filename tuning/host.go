package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"ssedge/tuning/cgroup"
)

// Host is what matters of a host for very many streams.
type Host struct {
	Kernel    string // release
	Container string // what it seems to be in: "docker", "kubernetes", …; "" for none
	Sign      string // what says so: a file, or a variable
	Doubt     bool   // nothing but /.dockerenv does, which may be left over
	Unit      string // the systemd unit this process runs under; "" for none
	Nodes     int    // NUMA nodes
	Memory    int64  // bytes, of the host or of the cgroup if that has less
	MemTotal  int64  // bytes, of the host
	CPUs      int    // of the host

	Files         Limit // RLIMIT_NOFILE
	LoginFiles    int64 // that [LimitsFile] gives new logins; 0 if it does not
	CgroupVersion int   // where limits are looked for; 0: there is none to be seen
	CgroupMax     int64 // memory.max, bytes; math.MaxInt64: none
	CgroupHigh    int64 // memory.high
	PidsMax       int64 // pids.max
	CPUQuota      float64

	// transparent huge pages: always, madvise or never; "" if there is no such setting
	HugePages  string
	Conntrack  bool  // the kernel can track connections
	Tracked    int64 // that are; -1 if it does not say
	Swap       bool  // there is some
	Congestion string

	GoMemLimit string // GOMEMLIMIT
	GoMaxProcs string // GOMAXPROCS

	sysctls fs.FS // proc/sys
}

// Limit is a resource limit of a process.
type Limit struct{ Soft, Hard uint64 }

// ErrNoProc is what [Read] returns where there is no /proc to read: the host is no Linux, or a jail
// without it.
var ErrNoProc = errors.New("there is no /proc: expected Linux, with /proc mounted")

// Read reads a host from its root directory (os.DirFS("/")). limit is RLIMIT_NOFILE of the process
// that will serve, getenv its environment.
func Read(root fs.FS, limit Limit, getenv func(string) string) (*Host, error) {
	sysctls, err := fs.Sub(root, "proc/sys")
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(sysctls, "kernel"); err != nil {
		return nil, ErrNoProc
	}
	h := &Host{Files: limit, sysctls: sysctls,
		GoMemLimit: getenv("GOMEMLIMIT"), GoMaxProcs: getenv("GOMAXPROCS")}
	h.Kernel, _ = h.Sysctl("kernel.osrelease")
	h.Congestion, _ = h.Sysctl("net.ipv4.tcp_congestion_control")
	_, err = h.Sysctl("net.netfilter.nf_conntrack_max")
	h.Conntrack, h.Tracked = err == nil, -1
	if count, err := h.Sysctl("net.netfilter.nf_conntrack_count"); err == nil {
		h.Tracked = parse(count)
	}
	var swap int64
	h.MemTotal, swap = cgroup.Host(root)
	h.Swap = swap > 0
	for line := range strings.Lines(text(root, "proc/cpuinfo")) {
		if strings.HasPrefix(line, "processor") {
			h.CPUs++
		}
	}
	if nodes, err := fs.Glob(root, "sys/devices/system/node/node[0-9]*"); err == nil {
		h.Nodes = max(len(nodes), 1)
	}
	if _, after, ok := strings.Cut(text(root, "sys/kernel/mm/transparent_hugepage/enabled"),
		"["); ok {
		h.HugePages, _, _ = strings.Cut(after, "]")
	}
	h.Memory = h.MemTotal
	h.readCgroup(root)
	h.LoginFiles = configuredLimit(root, LimitsFile)
	h.Container, h.Sign = container(root, getenv)
	h.Doubt = h.Sign == dockerSign && !dockerStarted(root)
	return h, nil
}

// text is the content of a file without blanks around it; "" if it cannot be read.
func text(root fs.FS, name string) string {
	b, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(b))
}

// readCgroup reads the limits of this process's cgroup and of those above it.
func (h *Host) readCgroup(root fs.FS) {
	limits := cgroup.Read(root)
	h.CgroupVersion = limits.Version
	h.CgroupMax, h.CgroupHigh, h.PidsMax, h.CPUQuota = limits.Memory.Bytes, limits.MemoryHigh.Bytes,
		limits.Pids, limits.CPUs
	for part := range strings.SplitSeq(limits.Group, "/") {
		switch path.Ext(part) {
		case ".service":
			h.Unit = part
		case ".scope": // a login, though that of a user@.service
			h.Unit = ""
		}
	}
	h.Memory = min(h.Memory, h.CgroupMax)
}

// before reports whether the kernel is older than a version.
func (h *Host) before(major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(h.Kernel, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// paces reports whether the congestion control sets windows by itself, and does not start slowly
// after a pause (tcp_slow_start_after_idle_check in the kernel's include/net/tcp.h).
func (h *Host) paces() bool { return strings.HasPrefix(h.Congestion, "bbr") }

// dockerSign is the file that Docker makes in each container, and that images of machines may have
// kept.
const dockerSign = "/.dockerenv"

// container says what kind of one this is in, and what says so.
func container(root fs.FS, getenv func(string) string) (kind, sign string) {
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "kubernetes", "KUBERNETES_SERVICE_HOST"
	}
	for _, c := range [][2]string{{"podman", "/run/.containerenv"}, {"docker", dockerSign}} {
		if _, err := fs.Stat(root, c[1][1:]); err == nil {
			return c[0], c[1]
		}
	}
	if kind = getenv("container"); kind != "" { // systemd-nspawn, podman and others set it
		sign = "container=" + kind
	}
	return kind, sign
}

// dockerStarted reports whether this process shows besides that Docker has started it: by its
// cgroup, or by the files that Docker mounts from its directory of containers.
func dockerStarted(root fs.FS) bool {
	if strings.Contains(text(root, "proc/self/cgroup"), "docker") {
		return true
	}
	for line := range strings.Lines(text(root, "proc/self/mountinfo")) {
		if words := strings.Fields(line); len(words) > 4 &&
			strings.Contains(words[3], "/containers/") && strings.HasPrefix(words[4], "/etc/") {
			return true
		}
	}
	return false
}

// ErrNoSysctl is what [Host.Sysctl] returns, wrapped, for a setting that this kernel does not have.
var ErrNoSysctl = errors.New("this kernel has no such setting")

// Sysctl is the value of a kernel setting, its numbers separated by single blanks.
func (h *Host) Sysctl(name string) (string, error) {
	if !validSysctl(name) {
		return "",
			fmt.Errorf("expected the name of a kernel setting, as in net.core.somaxconn, found %.80q", name)
	}
	b, err := fs.ReadFile(h.sysctls, strings.ReplaceAll(name, ".", "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", name, ErrNoSysctl)
	} else if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

func validSysctl(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return false
		}
	}
	return true
}
