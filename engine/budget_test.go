package engine_test

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/fanin"
	"ssedge/engine/memory"
	"ssedge/engine/setting"
	"ssedge/shard"
	"ssedge/shard/log"
	topics "ssedge/shard/topic"
)

// costless are limits that bound time, or a part of something that another setting bounds.
var costless = strings.Fields("AcceptRate PollMax Lifetime WriteStall HeadTimeout HTTPIdle BodyTimeout KeyTTL HistoryAge MemoryMax Redis.TTL Redis.Timeout Redis.ReadRate Redis.CatchUpRate")

// Every limit is in the budget, with the settings that there are, or is known to cost neither
// memory nor descriptors.
func TestEveryLimitIsInTheBudget(t *testing.T) {
	c := keyed()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	var in []string
	for _, cost := range c.Budget() {
		in = append(in, cost.Settings...)
		if cost.Of == "" || cost.Bytes <= 0 {
			t.Errorf("%+v: expected a name and a cost", cost)
		}
	}
	for _, field := range limits() {
		if slices.Contains(in, field) == slices.Contains(costless, field) {
			t.Errorf("limit %s must be in the budget, or be listed as costing nothing", field)
		}
	}
	for _, field := range in {
		if !slices.ContainsFunc(setting.All(&c), func(o setting.One) bool {
			return o.Path == field
		}) {
			t.Errorf("the budget names %s, which is no setting", field)
		}
	}
}

// taken is what a collection leaves of what f makes and returns.
func taken(f func() any) int64 {
	inUse := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := inUse()
	made := f()
	took := inUse() - before
	runtime.KeepAlive(made)
	return took
}

// What there may be most of takes no more than the budget says. Names are as long as they may be.
func TestWhatTheBudgetSays(t *testing.T) {
	const many = 20_000
	c := keyed()
	c.Shards, c.TopicsMax, c.KeysMax, c.StreamsMax = 2, many, many, many
	says := func(of string) int64 {
		for _, cost := range c.Budget() {
			if cost.Of == of {
				return cost.Bytes
			}
		}
		t.Fatalf("there is no cost of %s", of)
		return 0
	}
	long := func(i int) []byte { return fmt.Appendf(nil, "%0*d", c.Rule.TopicBytes, i) }
	newGroup := func() *shard.Group {
		g, err := shard.NewGroup(
			shard.Config{Delivery: shard.Delivery{WriteStall: time.Hour, Retry: time.Second,
				RestBytes: 1, InboxMax: 1}, Turns: shard.Turns{Shards: c.Shards, TurnSends: 1,
				TurnTime: time.Second}}, topics.Config{
				Retention: log.Retention{AgeMS: 3_600_000}, HistoryMax: 1 << 30, TopicsMax: many,
			})
		if err != nil {
			t.Fatal(err)
		}
		g.Start()
		t.Cleanup(g.Stop)
		return g
	}
	g := newGroup()
	if took := taken(func() any {
		for i := range many {
			if _, err := g.Table().Acquire(long(i)); err != nil {
				t.Fatal(err)
			}
		}
		return g
	}); took > says("topics") || took < says("topics")/4 {
		t.Errorf("%d topics take %d bytes, the budget says %d", many, took, says("topics"))
	}
	keys := fanin.NewMemory(fanin.MemoryConfig{KeyLimit: fanin.KeyLimit{KeysMax: many},
		KeyTTL: time.Hour})
	keys.Attach(newGroup().Table())
	if took := taken(func() any {
		for i := range 2 * many { // the queue has grown, and moved up
			if _, err := keys.Publish(&fanin.Event{Topic: long(0), Key: string(long(i)),
				Body: []byte("data: x\n")}); err != nil {
				t.Fatal(err)
			}
		}
		return keys
	}); took > says("idempotency keys")+4<<20 || took < says("idempotency keys")/4 { // and a log
		t.Errorf("%d keys take %d bytes, the budget says %d", many, took, says("idempotency keys"))
	}
}

// The descriptors that are reserved are as many as a node takes for itself, with as many shards as
// there can be.
func TestReservedFilesAreEnough(t *testing.T) {
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	startNode(t, nil) // what the process opens once
	before := count()
	var reserved int
	startNode(t, func(c *engine.Config) {
		c.Shards, c.Pollers = shard.ShardsMax, 16
		c.Listen = []string{"127.0.0.1:0", "[::1]:0", "127.0.0.2:0"}
		reserved = c.ReservedFiles()
	})
	if took := count() - before; took > reserved || took < reserved/2 {
		t.Errorf("a node takes %d descriptors for itself, %d are reserved", took, reserved)
	}
}

// The sum is held against the memory there is. The kernel's sockets count in some limits.
func TestBoundsThatAreMoreThanTheMemory(t *testing.T) {
	costs := []engine.Cost{{Of: "small", Bytes: 1 << 20},
		{Of: "streams", Bytes: 2 << 20, Kernel: 10 << 20}, {Of: "large", Bytes: 7 << 20}}
	at := func(mib, less int64, of string) memory.Limit {
		return memory.Limit{Bytes: mib<<20 - less, Of: of, Sockets: strings.HasPrefix(of, "/")}
	}
	for _, c := range []struct {
		limits []memory.Limit
		says   string
	}{
		{nil, ""},
		{[]memory.Limit{at(10, 0, "--memory-max"), at(20, 0, "/sys/memory.max"),
			at(10, 0, "GOMEMLIMIT")}, ""},
		{[]memory.Limit{at(8<<20, 0, "--memory-max")}, ""},
		{
			[]memory.Limit{at(10, 1,
				"--memory-max")}, "all bounds together need 10 MiB, more than --memory-max, 9 MiB: new streams may be refused before a bound is reached. The parts: large 7 MiB, streams 2 MiB, small 1 MiB"},
		{
			[]memory.Limit{at(10, 1,
				"GOMEMLIMIT")}, "all bounds together need 10 MiB, more than GOMEMLIMIT, 9 MiB: new streams may be refused, or the process slowed down or ended, before"},
		{
			[]memory.Limit{at(20, 1,
				"/sys/memory.max")}, "all bounds together need 20 MiB, more than /sys/memory.max, 19 MiB: new streams may be refused, or the process slowed down or ended, before a bound is reached. The parts: sockets in the kernel 10 MiB, large 7 MiB, streams 2 MiB, small 1 MiB"},
		{[]memory.Limit{at(15, 0, "--memory-max"), at(12, 0, "/x"), at(9, 0, "GOMEMLIMIT")},
			"all bounds together need 20 MiB, more than /x, 12 MiB"},
	} {
		if got := engine.OvercommittedBy(costs, c.limits...); (c.says == "") != (got == "") ||
			!strings.HasPrefix(got, c.says) {
			t.Errorf("%+v: found %q, expected %q", c.limits, got, c.says)
		}
	}
	for _, c := range []engine.Cost{{Of: "huge", Bytes: math.MaxInt64},
		{Of: "huge", Kernel: math.MaxInt64}} {
		// the sum is no more than that, and not negative
		if got := engine.OvercommittedBy(append(costs[:3:3], c),
			at(20, 0, "/sys/memory.max")); !strings.HasPrefix(got,
			"all bounds together need 8796093022207 MiB, more than /sys/memory.max") {
			t.Errorf("%+v: found %q", c, got)
		}
	}
	if costs[0].Of != "small" {
		t.Error("the budget was changed")
	}
}
