package shard

import "sync"

// recency keeps the topics that have history in the order of their last publish,
// to the second: finer would take its lock with every event.
type recency struct {
	mu     sync.Mutex
	newest *Topic
	oldest *Topic
}

// secondOf is a time as the list knows it: never 0, which is "not in the list".
func secondOf(ms uint64) uint32 { return uint32(ms/1000) + 1 }

// used notes that t was published to at now and that its log takes grown bytes
// more, and makes room if all logs together take too much.
func (t *Table) used(topic *Topic, nowMS uint64, grown int64) {
	r := &t.recency
	second := secondOf(nowMS)
	held := t.held.Add(grown)
	// Read without the lock: whoever takes the topic out of the list after this
	// also empties its log after this.
	if topic.usedSecond.Load() != second {
		r.mu.Lock()
		r.unlink(topic)
		r.link(topic, second)
		r.mu.Unlock()
	}
	if held > t.historyMax {
		t.evict()
	}
}

// evict empties the least recently used logs until what is left fits.
func (t *Table) evict() {
	for t.held.Load() > t.historyMax {
		topic := t.recency.takeOldest()
		if topic == nil {
			return
		}
		if t.empty(topic) {
			t.Evicted.Add(1)
		}
	}
}

// expire empties the logs whose newest event is older than the retention's age:
// a busy topic trims itself, an idle one has nobody else to do it. It is called
// about once a second.
func (t *Table) expire() {
	age := t.retention.AgeMS
	if age <= 0 {
		return
	}
	now := t.nowMS()
	if now < uint64(age) {
		return
	}
	before := secondOf(now - uint64(age))
	for {
		topic := t.recency.takeOlderThan(before)
		if topic == nil {
			return
		}
		topic.mu.Lock()
		shrunk := topic.log.trim(&t.retention, now)
		left := topic.log.events
		topic.mu.Unlock()
		t.held.Add(-shrunk)
		if left > 0 { // published to in between
			t.used(topic, now, 0)
			continue
		}
		t.settle(topic)
	}
}

// empty drops a topic's whole log.
func (t *Table) empty(topic *Topic) bool {
	topic.mu.Lock()
	had := topic.log.events > 0
	shrunk := topic.log.clear()
	topic.mu.Unlock()
	t.held.Add(-shrunk)
	t.settle(topic)
	return had
}

// settle follows the emptying of a log: shards let go of half-sent bytes of it,
// and the topic is forgotten if that was all there was.
func (t *Table) settle(topic *Topic) {
	topic.wake()
	if topic.refs.Load() == 0 {
		t.forgetIfUnused(topic)
	}
}

func (r *recency) takeOldest() *Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	topic := r.oldest
	if topic != nil {
		r.unlink(topic)
	}
	return topic
}

func (r *recency) takeOlderThan(second uint32) *Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	topic := r.oldest
	if topic == nil || topic.usedSecond.Load() >= second {
		return nil
	}
	r.unlink(topic)
	return topic
}

func (r *recency) link(t *Topic, second uint32) {
	t.usedSecond.Store(second)
	t.older, t.newer = r.newest, nil
	if r.newest != nil {
		r.newest.newer = t
	} else {
		r.oldest = t
	}
	r.newest = t
}

func (r *recency) unlink(t *Topic) {
	if t.usedSecond.Load() == 0 {
		return
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		r.newest = t.older
	}
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		r.oldest = t.newer
	}
	t.newer, t.older = nil, nil
	t.usedSecond.Store(0)
}
