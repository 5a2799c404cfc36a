//go:build !race

package shard

// simRuns is how many seeds the simulation runs by itself.
const simRuns = 200

// raced says that the race detector is on: some of the cases are enough.
const raced = false
