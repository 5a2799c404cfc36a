package topic

import (
	"sync"

	"ssedge/shard/log"
)

// recency has two LRU lists, of topics with history and of idle topics. Their order is
// exact to the second: a finer one would take the lock with every event. A topic is in
// one of the lists or in none.
type recency struct {
	mu   sync.Mutex
	used topicList // with history, by the last publish
	idle topicList // with neither history nor holder, by when it became so
}

// topicList is linked through the topics.
type topicList struct {
	newest, oldest *Topic
	len            int
}

// idlePart is the part of all topics, 1/8, that may be idle: a client that may subscribe
// can make topics, and leave them.
const idlePart = 8

// A stamp is a list and the second since when a topic is in it: odd in idle, even
// in used, 0 in none.
func usedAt(ms uint64) uint64    { return secondOf(ms) << 1 }
func idleSince(ms uint64) uint64 { return secondOf(ms)<<1 | 1 }
func secondOf(ms uint64) uint64  { return ms/1000 + 1 }

func (r *recency) list(stamp uint64) *topicList {
	if stamp&1 != 0 {
		return &r.idle
	}
	return &r.used
}

// used notes that t was published to and that its log has grown by so many bytes, and makes room if
// all logs together take too much.
func (t *Table) used(topic *Topic, nowMS uint64, grown int64) {
	r := &t.recency
	held := t.held.Add(grown)
	// Read without the lock: what takes the topic out of the list after this also
	// empties its log after this, and linger looks at the log first.
	if stamp := usedAt(nowMS); topic.stamp.Load() != stamp && !t.evictable(topic) {
		r.mu.Lock()
		r.unlink(topic)
		r.link(topic, stamp)
		r.mu.Unlock()
	}
	if held > t.historyMax {
		t.evict()
	}
}

// evictable reports whether nothing holds a topic, and its upstream keeps its events.
func (t *Table) evictable(topic *Topic) bool { return t.upstream != nil && topic.refs.Load() == 0 }

// linger is called when the last holder or the last event of a topic has gone. The topic is kept
// for as long as an event would be: only it can prove that a client that comes back has missed
// nothing. It goes earlier if there are too many topics, or too many idle ones.
func (t *Table) linger(topic *Topic) {
	t.putIdle(topic)
	if t.recency.idleLen() > max(t.topicsMax/idlePart, 1) {
		t.ForgetOldest()
	}
}

// putIdle holds the topic's lock over all of it: an event that is appended after the
// look at the log moves the topic on afterwards.
func (t *Table) putIdle(topic *Topic) {
	r := &t.recency
	r.mu.Lock()
	defer r.mu.Unlock()
	topic.mu.Lock()
	defer topic.mu.Unlock()
	stamp := idleSince(t.nowMS())
	if (topic.log.Events() == 0 || t.evictable(topic)) && topic.stamp.Load() != stamp {
		r.unlink(topic)
		r.link(topic, stamp)
	}
}

// evict empties the least recently used logs until what is left fits.
func (t *Table) evict() {
	for t.held.Load() > t.historyMax {
		if t.upstream != nil && t.ForgetOldest() {
			// topics that nothing holds go first: the upstream has all their events
			continue
		}
		if !t.EvictOldest() {
			return
		}
	}
}

// EvictOldest empties the least recently used log. It reports false if there is none.
func (t *Table) EvictOldest() bool {
	topic := t.recency.takeOldest(&t.recency.used)
	if topic == nil {
		return false
	}
	if t.empty(topic) {
		t.Evicted.Add(1)
	}
	return true
}

// Expire empties the logs whose newest event is older than both the retention and the window keep,
// and forgets the topics that have been idle for as long: a busy topic trims
// itself, an idle one is trimmed only here. It is to be called about once a second.
func (t *Table) Expire() {
	now := t.nowMS()
	if before := ago(now, t.lingerMS); before > 0 {
		t.forgetIdle(now, before)
	}
	before, bare := uint64(0), t.retention
	if bare.AgeMS > 0 {
		before = ago(now, max(bare.AgeMS, int64(bare.Window.AgeMS)))
	}
	bare.Window = log.Window{}
	for before > 0 {
		topic := t.recency.takeOlderThan(&t.recency.used, before)
		if topic == nil {
			return
		}
		topic.mu.Lock()
		shrunk := topic.log.Trim(&bare, now, t.ids(now))
		left := topic.log.Events()
		topic.mu.Unlock()
		if left > 0 { // published to in between
			t.shrunk(topic, shrunk)
			t.used(topic, now, 0)
			continue
		}
		t.held.Add(-shrunk)
		t.settle(topic)
	}
}

