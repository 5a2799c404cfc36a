package engine

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"

	"ssedge/engine/httpapi"
	"ssedge/engine/memory"
	"ssedge/shard"
)

// Cost is what may be taken by what some settings bound, when it is at the bound.
type Cost struct {
	Of       string   // what it is
	Settings []string // fields of Config that it follows from
	Bytes    int64    // of this process's memory, when what can be collected and given back is
	Kernel   int64    // of the kernel's, which a cgroup counts, too
	Files    int64    // descriptors
}

// What one of each takes, in bytes, but for what the settings say. TestWhatTheBudgetSays measures
// the larger ones.
const (
	ownMemory      = 32 << 20 // the program, idle: runtime, buffers, 1,024 lines of the log
	redisMemory    = 64 << 20 // connections, and answers of the servers under way
	streamMemory   = 100      // a slot, its timer, its place at the topic, growing
	perTopicMemory = 64       // of a stream of several topics, each
	ownerMemory    = 160      // an address
	waitMemory     = 400      // a stream that waits for Redis, or to come into its shard
	topicMemory    = 640      // a topic, its log without events, its place in the table, growing
	followMemory   = 200      // a topic that is followed at Redis
	stateMemory    = 120      // a topic's subscribers at a shard
	keyMemory      = 300      // an idempotency key, its place in the queue, growing
	headMemory     = 300      // an incomplete head
	// a connection at net/http, buffered lines, and small buffers of a request that publishes
	requestMemory = 144 << 10
	// of the kernel's, of a connection without unsent data (tuning/need.go)
	socketMemory = 4 << 10
)

// Descriptors that are for neither streams, heads nor requests.
const (
	// standard streams, the log, the admin listener and its connections, spare ones
	ownFiles = 32 + httpapi.AdminConnectionsMax
	// masters, two connections each, and the clocks of 64 replicas
	redisFiles = 100
	shardFiles = 2 // an epoll set, and what wakes it
	pollFiles  = 2 // the same
)

// reservedLeast is how many descriptors are kept for that, at least: enough for Redis, too, on most
// machines (tuning/need.go).
const reservedLeast = 192

// reservedFiles is how many descriptors a node keeps for everything but streams, requests and
// heads.
func (c *Config) reservedFiles() int {
	shards, pollers := min(c.Shards, shard.ShardsMax), c.Pollers // more is refused
	n := ownFiles + shardFiles*shards + pollers*(pollFiles+len(c.Listen))
	if c.Redis.URL != "" {
		n += redisFiles
	}
	return max(n, reservedLeast)
}

// Budget is all that costs memory or descriptors, each at its bound. The sum is what a node can
// need at most: it is much more than one that serves needs, because not everything is at its bound
// at a time. StreamsMax must be set.
func (c *Config) Budget() []Cost {
	streams, topics, shards := int64(c.StreamsMax), int64(c.TopicsMax), int64(c.Shards)
	perStream, perTopic := int64(streamMemory), int64(topicMemory+c.Rule.TopicBytes)+4*shards
	if c.TopicsPerStream > 1 {
		perStream += perTopicMemory * int64(c.TopicsPerStream)
	}
	own := Cost{Of: "the server itself", Settings: []string{"Shards", "Pollers", "Workers"},
		Bytes: ownMemory + int64(c.Pollers*len(c.Listen)+c.Workers)*int64(c.HeadBytes),
		Files: int64(c.reservedFiles())}
	waiting := Cost{Of: "streams on their way into a shard", Settings: []string{"InboxMax"},
		Bytes: min(int64(c.InboxMax)*shards, streams) * waitMemory}
	if c.Redis.URL != "" {
		own.Bytes += redisMemory
		perTopic += followMemory
		waiting = Cost{Of: "streams that wait for Redis", Settings: []string{"InboxMax"},
			Bytes: streams * waitMemory}
	}
	if c.PerAddressMax > 0 {
		perStream += ownerMemory
	}
	return []Cost{
		own,
		{Of: "streams", Settings: []string{"StreamsMax", "TopicsPerStream", "PerAddressMax"},
			Bytes: streams * perStream, Kernel: streams * socketMemory, Files: streams},
		waiting,
		{Of: "topics", Settings: []string{"TopicsMax", "Rule.TopicBytes"}, Bytes: topics*perTopic +
			min(topics*shards, streams*int64(c.TopicsPerStream))*stateMemory},
		{Of: "history", Settings: []string{"HistoryMax", "HistoryBytes", "HistoryEvents"},
			Bytes: c.HistoryMax},
		{Of: "half-sent events", Settings: []string{"RestBytes"}, Bytes: c.RestBytes},
		{Of: "idempotency keys", Settings: []string{"KeysMax", "Rule.KeyBytes"},
			Bytes: int64(c.KeysMax) * int64(keyMemory+c.Rule.KeyBytes+c.Rule.TopicBytes)},
		{Of: "incomplete heads", Settings: []string{"HeadsMax", "HeadBytes"},
			Bytes:  int64(c.HeadsMax) * int64(headMemory+2*c.HeadBytes),
			Kernel: int64(c.HeadsMax) * socketMemory},
		{Of: "requests", Settings: []string{"HTTPConnectionsMax", "HeadersMax", "TargetBytes"},
			Bytes:  int64(c.HTTPConnectionsMax) * int64(requestMemory+3*c.HeadBytes),
			Kernel: int64(c.HTTPConnectionsMax) * socketMemory, Files: int64(c.HTTPConnectionsMax)},
		{Of: "requests that publish", Settings: []string{"PublishBytes", "BodyBytes",
			"Rule.EventBytes"}, Bytes: c.PublishBytes},
	}
}

