//go:build !race

package httpapi

// Raced says that the race detector is on: loads are smaller.
const Raced = false
