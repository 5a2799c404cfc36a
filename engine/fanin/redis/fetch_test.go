package redis

import "testing"

// What a stream waits for is read first, and the others not before their time.
func TestUrgentReadingsGoFirst(t *testing.T) {
	f := followed(t)
	q := &f.source.only.fetches
	followers := func(n int) (all []*follower) {
		for range n {
			all = append(all, &follower{source: f.source, topic: f.topic})
		}
		return all
	}
	others, urgent := followers(3), followers(2)
	q.others = append(q.others, others...)
	q.urgent = append(q.urgent, urgent...)
	batch, n := q.take(10, false)
	if len(batch) != 2 || n != 2 || batch[0] != urgent[0] || batch[1] != urgent[1] {
		t.Errorf("while others must wait: %d followers, %d urgent", len(batch), n)
	}
	q.putBack(batch[1:], 1)
	if batch, n = q.take(2, true); len(batch) != 2 || n != 1 || batch[0] != urgent[1] ||
		batch[1] != others[0] {
		t.Errorf("then: %d followers, %d urgent", len(batch), n)
	}
	if batch, n = q.take(10, true); len(batch) != 2 || n != 0 || batch[0] != others[1] {
		t.Errorf("in the end: %d followers, %d urgent", len(batch), n)
	}
}
