package engine_test

import (
	"testing"
	"time"
)

// An edge that cannot hear the servers lets clients in: what is published once they have the
// response head belongs to them, at whichever edge they ask for it.
func TestAnEdgeIsDeaf(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hears nothing", "is refused"} {
		t.Run(how, func(t *testing.T) {
			if how != "hears nothing" {
				unraced(t)
			}
			t.Parallel()
			r := startRedis(t)
			relay := startRelay(t, r.address())
			s := newStage(t, []*redisServer{r}, edgeAt(t, "redis://"+relay.address),
				edgeAt(t, "redis://"+r.address()))
			s.ordered = true
			// to the deaf edge; only elsewhere; not at all
			known, old, none := "known", "old", "none"
			s.crowd(known)
			s.follow("constant", false, []string{old}, stay{edge: 1})
			s.settled()
			s.say(1, known, old)
			for _, topics := range [][]string{{known}, {old}, {none}, {known, old}, {known, none},
				{old, none}, {known, old, none}} {
				s.follow("comes to the deaf one", false, topics,
					stay{edge: 0, from: fault, until: outage}, stay{edge: 1, from: mended})
				s.follow("leaves it late", false, topics, stay{edge: 0, from: fault, until: mended},
					stay{edge: 1, from: mended})
				s.follow("stays there", false, topics, stay{edge: 0, from: fault})
				s.follow("comes back to it", false, topics,
					stay{edge: 0, from: fault, until: outage},
					stay{edge: 0, from: mended, after: 200 * time.Millisecond})
			}
			s.rest(300 * time.Millisecond)
			if how == "is refused" {
				relay.turn("127.0.0.1:1")
				relay.cut()
			} else {
				relay.swallow(true)
			}
			s.enter(fault)
			time.Sleep(1800 * time.Millisecond) // they have their heads
			s.say(1, known, old, none)
			s.enter(outage)
			s.say(1, known, old, none)
			s.rest(300 * time.Millisecond)
			s.enter(mended)
			s.rest(300 * time.Millisecond)
			s.say(1, known, old, none)
			relay.turn(r.address())
			relay.swallow(false)
			relay.cut() // else it would wait for answers for ten seconds
			s.say(0, known, old, none)
			s.caughtUp()
			s.finish()
		})
	}
}
