package intake

import (
	"net/netip"
	"testing"

	"ssedge/engine/deadline"
	"ssedge/proto/http1"
)

// A connection that cannot be watched does not become one with the descriptor 0, which is not ours.
func TestAMemberThatCannotBeWatchedIsNone(t *testing.T) {
	clock := deadline.NewClock()
	defer clock.Close()
	h, err := newHeads(
		&Intake{config: Config{ConnectionLimits: ConnectionLimits{HeadsMax: 2,
			Limits: http1.DefaultLimits}, Clock: clock}})
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	if _, m := h.take(-1); m != nil {
		t.Error("it is taken in")
	}
	if h.used != 0 || len(h.members) != 1 || h.members[0].fd != -1 {
		t.Errorf("%d used, %+v", h.used, h.members)
	}
	h.mu.Unlock()
	h.Close()
	if h.used != 0 {
		t.Errorf("%d used in the end", h.used)
	}
}

func TestLocalHost(t *testing.T) {
	for authority, want := range map[string]bool{
		"": true, "localhost": true, "LOCALHOST:8080": true, "127.0.0.1": true, "127.9.9.9:1": true,
		"[::1]:80": true, "[::1]": true,
		"evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example:80": false,
		"10.0.0.1": false, "[::2]": false, "0.0.0.0": false,
	} {
		if got := LocalHost([]byte(authority)); got != want {
			t.Errorf("%q: %v", authority, got)
		}
	}
}

// The memory of the most addresses that there were goes with the last of them.
func TestAddressesKeepNoPeak(t *testing.T) {
	t.Parallel()
	var a addresses
	var owners []uint32
	for i := range 2000 {
		owner, ok := a.enter(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
		if !ok {
			t.Fatal("an address without streams has too many")
		}
		owners = append(owners, owner)
	}
	for _, owner := range owners {
		a.leave(owner)
	}
	if len(a.index)+cap(a.counts)+cap(a.free) != 0 {
		t.Errorf("room for %d addresses is kept", cap(a.counts))
	}
	if owner, ok := a.enter(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 1); !ok || owner != 0 {
		t.Errorf("then: %d, %v", owner, ok)
	}
}
