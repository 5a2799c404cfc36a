package log

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"ssedge/proto/eventid"
)

// A window is not history: a resume is answered as if the window did not exist. One log has a
// window and the other has none; every position ever given has the same place in both.
func TestAResumeDoesNotSeeTheWindow(t *testing.T) {
	kept := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		plain := Retention{Events: rng.IntN(6), Bytes: int64(rng.IntN(400)),
			AgeMS: int64(rng.IntN(100))}
		windowed := plain
		windowed.Window = Window{Events: 1 + rng.IntN(30), Bytes: int64(rng.IntN(2000)),
			AgeMS: uint64(rng.IntN(300))}
		var with, without Log
		var ids []eventid.ID
		now := uint64(1000)
		forked := uint64(0) // how far ids are behind the clock
		for n := range 20 + rng.IntN(60) {
			now += uint64(rng.IntN(12))
			if seed%2 == 1 && without.events > 0 && rng.IntN(20) == 0 {
				last := ids[rng.IntN(len(ids))]
				with.Fork(last)
				without.Fork(last)
				forked = now - last.MS
			}
			id := eventid.ID{MS: now - forked, Seq: uint64(n)}
			ids = append(ids, id)
			b := body(n, 1+rng.IntN(60))
			with.Append(b, id)
			without.Append(b, id)
			with.Trim(&windowed, now, now)
			without.Trim(&plain, now, now)
			if rng.IntN(40) == 0 && without.events > 0 {
				with.Clear()
				without.Clear()
			}
		}
		now += uint64(rng.IntN(200))
		with.Trim(&windowed, now, now)
		without.Trim(&plain, now, now)
		if with.events < without.events {
			t.Fatalf("seed %d: %d events with a window, %d without", seed, with.events,
				without.events)
		}
		kept += with.events - without.events
		before := with
		seen := with.Resumable(&plain, now)
		if seen.events != without.events || seen.tail != without.tail ||
			seen.lost != without.lost || seen.head != without.head {
			t.Fatalf("seed %d: a resume sees %d events behind %v, expected %d behind %v", seed,
				seen.events, seen.lost, without.events, without.lost)
		}
		for _, id := range ids {
			for _, p := range []eventid.Position{eventid.After(id),
				eventid.After(eventid.ID{MS: id.MS, Seq: id.Seq + 1000}), eventid.At(id.MS)} {
				if got, want := seen.Resume(p, now), without.Resume(p, now); got != want {
					t.Fatalf("seed %d: resume at %v: %+v, without a window %+v", seed, p, got, want)
				}
			}
		}
		if !reflect.DeepEqual(with, before) {
			t.Fatalf("seed %d: looking has changed the log", seed)
		}
	}
	if kept == 0 {
		t.Fatal("no window ever kept an event")
	}
}
