package intake

import (
	"net/netip"
	"sync"
)

// places are the connections that net/http may have. A publisher with a key finds one: strangers,
// whose first request has no credentials for that, have half of them at most, and those of one
// address a quarter.
type places struct {
	max int

	mu        sync.Mutex
	used      int
	strangers int
	from      map[netip.Addr]int // strangers by address
}

// place is what one connection has.
type place struct {
	stranger bool
	addr     netip.Addr // the client's; the zero Addr: it is not known
}

func newPlaces(max int) places { return places{max: max, from: map[netip.Addr]int{}} }

// enter takes a place. It reports false if there is none for such a connection.
func (p *places) enter(of place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used >= p.max {
		return false
	}
	if of.stranger {
		if p.strangers >= max(p.max/2, 1) ||
			of.addr.IsValid() && p.from[addressKey(of.addr)] >= max(p.max/4, 1) {
			return false
		}
		p.strangers++
		if of.addr.IsValid() {
			p.from[addressKey(of.addr)]++
		}
	}
	p.used++
	return true
}

func (p *places) leave(of place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	if !of.stranger {
		return
	}
	p.strangers--
	if !of.addr.IsValid() {
		return
	}
	if addr := addressKey(of.addr); p.from[addr] > 1 {
		p.from[addr]--
	} else {
		delete(p.from, addr)
	}
}

// crowded reports whether so many such connections are there that none should be kept after its
// answer: those without a request would keep others out.
func (p *places) crowded(of place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used > p.max*3/4 || of.stranger && (p.strangers > p.max*3/8 ||
		of.addr.IsValid() && p.from[addressKey(of.addr)] > p.max*3/16)
}

func (p *places) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}
