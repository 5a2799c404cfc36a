package intake

import (
	"fmt"
	"net/netip"
	"testing"
)

// Strangers have half of the places, those of one address a quarter; the others are for publishers,
// and all come back.
func TestPlaces(t *testing.T) {
	for _, most := range []int{1, 2, 8, 100} {
		p := newPlaces(most)
		var taken []place
		enter := func(of place) bool {
			ok := p.enter(of)
			if ok {
				taken = append(taken, of)
			}
			return ok
		}
		address := func(n int) netip.Addr {
			return netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", n))
		}
		for n := range 5 * most {
			if got, want := enter(place{true, address(1)}), n < max(most/4, 1) &&
				n < max(most/2, 1); got != want {
				t.Errorf("of %d, number %d of one address: %v", most, n+1, got)
			}
		}
		for n := range 5 * most {
			enter(place{true, address(2 + n%50)})
			enter(place{true, netip.Addr{}}) // through a unix socket
		}
		if p.strangers != max(most/2, 1) {
			t.Errorf("of %d, strangers have %d", most, p.strangers)
		}
		for n := range most {
			if got, want := enter(place{}), n < most-p.strangers; got != want {
				t.Errorf("of %d, publisher %d: %v", most, n+1, got)
			}
		}
		if p.count() != most || !p.crowded(place{}) {
			t.Errorf("of %d, %d are taken", most, p.count())
		}
		for _, of := range taken {
			p.leave(of)
		}
		if p.count() != 0 || p.strangers != 0 || len(p.from) != 0 {
			t.Errorf("%d, %d, %v are left", p.count(), p.strangers, p.from)
		}
	}
}

// Addresses of one IPv6 network are one client's.
func TestPlacesByNetwork(t *testing.T) {
	p := newPlaces(8)
	got := 0
	for n := range 8 {
		if p.enter(place{true, netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", n))}) {
			got++
		}
	}
	if got != 2 {
		t.Errorf("a network has %d of 8 places, expected a quarter", got)
	}
}
