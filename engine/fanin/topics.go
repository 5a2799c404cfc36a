package fanin

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Edge is what an edge says of itself.
type Edge struct {
	Name     string    `json:"edge"`
	Instance string    `json:"instance"` // differs for two of the same name
	Version  string    `json:"version"`
	Streams  int       `json:"streams"`
	Topics   int       `json:"topics"`
	Seen     time.Time `json:"seen"`

	Settings map[string]string `json:"settings,omitempty"` // those in which all edges must agree
}

// TopicCount is the subscribers of a topic, on all edges together.
type TopicCount struct {
	Topic       string         `json:"topic"`
	Subscribers int            `json:"subscribers"`
	Edges       map[string]int `json:"edges"`
}

// Sorted returns the first limit of topics, those with the most subscribers first.
func Sorted(all []TopicCount, limit int) []TopicCount {
	slices.SortFunc(all, func(a, b TopicCount) int {
		return cmp.Or(cmp.Compare(b.Subscribers, a.Subscribers), cmp.Compare(a.Topic, b.Topic))
	})
	return all[:min(len(all), limit)]
}

// Top finds the topics with the most subscribers, in memory for Limit of them.
type Top struct {
	Limit int
	least leastFirst
}

// Add takes a topic into account, once.
func (t *Top) Add(topic string, subscribers int) {
	c := topicTotal{topic, subscribers}
	switch {
	case len(t.least) < t.Limit:
		heap.Push(&t.least, c)
	case t.least[0].before(c):
		t.least[0] = c
		heap.Fix(&t.least, 0)
	}
}

// Names returns what was found, in no order.
func (t *Top) Names() (all []string) {
	for _, c := range t.least {
		all = append(all, c.topic)
	}
	return all
}

type topicTotal struct {
	topic       string
	subscribers int
}

// before reports whether c goes before d where the least come first.
func (c topicTotal) before(d topicTotal) bool {
	return cmp.Or(cmp.Compare(c.subscribers, d.subscribers), cmp.Compare(d.topic, c.topic)) < 0
}

// leastFirst is a heap with the topic with the fewest subscribers at its top.
type leastFirst []topicTotal

func (l leastFirst) Len() int           { return len(l) }
func (l leastFirst) Less(i, j int) bool { return l[i].before(l[j]) }
func (l leastFirst) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *leastFirst) Push(x any)        { *l = append(*l, x.(topicTotal)) }
func (l *leastFirst) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}
