package fanin

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/record"
)

// A record is one key: its topic and itself, each behind its length, the id of its event, and when
// it was used, in Unix milliseconds. All numbers are varints.

// keysAtATime is how many keys are copied with a stripe's lock held.
const keysAtATime = 1024

// save hands the keys that are not too old to put.
func (k *keys) save(put func([]byte) error, now time.Time) error {
	var b []byte
	uses := make([]keyUse, 0, keysAtATime)
	for i := range k.stripes {
		s := &k.stripes[i]
		s.mu.Lock()
		s.expire(now.Add(-k.ttl))
		order := slices.Clone(s.order[s.first:])
		s.mu.Unlock()
		for some := range slices.Chunk(order, keysAtATime) {
			uses = uses[:0]
			s.mu.Lock()
			for _, used := range some {
				uses = append(uses, s.byKey[used])
			}
			s.mu.Unlock()
			for n, used := range some {
				if uses[n].at.IsZero() { // forgotten meanwhile
					continue
				}
				b = appendKey(b[:0], used, uses[n])
				if err := put(b); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func appendKey(dst []byte, used usedKey, u keyUse) []byte {
	dst = record.AppendBytes(record.AppendBytes(dst, used.topic), used.key)
	return record.AppendNumber(record.AppendID(dst, u.id), uint64(u.at.UnixMilli()))
}

// load adds the keys that next returns, but for those that are too old, and those whose events are
// missing.
func (k *keys) load(next func() ([]byte, error), had func(topic string, id eventid.ID) bool,
	now time.Time) error {
	type one struct {
		used usedKey
		use  keyUse
	}
	var all []one
	for n := 1; ; n++ {
		b, err := next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		used, use, err := readKey(b)
		if err != nil {
			return fmt.Errorf("key %d: %w", n, err)
		}
		if use.at.After(now) { // the clock was set back
			use.at = now
		}
		if !use.at.Before(now.Add(-k.ttl)) && had(used.topic, use.id) {
			all = append(all, one{used, use})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return a.use.at.Compare(b.use.at) })
	for _, o := range all {
		if s := k.stripe(o.used); s.byKey[o.used].at.IsZero() {
			s.add(o.used, o.use)
		}
	}
	return nil
}

func readKey(b []byte) (usedKey, keyUse, error) {
	r := record.Read(b)
	used := usedKey{string(r.Bytes()), string(r.Bytes())}
	id, at := r.ID(), r.Number()
	switch {
	case r.Broken():
		return used, keyUse{}, errors.New("it ends early")
	case len(r.Left()) > 0 || used.topic == "" || used.key == "" || at > 1<<62:
		return used, keyUse{}, errors.New("it is none")
	}
	return used, keyUse{id, time.UnixMilli(int64(at))}, nil
}
