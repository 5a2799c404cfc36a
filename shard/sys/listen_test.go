package sys

import (
	"sync"
	"testing"
)

// Servers that are started at the same time on a port of the kernel's choice each
// get one of their own, although each shares its own among its sockets.
func TestPickedPortsAreNobodyElses(t *testing.T) {
	t.Parallel()
	const servers = 2000
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		taken = map[string]bool{}
		open  []int
	)
	for range servers {
		all.Go(func() {
			fds, addr, err := Listen("tcp", "127.0.0.1:0", 2, SocketOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if taken[addr.String()] {
				t.Errorf("%s was given twice", addr)
			}
			taken[addr.String()] = true
			open = append(open, fds...)
		})
	}
	all.Wait()
	if len(open) != 2*servers {
		t.Errorf("%d sockets are open, want %d", len(open), 2*servers)
	}
	for _, fd := range open {
		Close(fd)
	}
}
