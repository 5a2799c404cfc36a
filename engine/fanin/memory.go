package fanin

import (
	"context"
	"io"
	"slices"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/topic"
)

// MemoryConfig is what an embedded source needs to know.
type MemoryConfig struct {
	KeyLimit
	KeyTTL time.Duration // how long a key is remembered

	Edge, Version string     // of this node
	Streams       func() int // that it holds
}

// Memory is the embedded source: it appends straight to the logs of this process.
type Memory struct {
	config MemoryConfig
	topics *topic.Table
	keys   *keys
}

// NewMemory makes an embedded source.
func NewMemory(c MemoryConfig) *Memory {
	return &Memory{config: c, keys: newKeys(c.KeysMax, c.KeyTTL)}
}

// Publish appends an event. The only error is topic.ErrFull.
func (m *Memory) Publish(e *Event) (Receipt, error) {
	if e.Key != "" {
		return m.keys.once(e, time.Now(), m.append)
	}
	return m.append(e)
}

func (m *Memory) append(e *Event) (Receipt, error) {
	id, err := m.topics.Publish(e.Topic, e.Body)
	return Receipt{ID: id}, err
}

// Save hands the idempotency keys to put in records, which are lent for the call. It comes after
// the table was saved, so that the event of each key is there or known to be missing.
func (m *Memory) Save(put func(record []byte) error) error { return m.keys.save(put, time.Now()) }

// Load takes the keys, before it is used, from the records that next returns until nil; but not
// those whose events are missing: they may be published again. After an error it has none.
func (m *Memory) Load(next func() (record []byte, err error),
	had func(topic string, id eventid.ID) bool) error {
	return m.keys.load(next, had, time.Now())
}

// The rest is Source's.

func (m *Memory) Upstream() topic.Upstream   { return nil }
func (m *Memory) Attach(topics *topic.Table) { m.topics = topics }
func (m *Memory) Up() error                  { return nil }
func (m *Memory) Close()                     {}

func (m *Memory) Edges(context.Context) ([]Edge, error) {
	now := time.Now().UTC().Truncate(time.Second)
	return []Edge{{Name: m.config.Edge, Version: m.config.Version, Streams: m.config.Streams(),
		Topics: m.topics.Topics(), Seen: now}}, nil
}

func (m *Memory) TopicCounts(_ context.Context, names []string, limit int) ([]TopicCount, error) {
	if len(names) == 0 {
		top := Top{Limit: limit}
		m.topics.Each(func(t *topic.Topic) {
			if n := t.Holders(); n > 0 {
				top.Add(t.Name(), n)
			}
		})
		names = top.Names()
	}
	names = slices.Clone(names)
	slices.Sort(names)
	all := []TopicCount{}
	for _, name := range slices.Compact(names) {
		if t := m.topics.Find(name); t != nil && t.Holders() > 0 {
			n := t.Holders()
			all = append(all,
				TopicCount{Topic: name, Subscribers: n, Edges: map[string]int{m.config.Edge: n}})
		}
	}
	return Sorted(all, limit), nil
}

func (m *Memory) Gauges() map[string]func() float64 {
	return map[string]func() float64{"ssedge_idempotency_keys": func() float64 {
		held, _ := m.keys.stats()
		return float64(held)
	}}
}

func (m *Memory) Counters(set func(string, uint64)) {
	_, forgotten := m.keys.stats()
	set("ssedge_idempotency_keys_forgotten_total", forgotten)
}

func (m *Memory) WriteHistograms(io.Writer) {}
