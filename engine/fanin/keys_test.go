package fanin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"ssedge/proto/eventid"
)

// naive is what keys should do, with one list.
type naive struct {
	max  int
	ttl  time.Duration
	uses []naiveUse
}

type naiveUse struct {
	topic, key string
	id         eventid.ID
	at         time.Time
}

func (n *naive) once(e *Event, now time.Time, id eventid.ID, fails bool) (r Receipt, failed bool) {
	for len(n.uses) > 0 && n.uses[0].at.Before(now.Add(-n.ttl)) {
		n.uses = n.uses[1:]
	}
	for _, u := range n.uses {
		if u.topic == string(e.Topic) && u.key == e.Key {
			return Receipt{ID: u.id, Duplicate: true}, false
		}
	}
	if fails {
		return Receipt{}, true
	}
	if len(n.uses) == n.max {
		n.uses = n.uses[1:]
	}
	n.uses = append(n.uses, naiveUse{string(e.Topic), e.Key, id, now})
	return Receipt{ID: id}, false
}

var errNoRoom = errors.New("no room")

// Random publishes, against the list: the same receipts, the same number held.
func TestKeysAgainstAList(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 20 {
		limit := 1 + random.IntN(50)
		if round == 0 {
			limit = 1500 // the queue is moved
		}
		k, n := newKeys(limit, time.Second), &naive{max: limit, ttl: time.Second}
		now := time.Unix(1000, 0)
		for step := range 4000 {
			now = now.Add(time.Duration(random.IntN(40)) * time.Millisecond *
				time.Duration(random.IntN(2)))
			e := &Event{Topic: []byte{byte('a' + random.IntN(3))},
				Key: fmt.Sprint(random.IntN(2 * limit))}
			id, fails := eventid.ID{MS: uint64(step)}, random.IntN(10) == 0
			appended := false
			got, err := k.once(e, now, func(*Event) (Receipt, error) {
				appended = true
				if fails {
					return Receipt{}, errNoRoom
				}
				return Receipt{ID: id}, nil
			})
			expected, failed := n.once(e, now, id, fails)
			if got != expected || (err != nil) != failed || appended == got.Duplicate {
				t.Fatalf("step %d with at most %d: %+v %v, expected %+v, failed: %v", step, limit,
					got, err, expected, failed)
			}
			if held, _ := k.stats(); held != len(n.uses) {
				t.Fatalf("step %d with at most %d: %d held, expected %d", step, limit, held,
					len(n.uses))
			}
		}
	}
}

// The bound is a bound, whatever it is.
func TestKeysMax(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 15, 16, 17, 1023, 1025, 5000, 50_001} {
		k := newKeys(limit, time.Hour)
		now := time.Unix(1000, 0)
		for i := range 2*limit + 100 {
			k.once(&Event{Key: fmt.Sprint(i)}, now, func(*Event) (Receipt, error) {
				return Receipt{}, nil
			})
		}
		held, forgotten := k.stats()
		if held > limit || held < limit*9/10 || forgotten != uint64(2*limit+100-held) {
			t.Errorf("at most %d: %d held, %d forgotten", limit, held, forgotten)
		}
		kept := 0
		for i := range k.stripes {
			kept += cap(k.stripes[i].order)
		}
		if kept > 5*limit+20_000*len(k.stripes) {
			t.Errorf("at most %d: room for %d", limit, kept)
		}
	}
}

func TestOneKeyManyPublishers(t *testing.T) {
	t.Parallel()
	k := newKeys(100, time.Hour)
	appended := 0 // under the lock that once holds
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := k.once(&Event{Key: "k"}, time.Now(),
				func(*Event) (Receipt, error) { appended++; return Receipt{}, nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if appended != 1 {
		t.Errorf("appended %d times", appended)
	}
}

// The memory of the most keys that there were goes with the last of them.
func TestKeysKeepNoPeak(t *testing.T) {
	k := newKeys(5000, time.Minute)
	now := time.Unix(1000, 0)
	used := func(key string) {
		k.once(&Event{Topic: []byte("t"), Key: key}, now, func(*Event) (Receipt, error) {
			return Receipt{}, nil
		})
	}
	for i := range 20_000 {
		used(fmt.Sprint(i))
	}
	for i := range k.stripes {
		k.stripes[i].expire(now.Add(time.Second))
		if n := cap(k.stripes[i].order); n != 0 {
			t.Errorf("room for %d keys is kept", n)
		}
	}
	used("again")
	if held, _ := k.stats(); held != 1 {
		t.Errorf("then %d keys are held", held)
	}
}
