package httpapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine"
)

func keyed(topic, key, data string) string {
	return fmt.Sprintf(`{"topic":%q,"key":%q,"data":%q}`, topic, key, data)
}

// A key makes one event of however many publishes, in whatever forms.
func TestSameKeyIsOneEvent(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	first := n.json(keyed("t", "k", "first"))
	id := first.id(t)
	if strings.Contains(first.body, "duplicate") {
		t.Error(first.body)
	}
	receipt := `{"id":"` + id + `","duplicate":true}`
	if got := n.json(keyed("t", "k", "again")); got.body != receipt+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := n.post("?topic=t&key=k", "", strings.NewReader("raw")); got.body != receipt+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := n.json("[" + keyed("t", "k", "again") + "," + keyed("t", "k", "again") +
		"]"); got.body != "["+receipt+","+receipt+"]\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := n.lines(keyed("t", "k", "again")); got.body != receipt+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	n.json(keyed("t", "", "no key"))
	n.json(keyed("t", "", "no key"))
	n.json(keyed("other", "k", "another topic")).id(t)
	n.raw("t", "last")
	for _, expected := range []string{"first", "no key", "no key", "last"} {
		if m := s.next(); m.Data != expected {
			t.Errorf("got %q instead of %q", m.Data, expected)
		}
	}
}

// A key of an event that was refused is not used up.
func TestKeyOfARefusedEvent(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.TopicsMax = 1 })
	n.subscribe("topic=t") // holds it
	n.raw("t", "x").id(t)
	if got := n.json(keyed("u", "k", "x")); got.status != 503 ||
		got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := n.lines(`{"topic":"t","data":1}` + "\n" + keyed("u", "k", "x")); got.status != 503 ||
		got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"published":1`) {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := n.json(`[{"topic":"t","data":1},` + keyed("u", "k", "x") + `]`); got.status != 503 ||
		!strings.Contains(got.body, `"item":2,"published":1`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := n.json(keyed("t", "k", "x")); got.status != 200 ||
		strings.Contains(got.body, "duplicate") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestManyPublishersWithOneKey(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	const publishers = 50
	var mu sync.Mutex
	ids, taken := map[string]int{}, 0
	var all sync.WaitGroup
	for i := range publishers {
		all.Go(func() {
			got := n.json(keyed("t", "k", fmt.Sprint(i)))
			mu.Lock()
			defer mu.Unlock()
			ids[got.id(t)]++
			if !strings.Contains(got.body, "duplicate") {
				taken++
			}
		})
	}
	all.Wait()
	if len(ids) != 1 || taken != 1 {
		t.Errorf("%d were taken, ids %v", taken, ids)
	}
	n.raw("t", "last")
	if m := s.next(); ids[m.LastEventID] != publishers {
		t.Errorf("%+v", m)
	}
	if m := s.next(); m.Data != "last" {
		t.Errorf("a second event: %+v", m)
	}
}

func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.KeysMax = 3 })
	for i := range 4 {
		n.json(keyed("t", fmt.Sprint(i), "x"))
	}
	for i, duplicate := range []bool{true, true, true} { // 1, 2 and 3 are held
		if got := n.json(keyed("t", fmt.Sprint(i+1), "x")); strings.Contains(got.body,
			"duplicate") != duplicate {
			t.Errorf("key %d: %s", i+1, got.body)
		}
	}
	if got := n.json(keyed("t", "0", "x")); strings.Contains(got.body, "duplicate") {
		t.Errorf("the oldest of four is held: %s", got.body)
	}
	const ttl = 50 * time.Millisecond
	n = start(t, func(c *engine.Config) { c.KeyTTL = ttl })
	began := time.Now()
	for {
		got := n.json(keyed("t", "k", "x"))
		if since := time.Since(began); !strings.Contains(got.body, "duplicate") && since > ttl {
			break
		} else if since > 10*time.Second {
			t.Fatal("a key is never forgotten")
		}
	}
}