// shrunk tells the listeners that a log has dropped memory without a publish. Blocked streams that
// have a part of one of its events would keep that memory until the next publish.
func (t *Table) shrunk(topic *Topic, shrunk int64) {
	if shrunk != 0 {
		t.held.Add(-shrunk)
		topic.wake()
	}
}

// ago is the second so many milliseconds before now; 0 if that is no bound.
func ago(nowMS uint64, ms int64) uint64 {
	if ms <= 0 || nowMS < uint64(ms) {
		return 0
	}
	return secondOf(nowMS - uint64(ms))
}

// forgetIdle forgets the topics that have been idle since before a second.
func (t *Table) forgetIdle(nowMS, before uint64) {
	for {
		topic := t.recency.takeOlderThan(&t.recency.idle, before)
		if topic == nil {
			return
		}
		t.tryForget(topic, nowMS)
	}
}

// tryForget forgets a topic that was taken out of the idle ones, unless it is held again.
func (t *Table) tryForget(topic *Topic, nowMS uint64) bool {
	if t.forgetIfUnused(topic) {
		return true
	}
	if !topic.unused() {
		t.used(topic, nowMS, 0)
	}
	return false
}

// empty drops a topic's whole log.
func (t *Table) empty(topic *Topic) bool {
	topic.mu.Lock()
	had := topic.log.Events() > 0
	shrunk := topic.log.Clear()
	topic.mu.Unlock()
	t.held.Add(-shrunk)
	t.settle(topic)
	return had
}

// settle is called when a log was emptied: listeners drop the parts of its events that they keep,
// and a topic without holders lingers.
func (t *Table) settle(topic *Topic) {
	topic.wake()
	if topic.refs.Load() == 0 {
		t.linger(topic)
	}
}

// ForgetOldest makes room for a topic: the one that has been idle for the longest is
// forgotten. It reports false if there is none.
func (t *Table) ForgetOldest() bool {
	for {
		topic := t.recency.takeOldest(&t.recency.idle)
		if topic == nil {
			return false
		}
		if t.tryForget(topic, t.nowMS()) {
			return true
		}
	}
}

// unheldLooks bounds how many of the least recently used topics are checked for one without a
// holder.
const unheldLooks = 64

// forgetUnheld makes room for a topic by forgetting the least recently used one that nothing holds,
// with its history. It reports false if it finds none.
func (t *Table) forgetUnheld() bool {
	for range unheldLooks {
		topic := t.recency.takeOldest(&t.recency.used)
		if topic == nil {
			return false
		}
		if topic.refs.Load() > 0 {
			t.used(topic, t.nowMS(), 0)
			continue
		}
		if t.empty(topic) {
			t.Evicted.Add(1)
		}
		if t.ForgetOldest() {
			return true
		}
	}
	return false
}

func (r *recency) idleLen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.idle.len)
}

func (r *recency) takeOldest(l *topicList) *Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	topic := l.oldest
	if topic != nil {
		r.unlink(topic)
	}
	return topic
}

func (r *recency) takeOlderThan(l *topicList, second uint64) *Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	topic := l.oldest
	if topic == nil || topic.stamp.Load()>>1 >= second {
		return nil
	}
	r.unlink(topic)
	return topic
}

func (r *recency) link(t *Topic, stamp uint64) {
	l := r.list(stamp)
	l.len++
	t.stamp.Store(stamp)
	t.older, t.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = t
	} else {
		l.oldest = t
	}
	l.newest = t
}

func (r *recency) unlink(t *Topic) {
	stamp := t.stamp.Load()
	if stamp == 0 {
		return
	}
	l := r.list(stamp)
	l.len--
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		l.newest = t.older
	}
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		l.oldest = t.newer
	}
	t.newer, t.older = nil, nil
	t.stamp.Store(0)
}
