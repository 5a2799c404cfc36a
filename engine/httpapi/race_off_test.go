//go:build !race

package httpapi

// raced says that the race detector is on: loads are smaller.
const raced = false
