package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"ssedge/engine/fanin/redis"
)

// With partitions only the key of a topic's own partition is taken: no edge listens for the topic
// elsewhere.
func TestTheScriptKnowsPartitions(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	client := r.dial(t)
	rng := newSeed(t).of("topics")
	for _, partitions := range []int{1, 2, 16, 512, redis.PartitionsMax} {
		config := publisher(redis.ByPartition)
		config.Partitions = partitions
		script := config.Script(redis.Standalone)
		topics := []string{"news", "\u00e4", "100%", "{a}b", "a", " ", "\U0001f600"}
		for range 100 {
			topics = append(topics, fmt.Sprintf("%x", rng.Uint64()>>rng.IntN(64)))
		}
		for _, topic := range topics {
			key := config.Key(topic)
			if got := client.do("EVAL", script, "1", key, "x"); !strings.HasSuffix(got, "\nnew") {
				t.Fatalf("%d partitions, %s: %s", partitions, key, got)
			}
			for _, wrong := range []string{"0", "1", "41", "007", "12345678",
				"99999999999999999999"} {
				other := "sse:{" + wrong + "}" + key[strings.IndexByte(key, '}')+1:]
				if other == key {
					continue
				}
				if got, want := client.do("EVAL", script, "1", other, "x"),
					"-ERR expected the key "+key+
						" (ssedge redis key), found "; !strings.HasPrefix(got, want) {
					t.Fatalf("%d partitions, %s: %s, expected %s", partitions, other, got, want)
				}
			}
		}
	}
}

// What the script is given too much, or would ignore, is refused.
func TestTheScriptIgnoresNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	client := r.dial(t)
	config := publisher(redis.ByTopic)
	for _, c := range [][]string{{"2", "sse:a", "sse:b", "x"}, {"1", "sse:a", "x", "", "", "", "5"},
		{"0", "x"}, {"1", "sse:a"}} {
		got := client.do(append([]string{"EVAL", config.Script(redis.Standalone)}, c...)...)
		if !strings.HasPrefix(got, "-ERR expected one key, that of a topic, and data, event name, idempotency key, reconnection time, found ") {
			t.Errorf("%q: %s", c, got)
		}
	}
	if got := client.do("DBSIZE"); got != "0" {
		t.Errorf("there are %s keys", got)
	}
}

// A publisher whose idempotency key may not be kept is refused, before anything is published.
func TestAKeyThatCannotBeKept(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	r.cli("ACL", "SETUSER", "p", "on", ">p", "~sse:*", "~{sse:*", "&sse:*", "+eval", "+get",
		"+xrevrange", "+xadd", "+xdel", "+xtrim", "+expire", "+publish")
	client := r.dial(t)
	client.do("AUTH", "p", "p")
	config := publisher(redis.ByTopic)
	for range 2 {
		if got := client.do("EVAL", config.Script(redis.Standalone), "1", "sse:a", "x", "",
			"k"); !strings.HasPrefix(got, "-") {
			t.Errorf("found %s", got)
		}
	}
	if got := r.cli("XLEN", "sse:a"); got != "0" {
		t.Errorf("%s events were published", got)
	}
	if got := client.do("EVAL", config.Script(redis.Standalone), "1", "sse:a",
		"x"); !strings.HasSuffix(got, "\nnew") {
		t.Errorf("without a key: %s", got)
	}
}
