package shard

import "time"

// Pulse has every shard make a turn, and reports whether all have made one within the
// timeout. One that has been stopped counts as well. It may be called from any goroutine.
func (g *Group) Pulse(timeout time.Duration) bool {
	turned := make(chan struct{}, len(g.shards))
	for _, s := range g.shards {
		if !s.inbox.call(func() { turned <- struct{}{} }) {
			turned <- struct{}{}
		}
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	for range g.shards {
		select {
		case <-turned:
		case <-late.C:
			return false
		}
	}
	return true
}
