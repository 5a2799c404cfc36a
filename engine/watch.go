package engine

import (
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// memoryLimit is the smaller of GOMEMLIMIT and the cgroup's limit (cgroup v2,
// memory.max); math.MaxInt64 if there is none.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	return limit
}

// resident is the process's resident memory in bytes (proc(5), statm); 0 if it
// cannot be read.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil || pages > math.MaxInt64/int64(os.Getpagesize()) {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// watchMemory refuses new streams while the process takes more memory than it
// may.
func (e *Engine) watchMemory() {
	if e.config.MemoryMax == 0 {
		return
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.admission.SetShort(resident() > e.config.MemoryMax)
		case <-e.ended:
			return
		}
	}
}

// Pulse reports whether every shard makes a turn within the timeout: whether streams
// are served at all. It costs each of them one wake-up. It may be called from New on, also
// after Close.
func (e *Engine) Pulse(timeout time.Duration) bool { return e.group.Pulse(timeout) }
