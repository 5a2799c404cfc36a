package intake

import (
	"net/netip"
	"sync"
)

// noAddress is the owner of streams that are not counted by address.
const noAddress = ^uint32(0)

// addresses counts streams by the address they come from. A stream carries the
// index of its address, for at its end the kernel no longer knows it.
type addresses struct {
	mu     sync.Mutex
	index  map[netip.Addr]uint32
	counts []addressCount
	free   []uint32
}

// addressesKept is up to how many addresses there may have been without their memory being given
// back.
const addressesKept = 1024

type addressCount struct {
	addr    netip.Addr
	streams int
}

// addressKey counts an IPv6 client by its /64: a host has as many addresses in there as it likes.
func addressKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a
}

func (a *addresses) enter(addr netip.Addr, max int) (uint32, bool) {
	addr = addressKey(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.index[addr]; ok {
		if a.counts[i].streams >= max {
			return 0, false
		}
		a.counts[i].streams++
		return i, true
	}
	if a.index == nil {
		a.index = make(map[netip.Addr]uint32)
	}
	i := uint32(len(a.counts))
	if n := len(a.free); n > 0 {
		i = a.free[n-1]
		a.free = a.free[:n-1]
	} else {
		a.counts = append(a.counts, addressCount{})
	}
	a.counts[i] = addressCount{addr, 1}
	a.index[addr] = i
	return i, true
}

func (a *addresses) leave(i uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &a.counts[i]
	if c.streams--; c.streams == 0 {
		delete(a.index, c.addr)
		a.free = append(a.free, i)
		if len(a.index) == 0 && len(a.counts) > addressesKept {
			// no stream has an index: the memory of the most there were goes
			a.index, a.counts, a.free = nil, nil, nil
		}
	}
}
