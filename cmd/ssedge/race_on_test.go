//go:build race

package main

// raced says that the race detector is on, in which parsing has nothing for it to find and takes ten times as long: some of
// the cases are enough.
const raced = true
