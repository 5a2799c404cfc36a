package freeport

import (
	"net"
	"testing"
)

// No port is given out twice, all can be bound, and none is one that a connection may get.
func TestAddresses(t *testing.T) {
	seen := map[uint16]bool{}
	for range 20 {
		all, err := Addresses(5)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range all {
			if seen[at.Port()] || at.Port() < lowest || int(at.Port()) >= first() {
				t.Errorf("%v was given out", at)
			}
			seen[at.Port()] = true
			l, err := net.Listen("tcp", at.String())
			if err != nil {
				t.Errorf("%v: %v", at, err)
				continue
			}
			l.Close()
		}
	}
}
