package redis

import (
	"context"
	"slices"
	"strconv"

	"ssedge/engine/fanin"
)

// TopicCounts returns the subscribers of topics over all edges: of those that are named or, if none
// is, of the limit that have the most. It holds a number for each topic, and everything else only
// for those that it returns.
func (s *Source) TopicCounts(ctx context.Context, names []string, limit int) ([]fanin.TopicCount,
	error) {
	edges, err := s.Edges(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if names, err = s.largest(ctx, edges, limit); err != nil || len(names) == 0 {
			return []fanin.TopicCount{}, err
		}
	}
	sums := map[string]*fanin.TopicCount{}
	for _, e := range edges {
		for batch := range slices.Chunk(names, presenceBatch) {
			counts, err := s.client.Do(ctx,
				s.client.B().Hmget().Key(s.presenceKey("topics:"+e.Name)).Field(batch...).Build()).
				ToArray()
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
					sum = &fanin.TopicCount{Topic: batch[i], Edges: map[string]int{}}
					sums[batch[i]] = sum
				}
				sum.Subscribers += n - sum.Edges[e.Name] // a name may be given twice
				sum.Edges[e.Name] = n
			}
		}
	}
	all := make([]fanin.TopicCount, 0, len(sums))
	for _, c := range sums {
		all = append(all, *c)
	}
	return fanin.Sorted(all, limit), nil
}

// largest returns the names of the topics with the most subscribers.
func (s *Source) largest(ctx context.Context, edges []fanin.Edge, limit int) ([]string, error) {
	sums := map[string]int{}
	for _, e := range edges {
		for cursor := uint64(0); ; {
			part, err := s.client.Do(ctx, s.client.B().Hscan().Key(s.presenceKey("topics:"+e.Name)).
				Cursor(cursor).Count(1000).Build()).AsScanEntry()
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
	top := fanin.Top{Limit: limit}
	for topic, n := range sums {
		top.Add(topic, n)
	}
	return top.Names(), nil
}
