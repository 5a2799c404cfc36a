package shard

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// Group is all shards of a node, and their topics. Its methods may be called
// from any goroutine; Start once, Stop once.
type Group struct {
	shards []*Shard
	table  *topic.Table
	rests  atomic.Int64
	next   atomic.Uint32
	ended  sync.WaitGroup
	stop   chan struct{}
}

// ShardsMax is how many shards a node can have.
const ShardsMax = topic.ListenersMax

// NewGroup makes c.Shards shards, at most ShardsMax, on the real kernel. It takes two descriptors
// for each.
func NewGroup(c Config, tc topic.Config) (*Group, error) {
	n := c.Shards
	if n < 1 || n > ShardsMax {
		return nil, fmt.Errorf("the number of shards must be 1 to %d, not %d", ShardsMax, n)
	}
	var kernels []sys.Kernel
	for range n {
		k, err := sys.Open()
		if err != nil {
			for _, k := range kernels {
				k.Release()
			}
			return nil, err
		}
		kernels = append(kernels, k)
	}
	return NewGroupOn(kernels, c, tc, nanotime(), uint64(time.Now().UnixNano())), nil
}

// NewGroupOn makes a shard on each of these kernels. The first turn is after now, in nanoseconds;
// seed is for the shards' random choices. A simulation does not start the shards, but calls Turn.
func NewGroupOn(kernels []sys.Kernel, c Config, tc topic.Config, now int64, seed uint64) *Group {
	g := &Group{table: topic.New(tc), stop: make(chan struct{})}
	for i, k := range kernels {
		g.shards = append(g.shards, newShard(i, &c, g.table, k, restBudget{&g.rests, c.RestBytes},
			now, seed))
	}
	g.table.Listen(listeners(g.shards))
	return g
}

// Turn makes each shard of a group that was not started take one turn, at the time now in
// nanoseconds. It reports whether all shards are idle.
func (g *Group) Turn(now int64) (idle bool) {
	idle = true
	for _, s := range g.shards {
		s.poll(0)
		idle = s.step(now) != 0 && idle
	}
	for _, s := range g.shards { // one may have work for another
		idle = s.inbox.depth.Load() == 0 && idle
	}
	return idle
}

// Expire drops the old history of a group that was not started. A started group does so once a
// second.
func (g *Group) Expire() { g.table.Expire() }

// Table returns the node's topics.
func (g *Group) Table() *topic.Table { return g.table }

// Shards returns how many there are.
func (g *Group) Shards() int { return len(g.shards) }

// InboxDepth returns how many joins, topics with news and calls wait for the shards.
func (g *Group) InboxDepth() (n int64) {
	for _, s := range g.shards {
		n += int64(s.inbox.depth.Load()) + s.stats.Inbox.Load()
	}
	return n
}

// Stats returns the counts of each shard.
func (g *Group) Stats() []*Stats {
	all := make([]*Stats, len(g.shards))
	for i, s := range g.shards {
		all[i] = &s.stats
	}
	return all
}

// Crowded reports whether GOMAXPROCS leaves no place for goroutines beside the shards. Then shards
// yield to the scheduler as well, which costs a busy shard some 10 %.
func (g *Group) Crowded() bool { return runtime.GOMAXPROCS(0) <= len(g.shards) }

// Start starts the shards' goroutines, and one that lets old history go.
func (g *Group) Start() {
	crowded := g.Crowded()
	for _, s := range g.shards {
		s.crowded = crowded
		g.ended.Add(1)
		go func() {
			defer g.ended.Done()
			s.run()
		}()
	}
	g.ended.Add(1)
	go g.expire()
}

func (g *Group) expire() {
	defer g.ended.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.table.Expire()
		case <-g.stop:
			return
		}
	}
}

// Join hands a connection to a shard, the next in turn, and answers the client if that can be done
// at once. After an error the descriptor and the holds on the topics are still the caller's, and
// the client has been told nothing. The shard looks at what has joined soon after Wake is called:
// once for a batch. scratch is used, and returned to be used again.
func (g *Group) Join(j Join, scratch []byte) ([]byte, error) {
	s := g.shards[int(g.next.Add(1))%len(g.shards)]
	if err := s.inbox.room(); err != nil {
		return scratch, err
	}
	scratch = s.greet(&j, scratch)
	err := s.inbox.join(j)
	if err != nil && j.greeting.done { // the shard has stopped in this moment
		s.stats.Joined.Add(1)
		s.stats.Closed[ClosedShutdown].Add(1)
		sys.Close(j.Fd) // the shard's kernel is its goroutine's
		s.releaseTopics(&j)
		if s.config.OnClose != nil {
			s.config.OnClose(j.Owner, ClosedShutdown)
		}
		err = nil
	}
	return scratch, err
}

// Wake makes the shards look at what has joined.
func (g *Group) Wake() {
	for _, s := range g.shards {
		if s.inbox.depth.Load() != 0 {
			s.inbox.wake()
		}
	}
}

// Drain ends all streams: each is brought up to date, told when to come back, and
// closed, at most rate a second in all. Streams that are left after timeout are closed
// as they are. It returns when there is no stream any more. No stream may join meanwhile.
func (g *Group) Drain(rate float64, timeout time.Duration) {
	var left sync.WaitGroup
	for _, s := range g.shards {
		left.Add(1)
		if !s.inbox.call(func() { s.startDrain(rate/float64(len(g.shards)), timeout, left.Done) }) {
			left.Done()
		}
	}
	left.Wait()
}

// Stop closes all streams and ends the goroutines. A stream that joins from then on
// gets ErrStopped.
func (g *Group) Stop() {
	close(g.stop)
	for _, s := range g.shards {
		s.inbox.call(s.stop)
	}
	g.ended.Wait()
}
