package fanin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ssedge/proto/eventid"
)

// savedKeys are the records of keys.
func savedKeys(t *testing.T, k *keys, now time.Time) (records [][]byte) {
	t.Helper()
	if err := k.save(func(record []byte) error {
		records = append(records, slices.Clone(record))
		return nil
	}, now); err != nil {
		t.Fatal(err)
	}
	return records
}

func loadKeys(k *keys, records [][]byte, had func(string, eventid.ID) bool, now time.Time) error {
	return k.load(func() ([]byte, error) {
		if len(records) == 0 {
			return nil, nil
		}
		first := records[0]
		records = records[1:]
		return first, nil
	}, had, now)
}

func all(string, eventid.ID) bool { return true }

// A key that was used before a restart answers as it did, for as long; the oldest go first.
func TestKeysOutlastARestart(t *testing.T) {
	const ttl = time.Minute
	began := time.UnixMilli(1_700_000_000_000)
	use := func(k *keys, n int, now time.Time) Receipt {
		r, _ := k.once(&Event{Topic: []byte("t"), Key: fmt.Sprint(n)}, now,
			func(*Event) (Receipt, error) {
				return Receipt{ID: eventid.ID{MS: uint64(now.UnixMilli()), Seq: uint64(n)}}, nil
			})
		return r
	}
	for _, limit := range []int{50, 5000} {
		k := newKeys(limit, ttl)
		ids := make([]eventid.ID, 45)
		for n := range ids {
			ids[n] = use(k, n, began.Add(time.Duration(n)*time.Second)).ID
		}
		later := began.Add(50 * time.Second)
		again := newKeys(limit, ttl)
		if err := loadKeys(again, savedKeys(t, k, later), all, later); err != nil {
			t.Fatal(err)
		}
		later = began.Add(65 * time.Second)
		for n, id := range ids {
			if r := use(again, n, later); r.Duplicate != (n >= 5) || r.Duplicate && r.ID != id {
				t.Errorf("key %d of 45, 65 s after the first: %+v, expected %v", n, r, id)
			}
		}
		few := newKeys(10, ttl)
		if err := loadKeys(few, savedKeys(t, k, later), func(_ string, id eventid.ID) bool {
			return id.Seq != 44 // whose event is missing
		}, later); err != nil {
			t.Fatal(err)
		}
		for n := 44; n >= 0; n-- {
			if r := use(few, n, later); n == 44 && r.Duplicate || n == 43 && !r.Duplicate ||
				n < 34 && r.Duplicate {
				t.Errorf("key %d of 45, of which ten fit: %+v", n, r)
			}
		}
	}
}

func TestNoHalfKeyIsRead(t *testing.T) {
	k := newKeys(10, time.Hour)
	now := time.UnixMilli(1_700_000_000_000)
	k.once(&Event{Topic: []byte("topic"), Key: "key"}, now, func(*Event) (Receipt, error) {
		return Receipt{ID: eventid.ID{MS: 300, Seq: 300}}, nil
	})
	whole := savedKeys(t, k, now)[0]
	for n := range whole {
		if _, _, err := readKey(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(whole))
		}
	}
	if _, _, err := readKey(append(slices.Clone(whole), 0)); err == nil {
		t.Error("a byte behind it is not seen")
	}
}
