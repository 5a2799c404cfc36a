package shard

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"ssedge/proto/eventid"
)

func TestASlotIsOneCacheLine(t *testing.T) {
	if size := unsafe.Sizeof(slot{}); size != 64 {
		t.Errorf("a slot takes %d bytes, want 64", size)
	}
}

// Slots that are used keep their address and what was written to them, whichever
// streams come and go; the slab is no larger than the most that were used at once.
func TestSlotsAreReusedAndNeverShared(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	s := slots{free: noSlot}
	type stream struct {
		i uint32
		p *slot
	}
	var live []stream
	most := 0
	for n := range 20_000 {
		if len(live) == 0 || rng.IntN(100) < 52-n/1000 {
			i, p := s.take()
			if *p != (slot{generation: p.generation, flags: flagUsed}) {
				t.Fatalf("slot %d is not clean: %+v", i, *p)
			}
			p.owner, p.fd, p.topic = i, int32(n), uint32(n)
			live = append(live, stream{i, p})
			most = max(most, len(live))
		} else {
			k := rng.IntN(len(live))
			s.give(live[k].i)
			live[k] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		if s.used != len(live) || int(s.ever) != most {
			t.Fatalf("used %d, ever %d, want %d, %d", s.used, s.ever, len(live), most)
		}
	}
	for _, l := range live {
		if s.at(l.i) != l.p || l.p.owner != l.i || l.p.flags&flagUsed == 0 {
			t.Fatalf("slot %d moved or was overwritten: %+v", l.i, *s.at(l.i))
		}
	}
}

func TestFindKnowsAStreamOnlyWhileItLasts(t *testing.T) {
	s := slots{free: noSlot}
	var stale []uint64
	for range 5 {
		i, p := s.take()
		now := userData(i, p)
		if found, at := s.find(now); found != i || at != p {
			t.Fatalf("slot %d is not found", i)
		}
		for _, old := range stale {
			if _, at := s.find(old); at != nil {
				t.Fatalf("the earlier stream %x of slot %d is found", old, i)
			}
		}
		s.give(i)
		if _, at := s.find(now); at != nil {
			t.Fatalf("a free slot is found")
		}
		stale = append(stale, now)
	}
	for _, never := range []uint64{1, 99, 1 << 40, ^uint64(0)} {
		if _, at := s.find(never); at != nil {
			t.Errorf("user %x is found", never)
		}
	}
}

func TestLastIsWhatWasSet(t *testing.T) {
	s := slot{flags: flagUsed | flagMulti}
	for _, p := range []eventid.Position{eventid.At(7), eventid.After(eventid.ID{MS: 7, Seq: 2}),
		eventid.At(8)} {
		if s.setLast(p); s.last() != p || s.flags&(flagUsed|flagMulti) != flagUsed|flagMulti {
			t.Errorf("set %v, got %v, flags %b", p, s.last(), s.flags)
		}
	}
}
