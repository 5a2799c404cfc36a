package intake

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ssedge/shard/sys"
)

// spareFiles is how many descriptors an intake keeps back. One would do if nothing
// else in the process ever took one.
const spareFiles = 4

// files is descriptors that are kept to be able to refuse when there are no more.
// Code that takes a descriptor holds mu shared, so that it cannot take the one that a
// refusal gives up, uses and puts back.
type files struct {
	mu    sync.RWMutex
	spare []int
	short atomic.Bool // of spare ones; what is free goes there first
}

func (f *files) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refill()
}

// refill fills up what is missing, as far as there is something to be had.
func (f *files) refill() {
	for len(f.spare) < spareFiles {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		f.spare = append(f.spare, fd)
	}
	f.short.Store(len(f.spare) < spareFiles)
}

// accept is sys.Accept.
func (f *files) accept(listener int, p *sys.Peer) (int, sys.Errno) {
	if f.short.Load() {
		f.open()
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return sys.Accept(listener, p)
}

// withSpare gives a spare descriptor up while do is called, which may take one and must not keep
// it. Without a spare one it does not call do and reports false.
func (f *files) withSpare(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refill(); len(f.spare) == 0 {
		return false
	}
	last := len(f.spare) - 1
	sys.Close(f.spare[last])
	f.spare = f.spare[:last]
	do()
	f.refill()
	return true
}

func (f *files) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fd := range f.spare {
		sys.Close(fd)
	}
	f.spare = nil
	f.short.Store(false)
}
