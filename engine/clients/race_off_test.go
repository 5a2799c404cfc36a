//go:build !race

package clients

// raced says that the race detector is on.
const raced = false
