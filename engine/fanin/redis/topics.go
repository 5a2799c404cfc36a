package redis

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"strconv"
)

// TopicCount is the subscribers of a topic, on all edges together.
type TopicCount struct {
	Topic       string         `json:"topic"`
	Subscribers int            `json:"subscribers"`
	Edges       map[string]int `json:"edges"`
}

// TopicCounts returns the subscribers of topics over all edges: of those that are named or, if none is, of the limit that have
// the most. It holds a number for each topic, and everything else only for those that it returns.
func (s *Source) TopicCounts(ctx context.Context, names []string, limit int) ([]TopicCount, error) {
	edges, err := s.Edges(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if names, err = s.largest(ctx, edges, limit); err != nil || len(names) == 0 {
			return []TopicCount{}, err
		}
	}
	sums := map[string]*TopicCount{}
	for _, e := range edges {
		for batch := range slices.Chunk(names, presenceBatch) {
			counts, err := s.client.Do(ctx, s.client.B().Hmget().Key(s.presenceKey("topics:"+e.Name)).Field(batch...).Build()).ToArray()
			if err != nil {
				return nil, err
			}
			for i, c := range counts {
				text, _ := c.ToString()
				n, err := strconv.Atoi(text)
				if err != nil || n <= 0 {
					continue
				}
				sum := sums[batch[i]]
				if sum == nil {
					sum = &TopicCount{Topic: batch[i], Edges: map[string]int{}}
					sums[batch[i]] = sum
				}
				sum.Subscribers += n - sum.Edges[e.Name] // a name may be given twice
				sum.Edges[e.Name] = n
			}
		}
	}
	all := make([]TopicCount, 0, len(sums))
	for _, c := range sums {
		all = append(all, *c)
	}
	return Sorted(all, limit), nil
}

// largest returns the names of the topics with the most subscribers.
func (s *Source) largest(ctx context.Context, edges []Edge, limit int) ([]string, error) {
	sums := map[string]int{}
	for _, e := range edges {
		for cursor := uint64(0); ; {
			part, err := s.client.Do(ctx, s.client.B().Hscan().Key(s.presenceKey("topics:"+e.Name)).Cursor(cursor).Count(1000).Build()).AsScanEntry()
			if err != nil {
				return nil, err
			}
			for i := 0; i+1 < len(part.Elements); i += 2 {
				if n, err := strconv.Atoi(part.Elements[i+1]); err == nil && n > 0 {
					sums[part.Elements[i]] += n
				}
			}
			if cursor = part.Cursor; cursor == 0 {
				break
			}
		}
	}
	top := Top{Limit: limit}
	for topic, n := range sums {
		top.Add(topic, n)
	}
	return top.Names(), nil
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
