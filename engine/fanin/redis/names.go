package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ssedge/proto/rule"
)

// FanIn is through which channels events come to an edge.
type FanIn string

const (
	// one for each topic; an edge subscribes those of the topics that it has subscribers of
	ByTopic FanIn = "topic"
	// some for all topics: an edge gets the events of all topics that share one
	ByPartition FanIn = "partition"
)

// PartitionsMax is how many partitions there can be: each has a range of slots.
const PartitionsMax = 4096

// CheckFanIn says what is wrong with these settings: nil, or in one line what was expected.
func CheckFanIn(f FanIn, partitions int) error {
	switch f {
	case ByTopic, ByPartition:
	case "pattern":
		return errors.New("expected topic or partition: pattern is gone. With topic an edge subscribes what it needs, under the same names; with --partitions=1 partition hears of all topics")
	default:
		return fmt.Errorf("expected topic or partition, found %.20q", string(f))
	}
	if partitions < 1 || partitions > PartitionsMax || partitions&(partitions-1) != 0 {
		return fmt.Errorf("expected a power of two from 1 to %d as the number of partitions, found %d", PartitionsMax, partitions)
	}
	return nil
}

// CheckPrefix checks a prefix of names. The names are made of it and a topic, and clients of Redis
// write them as text.
func CheckPrefix(prefix string) error {
	if strings.ContainsAny(prefix, "{}%") || (rule.Limits{}).Topic([]byte("x"+prefix)) != nil {
		// it may be empty, or begin with $
		return fmt.Errorf("expected UTF-8 without control characters, braces and per cent signs, found %s", rule.Quote([]byte(prefix)))
	}
	return nil
}

// names says what topics are called at the servers. It is never changed.
//
//	         stream (key)     channel it is sent to   subscribed
//	topic      sse:news         sse:news                sse:news
//	partition  sse:{17}news     sse:{17}                sse:{17}
//
// A partition has a range of a cluster's slots: those topics are of it whose names are in these
// slots, and what stands in its braces is the least number that is in one of them. So topics are
// spread over masters as evenly as slots are.
type names struct {
	prefix string
	fanIn  FanIn
	tags   []string // of the partitions
}

func newNames(c *Config) names {
	n := names{prefix: c.Prefix, fanIn: c.FanIn}
	if c.FanIn == ByPartition {
		n.tags = partitionTags(c.Partitions)
	}
	return n
}

// partitionTags are what stands in the braces of each partition.
func partitionTags(partitions int) []string {
	tags := make([]string, partitions)
	for k, left := 0, partitions; left > 0; k++ {
		tag := strconv.Itoa(k)
		if p := int(slotOf(tag)) * partitions / slotsMax; tags[p] == "" {
			tags[p] = tag
			left--
		}
	}
	return tags
}

// key is the name of a topic's stream. Braces, which would make a part of it decide about
// the slot, are escaped.
func (n *names) key(topic string) string {
	if strings.ContainsAny(topic, "{}%") {
		topic = escaper.Replace(topic)
	}
	if n.fanIn != ByPartition {
		return n.prefix + topic
	}
	return n.prefix + n.tag(topic) + topic
}

func (n *names) tag(escaped string) string {
	return "{" + n.tags[int(slotOf(escaped))*len(n.tags)/slotsMax] + "}"
}

// subscription is the name under which a topic's events are subscribed; that of others may be the
// same if names are shared.
func (n *names) subscription(topic string) string {
	key := n.key(topic)
	if n.fanIn == ByPartition {
		return key[:strings.IndexByte(key, '}')+1]
	}
	return key
}

// shared reports whether several topics have the same subscription.
func (n *names) shared() bool { return n.fanIn == ByPartition }

// topicOf is the topic of a channel, false if it is none's. With partitions, the message says of
// which topic it is.
func (n *names) topicOf(channel string) (topic string, ok bool) {
	escaped, ok := strings.CutPrefix(channel, n.prefix)
	if !ok {
		return "", false
	}
	return unescape(escaped)
}

// unescape is the topic that is written so, false if none is: sse:100% would be a second name of
// what is sse:100%25.
func unescape(escaped string) (topic string, ok bool) {
	if !strings.ContainsAny(escaped, "{}%") {
		return escaped, true
	}
	topic = unescaper.Replace(escaped)
	return topic, escaper.Replace(topic) == escaped
}

var (
	escaper   = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")
	unescaper = strings.NewReplacer("%25", "%", "%7B", "{", "%7D", "}")
)
