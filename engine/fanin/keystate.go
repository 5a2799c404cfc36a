package fanin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"ssedge/proto/eventid"
)

// A record is one key: its topic and itself, each behind its length, the id of its event, and when
// it was used, in Unix milliseconds. All numbers are varints.

// keysAtATime is how many keys are copied with a stripe's lock held.
const keysAtATime = 1024

// save hands the keys that are not too old to put.
func (k *keys) save(put func([]byte) error, now time.Time) error {
	var record []byte
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
				record = appendKey(record[:0], used, uses[n])
				if err := put(record); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func appendKey(dst []byte, used usedKey, u keyUse) []byte {
	for _, text := range []string{used.topic, used.key} {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	for _, n := range []uint64{u.id.MS, u.id.Seq, uint64(u.at.UnixMilli())} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
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
		record, err := next()
		if err != nil {
			return err
		}
		if record == nil {
			break
		}
		used, use, err := readKey(record)
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

func readKey(b []byte) (used usedKey, u keyUse, _ error) {
	var texts [2]string
	var numbers [3]uint64
	for i := range texts {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return used, u, errors.New("it ends early")
		}
		b = b[size:]
		texts[i], b = string(b[:n]), b[n:]
	}
	for i := range numbers {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return used, u, errors.New("it ends early")
		}
		numbers[i], b = n, b[size:]
	}
	if len(b) > 0 || texts[0] == "" || texts[1] == "" || numbers[2] > 1<<62 {
		return used, u, errors.New("it is none")
	}
	return usedKey{texts[0], texts[1]}, keyUse{eventid.ID{MS: numbers[0], Seq: numbers[1]},
		time.UnixMilli(int64(numbers[2]))}, nil
}
