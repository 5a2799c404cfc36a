package redis

import "testing"

// The first is the example of the Redis Cluster specification; the others were asked of a server
// (CLUSTER KEYSLOT).
func TestSlots(t *testing.T) {
	for key, want := range map[string]uint16{"123456789": 12739, "": 0, "foo{bar}baz": 5061,
		"bar": 5061, "foo{}{bar}": 8363, "{user1000}.following": 3443} {
		if got := slotOf(key); got != want {
			t.Errorf("%q: %d, expected %d", key, got, want)
		}
	}
}
