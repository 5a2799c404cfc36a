package fanin

import (
	"hash/maphash"
	"sync"
	"time"

	"ssedge/proto/eventid"
)

// keys remembers which idempotency keys were used: at most max of them, each for
// ttl. The oldest go first.
type keys struct {
	seed    maphash.Seed
	ttl     time.Duration
	stripes []keyStripe
}

// A stripe of a few keys would be full long before the others; so there are more
// than one only if each can hold keysPerStripe.
const (
	keyStripesMax = 16
	keysPerStripe = 1024
)

// keyStripe is a part of the keys with a lock of its own, which is held while an
// event is appended: of two publishers with one key, one appends.
type keyStripe struct {
	mu        sync.Mutex
	max       int
	byKey     map[usedKey]keyUse
	peak      int       // the most there were in it
	order     []usedKey // a queue: the oldest at first
	first     int
	forgotten uint64
}

type usedKey struct{ topic, key string }

type keyUse struct {
	id eventid.ID
	at time.Time
}

func newKeys(max int, ttl time.Duration) *keys {
	k := &keys{seed: maphash.MakeSeed(), ttl: ttl, stripes: make([]keyStripe, stripesFor(max))}
	for i := range k.stripes {
		k.stripes[i] = keyStripe{max: max / len(k.stripes), byKey: make(map[usedKey]keyUse)}
	}
	return k
}

func stripesFor(keys int) int { return max(1, min(keys/keysPerStripe, keyStripesMax)) }

// once appends the event unless its key was used within the ttl; then it returns
// the receipt of that use. A failed append uses no key.
func (k *keys) once(e *Event, now time.Time, append func(*Event) (Receipt, error)) (Receipt,
	error) {
	used := usedKey{string(e.Topic), e.Key}
	s := k.stripe(used)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now.Add(-k.ttl))
	if u, ok := s.byKey[used]; ok {
		return Receipt{ID: u.id, Duplicate: true}, nil
	}
	r, err := append(e)
	if err == nil {
		s.add(used, keyUse{r.ID, now})
	}
	return r, err
}

func (k *keys) stripe(used usedKey) *keyStripe {
	return &k.stripes[maphash.Comparable(k.seed, used)%uint64(len(k.stripes))]
}

func (s *keyStripe) add(k usedKey, u keyUse) {
	if len(s.byKey) >= s.max {
		s.drop()
		s.forgotten++
	}
	s.byKey[k] = u
	s.peak = max(s.peak, len(s.byKey))
	s.order = append(s.order, k)
}

// expire forgets what was used before then.
func (s *keyStripe) expire(then time.Time) {
	for s.first < len(s.order) && s.byKey[s.order[s.first]].at.Before(then) {
		s.drop()
	}
}

func (s *keyStripe) drop() {
	delete(s.byKey, s.order[s.first])
	s.order[s.first] = usedKey{}
	s.first++
	if s.first > 1024 && s.first*2 > len(s.order) {
		s.order = append([]usedKey(nil), s.order[s.first:]...)
		s.first = 0
	}
	if len(s.byKey) == 0 && s.peak >= keysPerStripe {
		// a map keeps the memory of the most that was in it
		s.byKey, s.order, s.first, s.peak = make(map[usedKey]keyUse), nil, 0, 0
	}
}

func (k *keys) stats() (held int, forgotten uint64) {
	for i := range k.stripes {
		s := &k.stripes[i]
		s.mu.Lock()
		held += len(s.byKey)
		forgotten += s.forgotten
		s.mu.Unlock()
	}
	return held, forgotten
}
