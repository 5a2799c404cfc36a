package redis

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		way                            FanIn
		prefix, topic, key, subscribed string
	}{
		{ByTopic, "sse:", "news", "sse:news", "sse:news"},
		{ByTopic, "", "a{b}%", "a%7Bb%7D%25", "a%7Bb%7D%25"},
		{ByPartition, "sse:", "news", "sse:{28}news", "sse:{28}"},
		{ByPartition, "sse:", "{news}", "sse:{10}%7Bnews%7D", "sse:{10}"},
	} {
		n := newNames(
			&Config{Settings: Settings{Shared: Shared{Prefix: c.prefix, FanIn: c.way,
				Partitions: 64}}})
		if got := n.key(c.topic); got != c.key {
			t.Errorf("%s: the key of %s is %s, expected %s", c.way, c.topic, got, c.key)
		}
		if got := n.subscription(c.topic); got != c.subscribed {
			t.Errorf("%s: %s is subscribed as %s, expected %s", c.way, c.topic, got, c.subscribed)
		}
		if topic, ok := n.topicOf(c.key); c.way != ByPartition && (!ok || topic != c.topic) {
			t.Errorf("%s: the topic of %s is %s, %v", c.way, c.key, topic, ok)
		}
	}
}

// A topic has one name at the servers: what is escaped in another way is none's.
func TestOtherEscapesAreNoTopics(t *testing.T) {
	n := newNames(&Config{Settings: Settings{Shared: Shared{Prefix: "sse:", FanIn: ByTopic}}})
	for channel, topic := range map[string]string{
		"sse:news": "news", "sse:100%25": "100%", "sse:%257B": "%7B", "sse:%7B%7D": "{}",
		"news": "", "sse:100%": "", "sse:%7b": "", "sse:%41": "", "sse:{3}news": "",
		"sse:%%257B": "", "sse:a}": "",
	} {
		if got, ok := n.topicOf(channel); ok != (topic != "") || ok && got != topic {
			t.Errorf("the topic of %s is %q, %v", channel, got, ok)
		}
	}
}

// A partition's key is in the partition's range of slots, whatever its topic is, and every range
// has one.
func TestPartitionsAreSpreadAsSlotsAre(t *testing.T) {
	for _, partitions := range []int{1, 2, 64, 1024, PartitionsMax} {
		n := newNames(
			&Config{Settings: Settings{Shared: Shared{FanIn: ByPartition, Partitions: partitions}}})
		used := map[string]bool{}
		for i := range 20 * partitions {
			topic := fmt.Sprint("topic", i)
			key := n.key(topic)
			if got, want := int(slotOf(key))*partitions/slotsMax,
				int(slotOf(topic))*partitions/slotsMax; got != want {
				t.Fatalf("%s is in range %d of %d, its topic's is %d", key, got, partitions, want)
			}
			used[n.subscription(topic)] = true
		}
		if len(used) != partitions {
			t.Errorf("%d of %d partitions are used", len(used), partitions)
		}
	}
}

func TestFanInMistakes(t *testing.T) {
	for _, c := range []struct {
		way        FanIn
		partitions int
		good       bool
	}{
		{ByTopic, 64, true}, {"pattern", 64, false}, {ByTopic, 0, false}, {ByPartition, 1, true},
		{ByPartition, PartitionsMax, true},
		{ByPartition, 0, false}, {ByPartition, 3, false}, {ByPartition, 2 * PartitionsMax, false},
		{ByPartition, -2, false}, {"", 1, false}, {"topics", 1, false},
	} {
		if err := CheckFanIn(c.way, c.partitions); (err == nil) != c.good {
			t.Errorf("%s, %d: %v", c.way, c.partitions, err)
		}
	}
}
