package engine

import (
	"os"
	"runtime/debug"
	"time"

	"ssedge/engine/memory"
)

// watchMemory refuses new streams while the process takes more memory than it may.
func (e *Engine) watchMemory() {
	if e.config.MemoryMax == 0 {
		return
	}
	w := memory.NewWatch(e.config.MemoryMax)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.admission.SetMemoryShort(w.Short())
		case <-e.ended:
			return
		}
	}
}

// Pulse reports whether every shard makes a turn within the timeout: whether streams are served at
// all. It costs each of them one wake-up. It may be called from New on, also after Close.
func (e *Engine) Pulse(timeout time.Duration) bool { return e.group.Pulse(timeout) }

// memoryLimits are those that were set on this process from outside.
func memoryLimits() []memory.Limit {
	return memory.Limits(os.DirFS("/"), goLimit(), memory.Rlimits())
}

// memoryLimit is the lowest of them.
func memoryLimit() memory.Limit {
	return memory.Lowest(memoryLimits())
}

// goLimit is GOMEMLIMIT.
func goLimit() int64 { return debug.SetMemoryLimit(-1) }
