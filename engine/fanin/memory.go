package fanin

import (
	"time"

	"ssedge/shard/topic"
)

// Memory is the embedded source: it appends straight to the logs of this process.
type Memory struct {
	topics *topic.Table
	keys   *keys
}

// NewMemory makes a source for these topics that remembers up to keysMax
// idempotency keys, each for keyTTL.
func NewMemory(topics *topic.Table, keysMax int, keyTTL time.Duration) *Memory {
	return &Memory{topics: topics, keys: newKeys(keysMax, keyTTL)}
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

// Keys returns how many idempotency keys are remembered, and how many were
// forgotten before their time because there were too many.
func (m *Memory) Keys() (held int, forgotten uint64) { return m.keys.stats() }