// Overcommitted says in a line that the bounds together are more than the memory there is:
// --memory-max, limits that were set from outside, or the host's. It is "" if they fit. set reports
// whether that memory was set, and is not only what the host has.
func (c *Config) Overcommitted() (says string, set bool) {
	limits := memoryLimits()
	if c.MemoryMax > 0 {
		limits = append(limits, memory.Limit{Bytes: c.MemoryMax, Of: memoryMaxFlag})
	}
	if says := overcommitted(c.Budget(), limits...); says != "" {
		return says, true
	}
	return overcommitted(c.Budget(), memory.Physical(os.DirFS("/"))), false
}

const memoryMaxFlag = "--memory-max"

// overcommitted holds the costs against each limit, and says by which they are exceeded most.
func overcommitted(costs []Cost, limits ...memory.Limit) string {
	sum, kernel := int64(0), int64(0)
	for _, c := range costs {
		sum, kernel = plus(sum, c.Bytes), plus(kernel, c.Kernel)
	}
	var exceeded memory.Limit
	need, most := int64(0), int64(0)
	for _, l := range limits {
		all := sum
		if l.Sockets {
			all = plus(all, kernel)
		}
		if all-l.Bytes > most {
			exceeded, need, most = l, all, all-l.Bytes
		}
	}
	if most == 0 {
		return ""
	}
	costs, or := slices.Clone(costs), ", or the process slowed down or ended,"
	if exceeded.Of == memoryMaxFlag {
		or = ""
	}
	if exceeded.Sockets {
		costs = append(costs, Cost{Of: "sockets in the kernel", Bytes: kernel})
	}
	slices.SortStableFunc(costs, func(a, b Cost) int { return cmp.Compare(b.Bytes, a.Bytes) })
	var parts []string
	for _, c := range costs {
		if c.Bytes >= 1<<20 {
			parts = append(parts, fmt.Sprintf("%s %s", c.Of, mebibytes(c.Bytes)))
		}
	}
	return fmt.Sprintf("all bounds together need %s, more than %s, %s: new streams may be refused%s before a bound is reached. The parts: %s",
		mebibytes(need), exceeded.Of, mebibytes(exceeded.Bytes), or, strings.Join(parts, ", "))
}

// plus adds what is not negative, up to the most that there can be: some bounds may be as large as
// that.
func plus(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// WarnOfBudget logs that, if there is something to say.
func (c *Config) WarnOfBudget(log *slog.Logger) {
	switch says, set := c.Overcommitted(); {
	case says == "":
	case set:
		log.Warn(says)
	default:
		log.Info(says)
	}
}
