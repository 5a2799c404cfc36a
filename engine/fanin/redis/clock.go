package redis

import (
	"context"
	"sync"
	"time"
)

// clock estimates what the servers' clocks say, from samples taken with each probe. Ids of
// events are times of those clocks.
type clock struct {
	mu      sync.Mutex
	offsets map[string]offset // by node
}

// offset is by how much a server's clock is ahead, at least and at most, in milliseconds.
type offset struct{ least, most int64 }

// sample notes that a server's clock said ms at some time between sent and got.
func (c *clock) sample(node string, sent, got, ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offsets == nil {
		c.offsets = make(map[string]offset)
	}
	c.offsets[node] = offset{ms - got, ms + 1 - sent}
}

// forget forgets a node that is no more.
func (c *clock) forget(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.offsets, node)
}

// slack is by how much clocks may have gone apart since the last sample, in milliseconds.
const slack = 1000

// lower is a time, in Unix milliseconds, that every server's clock has passed; upper one that none
// has reached.
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
