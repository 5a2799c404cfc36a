package redis

import (
	"testing"
	"time"
)

// near reports whether a time of the servers' clocks is that of this machine's clock, plus more.
func near(ms uint64, more time.Duration) bool {
	apart := int64(ms) - wallMS() - more.Milliseconds()
	return -100 < apart && apart < 100
}

// The clocks of masters count, and those of servers that may become masters. The clock furthest
// behind tells which time all have passed, the one furthest ahead which time none has reached.
func TestClocksOfAllServersCount(t *testing.T) {
	const minute = 60_000
	at := wallMS()
	var c clock
	if !near(c.lower(), -slack*time.Millisecond) || !near(c.upper(), slack*time.Millisecond) ||
		c.spread() != 0 {
		t.Errorf("without samples: from %d to %d, %v apart, at %d", c.lower(), c.upper(),
			c.spread(), at)
	}
	c.sample("master", at, at, at, true)
	c.sample("replica", at-40, at, at-30*minute, false) // its answer took 40 ms
	c.sample("other", at, at, at+minute, false)
	if !near(c.lower(), -30*time.Minute-time.Second) {
		t.Errorf("lower is %d, expected half an hour less than %d", c.lower(), at)
	}
	if !near(c.upper(), time.Minute+time.Second) {
		t.Errorf("upper is %d, expected a minute more than %d", c.upper(), at)
	}
	if spread := c.spread(); spread != 31*time.Minute-20*time.Millisecond {
		t.Errorf("the spread is %v, expected 31 minutes less 20 ms", spread)
	}
	c.sample("replica", at, at, at, false) // its clock was set
	if !near(c.lower(), -time.Second) {
		t.Errorf("lower is %d after the clock was set, expected a second less than %d", c.lower(),
			at)
	}
}

// A clock is forgotten when its server has not answered for long, unless the server is a master.
func TestClocksAreForgotten(t *testing.T) {
	at := wallMS()
	var c clock
	c.sample("master", at, at, at-3000, true)
	c.sample("replica", at, at, at-2000, false)
	c.sample("master", at, at, at-3000, false) // as one of all servers
	sampled := nanotime()
	c.expire(sampled + int64(clockKept-time.Second))
	if len(c.offsets) != 2 {
		t.Fatalf("%d clocks are known, expected both", len(c.offsets))
	}
	c.expire(sampled + int64(clockKept+time.Second))
	if _, ok := c.offsets["master"]; !ok || len(c.offsets) != 1 {
		t.Fatalf("known are %v, expected the master's", c.offsets)
	}
	c.forget("master") // it is a replica now, and may come back
	if !near(c.lower(), -4*time.Second) {
		t.Error("a former master's clock does not count any more")
	}
	c.expire(nanotime() + int64(clockKept+time.Second))
	if len(c.offsets) != 0 {
		t.Errorf("known are %v, expected none", c.offsets)
	}
	c.forget("unknown")
	if len(c.offsets) != 0 {
		t.Errorf("known are %v, expected none", c.offsets)
	}
}
