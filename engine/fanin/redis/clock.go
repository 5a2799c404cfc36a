package redis

import (
	"context"
	"sync"
	"time"
)

// clock estimates the servers' clocks, by which they give ids to events. It is given samples of
// masters with each probe and of replicas less often, since any replica may be promoted
// (replicas.go).
type clock struct {
	mu      sync.Mutex
	offsets map[string]offset // by server
}

// offset is by how much a server's clock is ahead, at least and at most, in milliseconds.
type offset struct {
	least, most int64
	at          int64 // when it was sampled (nanotime)
	master      bool  // it counts until it is forgotten, however old it is
}

// clockKept is how long the clock of a server that is no master counts after its last sample: the
// server may be promoted though this edge cannot reach it.
const clockKept = 10 * time.Minute

// sample notes that a server's clock said ms at some time between sent and got.
func (c *clock) sample(server string, sent, got, ms int64, master bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offsets == nil {
		c.offsets = make(map[string]offset)
	}
	c.offsets[server] = offset{ms - got, ms + 1 - sent, nanotime(), master ||
		c.offsets[server].master}
	c.expire(nanotime())
}

// expire forgets what was sampled too long ago.
func (c *clock) expire(now int64) {
	for server, o := range c.offsets {
		if !o.master && o.at+int64(clockKept) < now {
			delete(c.offsets, server)
		}
	}
}

// forget notes that a server is no master any more. It may be one again.
func (c *clock) forget(server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.offsets[server]; ok {
		o.master, o.at = false, nanotime()
		c.offsets[server] = o
	}
}

// slack is by how much clocks may have gone apart since the last sample, in milliseconds.
const slack = 1000

// lower is a time, in Unix milliseconds, that the clocks of all masters, and of all servers that
// may become one, have passed; upper is a time that none of them has reached.
func (c *clock) lower() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := int64(0)
	first := true
	for _, o := range c.offsets {
		if first || o.least < least {
			least, first = o.least, false
		}
	}
	return uint64(max(wallMS()+least-slack, 1))
}

func (c *clock) upper() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := int64(0)
	first := true
	for _, o := range c.offsets {
		if first || o.most > most {
			most, first = o.most, false
		}
	}
	return uint64(max(wallMS()+most+slack, 1))
}

// spread is the largest difference between the clocks of two servers, as far as samples can tell.
func (c *clock) spread() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var least, most int64 // twice the offset that a server's clock is supposed to have
	first := true
	for _, o := range c.offsets {
		twice := o.least + o.most
		if first {
			least, most, first = twice, twice, false
		}
		least, most = min(least, twice), max(most, twice)
	}
	return time.Duration(most-least) * time.Millisecond / 2
}

func wallMS() int64 { return time.Now().UnixMilli() }

var processStart = time.Now()

// nanotime is the process's monotonic clock.
func nanotime() int64 { return int64(time.Since(processStart)) }

// sleep waits; false if ctx ends meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
