package memory

import (
	"io/fs"
	"math"

	"golang.org/x/sys/unix"

	"ssedge/tuning/cgroup"
)

// Limit is a bound that was set from outside of the process.
type Limit struct {
	Bytes   int64  // math.MaxInt64: there is none
	Of      string // where it stands, for an operator: "GOMEMLIMIT", "/sys/fs/cgroup/…/memory.max"
	Sockets bool   // what sockets take in the kernel counts in it, too
}

// Limits are those on a process: goLimit is what Go was told (debug.SetMemoryLimit), rlimits are
// its resource limits ([Rlimits]), root is the host's root directory (os.DirFS("/")), whose control
// groups are read.
func Limits(root fs.FS, goLimit int64, rlimits []Limit) (all []Limit) {
	groups := cgroup.Read(root)
	for _, l := range append([]Limit{
		{goLimit, "GOMEMLIMIT", false}, {groups.Memory.Bytes, groups.Memory.File, true},
		{groups.MemoryHigh.Bytes, groups.MemoryHigh.File, true},
	}, rlimits...) {
		if l.Bytes < math.MaxInt64 {
			all = append(all, l)
		}
	}
	return all
}

// Lowest is the lowest of some limits; there is none if there are none.
func Lowest(all []Limit) Limit {
	lowest := Limit{Bytes: math.MaxInt64}
	for _, l := range all {
		if l.Bytes < lowest.Bytes {
			lowest = l
		}
	}
	return lowest
}

// Rlimits are this process's resource limits on memory: RLIMIT_DATA (LimitDATA= of a unit, ulimit
// -d) and RLIMIT_AS (LimitAS=, ulimit -v).
func Rlimits() (all []Limit) {
	for _, r := range []struct {
		resource int
		name     string
	}{{unix.RLIMIT_DATA, "RLIMIT_DATA"}, {unix.RLIMIT_AS, "RLIMIT_AS"}} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(r.resource, &limit); err == nil && limit.Cur < math.MaxInt64 {
			all = append(all, Limit{int64(limit.Cur), r.name, false})
		}
	}
	return all
}

// Physical is the memory of a host; math.MaxInt64 if it does not say.
func Physical(root fs.FS) Limit {
	if memory, _ := cgroup.Host(root); memory > 0 {
		return Limit{memory, "this host's memory", true}
	}
	return Limit{Bytes: math.MaxInt64}
}
