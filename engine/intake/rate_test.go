package intake

import (
	"testing"
	"time"
)

// With the clock set by hand.
func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := rate{perSecond: 10}
	taken := func() (n int) {
		for r.take(now) {
			n++
		}
		return n
	}
	if n := taken(); n != 10 {
		t.Errorf("%d at first", n)
	}
	now = now.Add(100 * time.Millisecond)
	if n := taken(); n != 1 {
		t.Errorf("%d after a tenth of a second", n)
	}
	now = now.Add(time.Hour)
	if n := taken(); n != 10 {
		t.Errorf("%d after an hour: more than a second's worth is saved up", n)
	}
	now = now.Add(-time.Minute) // a clock may be set back; then there is nothing, for a while
	taken()
	for range 100 {
		r.undo()
	}
	if r.tokens > 10 {
		t.Errorf("%v are there after many were given back", r.tokens)
	}
	now = now.Add(time.Hour)
	if n := taken(); n != 10 {
		t.Errorf("%d after many were given back", n)
	}
	slow := rate{perSecond: 0.5}
	if !slow.take(now) || slow.take(now) || slow.take(now.Add(time.Second)) ||
		!slow.take(now.Add(2*time.Second)) {
		t.Error("one in two seconds is not what it says")
	}
	if none := (&rate{}); !none.take(now) {
		t.Error("no bound is one")
	}
}
