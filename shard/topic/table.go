package topic

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/roomy"
)

// ErrFull is what a new topic gets when the node holds as many as it may, all
// of them with a holder.
var ErrFull = errors.New("too many topics")

const stripes = 64

// Config bounds the topics of a node.
type Config struct {
	Retention  log.Retention
	HistoryMax int64 // memory of all logs, bytes; beyond it the least recently used are evicted
	TopicsMax  int
	Upstream   Upstream      // nil: events are published here and nowhere else
	LingerMS   int64         // with an upstream: how long a topic without holder is followed
	WallMS     func() uint64 // the wall clock in Unix milliseconds; nil is the system's
}

// Table holds all topics of a node by name. It is safe from any goroutine.
type Table struct {
	retention  log.Retention
	historyMax int64
	topicsMax  int64
	upstream   Upstream
	lingerMS   int64
	wallMS     func() uint64
	listeners  []Listener // set once, before the first publish

	lastMS  atomic.Uint64 // the id clock never goes back
	aheadMS atomic.Int64  // the upstream's clock, of this one
	held    atomic.Int64  // memory of all logs, bytes
	topics  atomic.Int64

	seed    maphash.Seed
	stripes [stripes]stripe
	floors  [floors]floor
	recency recency

	Evicted atomic.Uint64 // logs that the node-wide cap took
	Missed  atomic.Uint64 // gaps told because the upstream has lost events: one for each stream
}

// Listen sets the listeners that are told of the topics. It is called once, before the first
// Acquire.
func (t *Table) Listen(all []Listener) { t.listeners = all }

// HasUpstream reports whether the topics' events come from elsewhere.
func (t *Table) HasUpstream() bool { return t.upstream != nil }

// stripe is a part of the table with a lock of its own.
type stripe struct {
	mu     sync.RWMutex
	byName map[string]*Topic
	peak   int // the most there were in it
}

// New makes an empty table.
func New(c Config) *Table {
	t := &Table{retention: c.Retention, historyMax: c.HistoryMax, topicsMax: int64(c.TopicsMax),
		upstream: c.Upstream, lingerMS: c.LingerMS, wallMS: c.WallMS, seed: maphash.MakeSeed()}
	if t.upstream == nil {
		t.lingerMS = c.Retention.AgeMS
	}
	if t.wallMS == nil {
		t.wallMS = func() uint64 { return uint64(time.Now().UnixMilli()) }
	}
	for i := range t.stripes {
		t.stripes[i].byName = make(map[string]*Topic)
	}
	now := t.nowMS()
	for i := range t.floors {
		t.floors[i].id = eventid.ID{MS: now}
	}
	return t
}

// Topics returns how many topics there are.
func (t *Table) Topics() int { return int(t.topics.Load()) }

// HistoryBytes returns the memory of all logs.
func (t *Table) HistoryBytes() int64 { return t.held.Load() }

func (t *Table) stripe(name []byte) *stripe {
	return &t.stripes[maphash.Bytes(t.seed, name)%stripes]
}

// forgetIfUnused is called when a topic has been idle for long enough. A holder or
// an event may have come until the stripe's lock is held; what is true then is
// decided. It reports whether the topic was forgotten.
func (t *Table) forgetIfUnused(topic *Topic) bool {
	s := t.stripe([]byte(topic.name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if topic.refs.Load() != 0 || s.byName[topic.name] != topic {
		return false
	}
	topic.mu.Lock()
	shrunk := int64(0)
	if t.upstream != nil {
		shrunk = topic.log.Clear()
		topic.over = true
	}
	empty, newest := topic.log.Events() == 0, topic.log.Newest()
	topic.mu.Unlock()
	if !empty {
		return false
	}
	t.held.Add(-shrunk)
	delete(s.byName, topic.name)
	s.byName = roomy.Shrunk(s.byName, &s.peak)
	t.topics.Add(-1)
	t.floor([]byte(topic.name)).raise(newest)
	if t.upstream != nil {
		topic.feed.Stop()
	}
	return true
}

// Find returns the topic called name, nil if there is none, without holding it: it may be
// forgotten at any time.
func (t *Table) Find(name string) *Topic {
	s := &t.stripes[maphash.String(t.seed, name)%stripes]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// Each calls f with each topic there is, with a lock of the table held: f must be short,
// and must not call the table.
func (t *Table) Each(f func(*Topic)) {
	for i := range t.stripes {
		s := &t.stripes[i]
		s.mu.RLock()
		for _, topic := range s.byName {
			f(topic)
		}
		s.mu.RUnlock()
	}
}
