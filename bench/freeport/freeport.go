// Package freeport finds ports for servers that take theirs as an argument.
//
// A port that the kernel gives out for listening is of the range from which connections get theirs:
// until the server binds it, any connection of the machine may take it. So these are below that
// range (ip(7), ip_local_port_range).
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
)

// lowest is the first port that is looked at; those below are for services.
const lowest = 10_000

var (
	mu    sync.Mutex
	given = map[uint16]bool{} // to this process
)

// Addresses returns n addresses of 127.0.0.1, each with another port, on which nothing listens, and
// that were not returned to this process before.
func Addresses(n int) (all []netip.AddrPort, err error) {
	mu.Lock()
	defer mu.Unlock()
	below := first()
	for tries := 0; len(all) < n; tries++ {
		if tries == 10_000 {
			return nil, fmt.Errorf("expected %d free ports from %d to %d, found %d: %w", n, lowest,
				below-1, len(all), err)
		}
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}),
			uint16(lowest+rand.IntN(below-lowest)))
		if given[at.Port()] {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", at.String()); err != nil {
			continue
		}
		defer l.Close() // until then they are not each other's
		given[at.Port()] = true
		all = append(all, at)
	}
	return all, nil
}

// first is the first port that the kernel gives to connections, as far as that leaves some below.
func first() int {
	port := 0
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(text), &port)
	}
	if port < lowest+1000 {
		return 1 << 16
	}
	return port
}
