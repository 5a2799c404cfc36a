package topic

import "fmt"

// What tests and simulations ask of a table.

// ForgetAll forgets all topics that nothing holds, and their history.
func (t *Table) ForgetAll() {
	for t.EvictOldest() {
	}
	for t.ForgetOldest() {
	}
}

// Verify checks a table of which no topic is held: each of its topics has history or lingers, and
// the account of memory is right. Nothing may use the table meanwhile.
func (t *Table) Verify() error {
	listed, held := 0, int64(0)
	for _, l := range []*topicList{&t.recency.used, &t.recency.idle} {
		for topic := l.oldest; topic != nil; topic = topic.newer {
			if t.Find(topic.name) == topic {
				listed++
			}
		}
	}
	var err error
	t.Each(func(topic *Topic) {
		if topic.refs.Load() != 0 || topic.interested.Load() != 0 {
			err = fmt.Errorf("topic %s has %d holders, interested %b", topic.name,
				topic.refs.Load(), topic.interested.Load())
		}
		held += topic.log.Held()
	})
	switch {
	case err != nil:
		return err
	case t.Topics() != listed:
		return fmt.Errorf("%d topics, of which %d can be forgotten", t.Topics(), listed)
	case t.HistoryBytes() != held:
		return fmt.Errorf("%d bytes of history by account, %d in the logs", t.HistoryBytes(), held)
	}
	return nil
}
