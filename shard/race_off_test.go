//go:build !race

package shard

// simRuns is how many seeds the simulation runs by itself.
const simRuns = 200
