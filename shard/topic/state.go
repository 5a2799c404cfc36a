package topic

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"ssedge/proto/eventid"
	"ssedge/proto/record"
	"ssedge/shard/log"
)

// A table without an upstream as records, for a file or another process. The first record has the
// time from which on something may be missing, and the floors; each further one is a topic, the
// most recently used first, so that what no longer fits is what was used longest ago.

// Save hands the table to put in records, which are lent for the call. No lock is held over a call,
// and of a topic only for a copy of its log's index: events that are published meanwhile may be in
// a record or not. What put returns ends it.
func (t *Table) Save(put func(b []byte) error) error {
	began := t.nowMS()
	var all []lastUsed
	t.Each(func(topic *Topic) {
		second := topic.stamp.Load() >> 1
		if second == 0 { // held, and without history
			second = secondOf(began)
		}
		all = append(all, lastUsed{topic, second})
	})
	// later than the topics: one that was forgotten before it was seen is below its floor
	b := record.AppendNumber(nil, began)
	for i := range t.floors {
		b = record.AppendID(b, t.floors[i].get())
	}
	if err := put(b); err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b lastUsed) int { return cmp.Compare(b.second, a.second) })
	for _, of := range all {
		of.topic.mu.Lock()
		frozen := of.topic.log.Freeze()
		of.topic.mu.Unlock()
		b = record.AppendNumber(b[:0], of.second)
		b = record.AppendBytes(b, of.topic.name)
		var err error
		if b, err = frozen.AppendState(b); err != nil {
			return fmt.Errorf("topic %q: %w", of.topic.name, err)
		}
		if err := put(b); err != nil {
			return err
		}
	}
	return nil
}

// lastUsed is a topic and the second of its place in recency.
type lastUsed struct {
	topic  *Topic
	second uint64
}

// Saved is what a table was loaded from.
type Saved struct {
	Clean  bool   // it was saved after the last event of its process
	FromMS uint64 // otherwise: events from then on may be missing
	// for ids of such events: those that the table has
	had func(topic string, id eventid.ID) bool
}

// Had reports whether an event is among those that were saved, or older.
func (s *Saved) Had(topic string, id eventid.ID) bool {
	return s.Clean || id.MS < s.FromMS || s.had(topic, id)
}

// Load fills an empty table, before it is used, from the records that next returns until nil. If
// the process of the table went on after it was saved, clean is false: what came until now is
// unknown, and told as a gap. Bounds are those in force here: what does not fit is dropped as it
// would have been otherwise. After an error the table is empty as before.
func (t *Table) Load(next func() (record []byte, err error), clean bool) (Saved, error) {
	l := loading{table: t, clean: clean, newest: eventid.ID{MS: t.nowMS()}}
	if err := l.read(next); err != nil {
		t.Unload()
		return Saved{}, err
	}
	l.finish()
	return Saved{Clean: clean, FromMS: l.fromMS, had: func(name string, id eventid.ID) bool {
		topic := t.Find(name)
		return topic != nil && topic.Has(id)
	}}, nil
}

// Unload empties a table again that was loaded, before it is used.
func (t *Table) Unload() {
	for i := range t.stripes {
		t.stripes[i].byName, t.stripes[i].peak = make(map[string]*Topic), 0
	}
	for i := range t.floors {
		t.floors[i].id = eventid.ID{MS: t.nowMS()}
	}
	t.recency.used, t.recency.idle = topicList{}, topicList{}
	t.topics.Store(0)
	t.held.Store(0)
	t.Evicted.Store(0)
}

// loading is a table that is being filled. Its topics are in no list yet.
type loading struct {
	table  *Table
	clean  bool
	fromMS uint64
	floors [floors]eventid.ID
	// at or above all ids there are, and the present
	newest eventid.ID
	held   int64
	full   bool // the logs have taken what they may

	used, idle []lastUsed // newest first
	emptied    []lastUsed // those whose history is gone since
	evicted    uint64
}

func (l *loading) read(next func() ([]byte, error)) error {
	b, err := next()
	if err != nil {
		return err
	}
	r := record.Read(b)
	l.fromMS = r.Number()
	for i := range l.floors {
		l.floors[i] = r.ID()
	}
	if r.Broken() || len(r.Left()) > 0 {
		return errors.New("the table's floors cannot be read")
	}
	l.see(eventid.ID{MS: l.fromMS})
	for n := 1; ; n++ {
		b, err := next()
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if err := l.topic(b); err != nil {
			return fmt.Errorf("topic %d: %w", n, err)
		}
	}
}

func (l *loading) see(id eventid.ID) { l.newest = eventid.Max(l.newest, id) }

// topic adds a topic, if there is room for it.
func (l *loading) topic(b []byte) error {
	t := l.table
	r := record.Read(b)
	second := r.Number()
	name := r.Bytes()
	if r.Broken() || len(name) == 0 {
		return errors.New("it has no name")
	}
	history, err := log.ReadState(r.Left())
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	l.see(history.NewestID())
	s := t.stripe(name)
	if s.byName[string(name)] != nil {
		return fmt.Errorf("%q: it is there twice", name)
	}
	had := history.Events() > 0
	bare := t.retention
	bare.Window = log.Window{} // nothing is connected
	history.Trim(&bare, t.nowMS(), t.nowMS())
	if history.Events() > 0 && (l.full || l.held+history.Held() > t.historyMax) {
		history.Clear()
		l.full = true
		l.evicted++
	}
	has := history.Events() > 0
	if !has && !l.clean {
		return nil // nothing could be proved by it
	}
	if t.topics.Load() >= t.topicsMax ||
		!has && !had && int64(len(l.idle)) >= max(t.topicsMax/idlePart, 1) {
		f := &l.floors[floorOf(name)]
		*f = eventid.Max(*f, history.Newest())
		return nil
	}
	topic := t.newTopic(name, history)
	of := lastUsed{topic, min(second, secondOf(t.nowMS()))}
	s.byName[topic.name] = topic
	s.peak = max(s.peak, len(s.byName))
	t.topics.Add(1)
	l.held += history.Held()
	switch {
	case has:
		l.used = append(l.used, of)
	case had:
		l.emptied = append(l.emptied, of)
	default:
		l.idle = append(l.idle, of)
	}
	return nil
}

// finish puts the topics into their lists, and the holes into their logs.
func (l *loading) finish() {
	t := l.table
	if !l.clean { // in the millisecond of the newest id there may have been more
		l.see(eventid.ID{MS: l.newest.MS + 1})
	}
	t.lastMS.Store(l.newest.MS)
	for i := range t.floors {
		t.floors[i].id = l.floors[i]
		if !l.clean {
			t.floors[i].id = eventid.ID{MS: l.newest.MS}
		}
	}
	r := &t.recency
	for _, of := range slices.Backward(l.used) {
		if history := &of.topic.log; !l.clean {
			l.held += history.Skip(of.topic.name, history.Newest(), eventid.ID{MS: l.newest.MS})
		}
		r.link(of.topic, of.second<<1)
	}
	for _, of := range slices.Backward(l.idle) {
		r.link(of.topic, of.second<<1|1)
	}
	for _, of := range slices.Backward(l.emptied) {
		r.link(of.topic, idleSince(t.nowMS()))
	}
	t.held.Store(l.held)
	t.Evicted.Add(l.evicted)
	for t.recency.idleLen() > max(t.topicsMax/idlePart, 1) && t.ForgetOldest() {
	}
	t.evict() // the holes take memory, too
}
