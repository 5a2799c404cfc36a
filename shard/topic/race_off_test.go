//go:build !race

package topic

// raced says that the race detector is on: some of the cases are enough.
const raced = false
