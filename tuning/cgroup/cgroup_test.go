package cgroup

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	v2       = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	tmpfs    = "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
	memoryV1 = "35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
	bothV1   = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	noneV1   = "9223372036854771712"
)

// tree makes a host: files by name, their content with a line end.
func tree(files ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		text := files[i+1]
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		m[files[i]] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// Wherever a limit stands, and however the groups are mounted, the lowest one counts.
func TestTheLowestLimitCounts(t *testing.T) {
	const unit, slice = "sys/fs/cgroup/system.slice/ssedge.service", "sys/fs/cgroup/system.slice"
	const v1 = "sys/fs/cgroup/memory"
	for name, c := range map[string]struct {
		host    fstest.MapFS
		version int
		memory  int64 // 0: no bound
		file    string
	}{
		"NoCgroup": {tree("proc/self/mountinfo", tmpfs), 0, 0, ""},
		"NoLimit": {tree("proc/self/mountinfo", v2, "proc/self/cgroup", "0::/",
			"sys/fs/cgroup/cgroup.procs", "1"), 2, 0, ""},
		"Unit": {tree("proc/self/mountinfo", v2, "proc/self/cgroup",
			"0::/system.slice/ssedge.service", unit+"/memory.max", "1000", slice+"/memory.max",
			"max"), 2, 1000, "/" + unit + "/memory.max"},
		"SliceAboveIt": {tree("proc/self/mountinfo", v2, "proc/self/cgroup",
			"0::/system.slice/ssedge.service", unit+"/memory.max", "1000", slice+"/memory.max",
			"999"), 2, 999, "/" + slice + "/memory.max"},
		"WithoutMountinfo": {tree("sys/fs/cgroup/cgroup.controllers", "memory", "proc/self/cgroup",
			"0::/system.slice/ssedge.service", slice+"/memory.max", "7"), 2, 7,
			"/" + slice + "/memory.max"},
		"ContainerOfItsOwnNamespace": {
			tree("proc/self/mountinfo", v2, "proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max",
				"55"), 2, 55, "/sys/fs/cgroup/memory.max"},
		"ContainerThatSeesItsGroupOnly": {
			tree("proc/self/mountinfo", strings.Replace(v2, " / ", " /docker/abc ", 1),
				"proc/self/cgroup", "0::/docker/abc/app", "sys/fs/cgroup/app/memory.max", "60",
				"sys/fs/cgroup/memory.max", "56"),
			2, 56, "/sys/fs/cgroup/memory.max"},
		"GroupOutsideOfWhatIsSeen": {
			tree("proc/self/mountinfo", v2, "proc/self/cgroup", "0::/../other",
				"sys/fs/cgroup/memory.max", "57"), 2, 57, "/sys/fs/cgroup/memory.max"},
		"GroupOfAnotherName": { // "/docker/abcdef" is not below "/docker/abc"
			tree("proc/self/mountinfo", strings.Replace(v2, " / ", " /docker/abc ", 1),
				"proc/self/cgroup", "0::/docker/abcdef", "sys/fs/cgroup/def/memory.max", "1",
				"sys/fs/cgroup/memory.max", "58"),
			2, 58, "/sys/fs/cgroup/memory.max"},
		"MountedElsewhere": {
			tree("proc/self/mountinfo", strings.Replace(v2, "/sys/fs/cgroup", `/mnt/c\040g`, 1),
				"proc/self/cgroup", "0::/a", "mnt/c g/a/memory.max", "59"), 2, 59,
			"/mnt/c g/a/memory.max"},
		"V1": {
			tree("proc/self/mountinfo", tmpfs+memoryV1, "proc/self/cgroup",
				"4:memory:/x/y\n1:name=systemd:/x", v1+"/x/y/memory.limit_in_bytes", noneV1,
				v1+"/x/memory.limit_in_bytes", "800", v1+"/memory.limit_in_bytes", noneV1),
			1, 800, "/" + v1 + "/x/memory.limit_in_bytes"},
		"V1LargePages": {
			tree("proc/self/mountinfo", memoryV1, "proc/self/cgroup", "4:memory:/x",
				v1+"/x/memory.limit_in_bytes", "9223372036854710272"), 1, 0, ""},
		"V1AboveWhatIsSeen": {
			tree("proc/self/mountinfo", strings.Replace(memoryV1, " / ", " /docker/abc ", 1),
				"proc/self/cgroup", "4:memory:/docker/abc", v1+"/memory.limit_in_bytes", noneV1,
				v1+"/memory.stat", "cache 1\nhierarchical_memory_limit 700\nrss 2"),
			1, 700, "/" + v1 + "/memory.stat"},
		"Hybrid": {
			tree("proc/self/mountinfo",
				tmpfs+memoryV1+strings.Replace(v2, "/sys/fs/cgroup", "/sys/fs/cgroup/unified", 1),
				"proc/self/cgroup", "4:memory:/s\n0::/s", v1+"/s/memory.limit_in_bytes", "600",
				"sys/fs/cgroup/unified/s/cgroup.procs", "1"),
			1, 600, "/" + v1 + "/s/memory.limit_in_bytes"},
		"TwoMounts": { // the one that has the group is looked at
			tree("proc/self/mountinfo", strings.Replace(strings.Replace(v2, " / ", " /other ", 1),
				"/sys/fs/cgroup", "/mnt", 1)+v2, "proc/self/cgroup", "0::/a", "mnt/memory.max", "1",
				"sys/fs/cgroup/a/memory.max", "500"),
			2, 500, "/sys/fs/cgroup/a/memory.max"},
		"Nonsense": {
			tree("proc/self/mountinfo", "x\n1 2 3 - \n- cgroup2\n"+v2, "proc/self/cgroup",
				"x\n0::/a\n::", "sys/fs/cgroup/a/memory.max", "-5", "sys/fs/cgroup/memory.max",
				"1e3"), 2, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := Bound{c.memory, c.file}
			if c.memory == 0 {
				want.Bytes = math.MaxInt64
			}
			if l := Read(c.host); l.Version != c.version || l.Memory != want {
				t.Errorf("found version %d, %+v, expected version %d, %+v", l.Version, l.Memory,
					c.version, want)
			}
		})
	}
}

// The other limits are found in the same way, each at its own controller's mount.
func TestOtherLimits(t *testing.T) {
	l := Read(tree("proc/self/mountinfo", v2, "proc/self/cgroup", "0::/a/b",
		"sys/fs/cgroup/a/b/memory.high", "10", "sys/fs/cgroup/a/memory.high", "9",
		"sys/fs/cgroup/a/b/pids.max", "max", "sys/fs/cgroup/a/pids.max", "8",
		"sys/fs/cgroup/a/b/cpu.max", "150000 100000", "sys/fs/cgroup/a/cpu.max", "max 100000"))
	if l.MemoryHigh != (Bound{9, "/sys/fs/cgroup/a/memory.high"}) || l.Pids != 8 || l.CPUs != 1.5 ||
		l.Group != "a/b" || l.Memory.Bytes != math.MaxInt64 {
		t.Errorf("version 2: %+v", l)
	}
	l = Read(tree("proc/self/mountinfo", bothV1+strings.Replace(memoryV1, "memory", "pids", 2),
		"proc/self/cgroup", "3:cpu,cpuacct:/a\n5:pids:/b\n1:name=systemd:/c.service\n0::/",
		"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000",
		"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000", "sys/fs/cgroup/pids/b/pids.max",
		"77"))
	if l.CPUs != 0.5 || l.Pids != 77 || l.Version != 0 || l.Group != "c.service" {
		t.Errorf("version 1: %+v", l)
	}
}
