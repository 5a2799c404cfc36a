package topic

import "ssedge/proto/eventid"

// Publish appends an event to the topic called name and wakes the shards that
// have subscribers of it. body is the event in wire form without its id
// (sse.AppendBody); it is copied. It returns the id the event got.
func (t *Table) Publish(name, body []byte) (eventid.ID, error) {
	topic, err := t.Acquire(name)
	if err != nil {
		return eventid.ID{}, err
	}
	id := topic.publish(body)
	t.Release(topic)
	return id, nil
}

// publish appends an event and gives it the next id: the present millisecond, or
// the sequence number after the last one. Safe from any goroutine.
func (t *Topic) publish(body []byte) eventid.ID {
	r := &t.table.retention
	t.mu.Lock()
	now := t.table.nowMS()
	id := eventid.ID{MS: now}
	if last := t.log.NewestID(); !last.Less(id) {
		id = eventid.ID{MS: last.MS, Seq: last.Seq + 1}
	}
	grown := t.log.Append(body, id)
	grown -= t.log.Trim(r, now, now)
	t.mu.Unlock()
	t.table.used(t, now, grown)
	t.wake()
	return id
}
