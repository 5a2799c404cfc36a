package cgroup

import (
	"io/fs"
	"strconv"
	"strings"
)

// Host returns how much memory and swap space the host has, in bytes (/proc/meminfo): what bounds
// the groups at the top. 0: it does not say, or has none.
func Host(root fs.FS) (memory, swap int64) {
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "MemTotal":
			memory = kib << 10
		case "SwapTotal":
			swap = kib << 10
		}
	}
	return memory, swap
}
