//go:build !race

package proxy

// raced says that the race detector is on: loads are smaller.
const raced = false
