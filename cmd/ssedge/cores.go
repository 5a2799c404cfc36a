package main

import (
	"os"
	"runtime"
)

// makeRoom lets the scheduler run one goroutine more for each shard than there are cores, unless
// GOMAXPROCS says otherwise. A shard in a broadcast keeps one of the scheduler's places busy; with
// none left over, publishers and acceptors wait for it to be their turn, or for preemption after 10
// ms. The kernel shares the cores out fairly between threads. (Measured: bench/results/README.md.)
func makeRoom(shards int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + shards)
	}
}
