package topic

import "ssedge/shard/log"

// Acquire returns the topic called name, made if need be, and holds it: the caller owes a Release.
// name is copied if it is kept. The only error is ErrFull.
func (t *Table) Acquire(name []byte) (*Topic, error) {
	for {
		topic, err := t.acquire(name)
		if err == nil || !t.ForgetOldest() && !t.forgetUnheld() {
			return topic, err
		}
	}
}

func (t *Table) acquire(name []byte) (*Topic, error) {
	s := t.stripe(name)
	s.mu.RLock()
	topic := s.byName[string(name)]
	if topic != nil {
		topic.refs.Add(1)
	}
	s.mu.RUnlock()
	if topic != nil {
		return topic, nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if topic := s.byName[string(name)]; topic != nil {
		topic.refs.Add(1)
		return topic, nil
	}
	if t.topics.Add(1) > t.topicsMax {
		t.topics.Add(-1)
		return nil, ErrFull
	}
	topic = t.newTopic(name, log.New(t.floor(name).get()))
	topic.refs.Store(1)
	s.byName[topic.name] = topic
	s.peak = max(s.peak, len(s.byName))
	if t.upstream != nil {
		topic.log = log.NewForeign()
		topic.feed = &feed{}
		topic.feed.Feed = t.upstream.Follow(topic)
	}
	return topic, nil
}

func (t *Table) newTopic(name []byte, l log.Log) *Topic {
	topic := &Topic{name: string(name), table: t, log: l, local: make([]uint32, len(t.listeners))}
	for i := range topic.local {
		topic.local[i] = NoState
	}
	return topic
}

// Release gives back what Acquire held. A topic without holders and without
// history lingers, and is forgotten in time.
func (t *Table) Release(topic *Topic) {
	if topic.refs.Add(-1) == 0 && (t.upstream != nil || topic.unused()) {
		t.linger(topic)
	}
}
