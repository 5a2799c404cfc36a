package cgroup

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Limits is what a process may have, by its control groups.
type Limits struct {
	Version int    // of the groups that bound memory: 1 or 2; 0: none is to be seen
	Group   string // the process's, as systemd has it, without the slash in front

	Memory     Bound   // above it the process is killed
	MemoryHigh Bound   // above it the process is slowed down, and its memory taken back
	Pids       int64   // threads and processes; math.MaxInt64: no bound
	CPUs       float64 // processors' worth of time; 0: no bound
}

// Bound is a number of bytes, and the file that says it.
type Bound struct {
	Bytes int64  // math.MaxInt64: no bound
	File  string // "" if there is none
}

// none is from where on a number means that there is no limit: version 1 writes the largest one
// that is a multiple of a page.
const none = 1 << 62

// Read reads the limits of this process from a host's root directory (os.DirFS("/")). What cannot
// be read is no bound.
func Read(root fs.FS) Limits {
	r := reader{root: root, mounts: mounts(root), groups: groups(root)}
	l := Limits{Memory: Bound{Bytes: math.MaxInt64}, MemoryHigh: Bound{Bytes: math.MaxInt64},
		Pids: math.MaxInt64}
	if l.Group = strings.TrimPrefix(r.groups[unified], "/"); l.Group == "" {
		// systemd keeps its units there where version 1 has the controllers
		l.Group = strings.TrimPrefix(r.groups["name=systemd"], "/")
	}
	for _, dir := range r.dirs("memory") {
		l.Version = 1
		l.Memory.least(r.number(dir, "memory.limit_in_bytes"), dir+"/memory.limit_in_bytes")
		// of groups that are not to be seen, too
		l.Memory.least(r.member(dir, "memory.stat", "hierarchical_memory_limit"),
			dir+"/memory.stat")
	}
	for _, dir := range r.dirs("pids") {
		l.Pids = min(l.Pids, r.number(dir, "pids.max"))
	}
	for _, dir := range r.dirs("cpu") {
		l.cpus(float64(r.number(dir, "cpu.cfs_quota_us")),
			float64(r.number(dir, "cpu.cfs_period_us")))
	}
	for _, dir := range r.dirs(unified) {
		if l.Version == 0 {
			l.Version = 2
		}
		l.Memory.least(r.number(dir, "memory.max"), dir+"/memory.max")
		l.MemoryHigh.least(r.number(dir, "memory.high"), dir+"/memory.high")
		l.Pids = min(l.Pids, r.number(dir, "pids.max"))
		quota, period, _ := strings.Cut(r.text(dir, "cpu.max"), " ")
		l.cpus(float64(number(quota)), float64(number(period)))
	}
	return l
}

func (b *Bound) least(n int64, file string) {
	if n < b.Bytes {
		*b = Bound{n, "/" + file}
	}
}

func (l *Limits) cpus(quota, period float64) {
	if quota > 0 && quota < none && period > 0 && period < none &&
		(l.CPUs == 0 || quota/period < l.CPUs) {
		l.CPUs = quota / period
	}
}

// reader is a host that is looked at.
type reader struct {
	root   fs.FS
	mounts []mount
	groups map[string]string // by controller, where this process is
}

// dirs are the directories of this process's group, and of those above it, as far as they are to be
// seen, for a controller.
func (r *reader) dirs(controller string) (all []string) {
	m, ok := r.mountOf(controller)
	if !ok {
		return nil
	}
	dir := path.Join(m.point, m.below(r.groups[controller]))
	for {
		all = append(all, dir)
		if dir == m.point || dir == "." {
			return all
		}
		dir = path.Dir(dir)
	}
}

// mountOf is the mount where a controller is seen. Of several one that has this process's group.
func (r *reader) mountOf(controller string) (found mount, ok bool) {
	group, in := r.groups[controller]
	for _, m := range r.mounts {
		if in && m.controllers[controller] && (!ok || m.has(group) && !found.has(group)) {
			found, ok = m, true
		}
	}
	return found, ok
}

func (r *reader) text(dir, file string) string {
	b, _ := fs.ReadFile(r.root, path.Join(dir, file))
	return strings.TrimSpace(string(b))
}

func (r *reader) number(dir, file string) int64 { return number(r.text(dir, file)) }

// member is a number of a file that has several, each in a line behind its name.
func (r *reader) member(dir, file, name string) int64 {
	for line := range strings.Lines(r.text(dir, file)) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			return number(value)
		}
	}
	return math.MaxInt64
}

// number is math.MaxInt64 for "max", for what stands for it in version 1, and for what is no
// number.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n >= none {
		return math.MaxInt64
	}
	return n
}
