// Package cgroup reads what the kernel's control groups let this process have: memory, threads,
// processors. It reads version 2, version 1, and hosts that have both, and follows a mount wherever
// it is (/proc/self/mountinfo): in a container the group's own directory is often the root of what
// is to be seen.
//
// A limit is the lowest of the group's own and of those of all groups above it. A systemd unit's
// MemoryMax= stands at the unit's group, and that of its slice above it.
//
//	cgroup.go  what there is, and the lowest limits
//	mounts.go  where it is mounted
//	host.go    the host's own memory
//
// The server (engine) and the doctor (tuning) use it. A host is read from a file system, so that a
// host of a test is a directory. [Read] may be called from any goroutine.
package cgroup
