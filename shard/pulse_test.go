package shard

import (
	"testing"
	"time"
)

// TestPulse is there while all shards turn, is not while one of them does not, and comes back.
func TestPulse(t *testing.T) {
	g := startGroup(t, 3)
	if !g.Pulse(time.Minute) {
		t.Fatal("idle shards make no turn")
	}
	held, let := make(chan struct{}), make(chan struct{})
	g.shards[1].inbox.call(func() { close(held); <-let })
	<-held
	if g.Pulse(20 * time.Millisecond) {
		t.Error("a shard that does not turn was not noticed")
	}
	close(let)
	if !g.Pulse(time.Minute) {
		t.Error("it turns again, and that was not noticed")
	}
	g.halt()
	if !g.Pulse(time.Minute) {
		t.Error("shards that were stopped are missed")
	}
}
