package shard

import (
	"time"

	"ssedge/shard/sys/fake"
)

// noneIsBehind checks, when the shards are idle, that all streams that are not blocked have been
// sent everything. A wake-up that was missed would else be made up for by the next event.
func (s *sim) noneIsBehind() {
	behind := func(shard *Shard, state uint32, cursor uint64) {
		if topic := shard.states.at(state).topic; !topic.HeadAt(cursor) {
			s.t.Fatalf("shard %d is idle, and a stream of topic %s stands at %d, which is not its head", shard.number, topic.Name(), cursor)
		}
	}
	for _, shard := range s.shards {
		for i := range shard.slots.ever {
			switch sl := shard.slots.at(i); {
			case sl.flags&flagUsed == 0 || sl.flags&flagBlocked != 0:
			case sl.flags&flagMulti == 0:
				behind(shard, sl.topic, sl.cursor)
			default:
				for _, sub := range shard.bundles[sl.topic].subs {
					behind(shard, sub.state, sub.cursor)
				}
			}
		}
	}
}

// finish lets every client come back and catch up, and looks for what is left.
func (s *sim) finish() {
	s.catchUp()
	if s.rng.IntN(2) == 0 {
		s.drainAll()
	}
	for _, c := range s.clients {
		if c.connected {
			c.leaving = true
			c.sock.HangUp()
		}
	}
	s.empty()
	s.checkTable()
}

// catchUp lets every client come back and read until nothing more comes.
func (s *sim) catchUp() {
	s.ending = true
	for round := 0; ; round++ {
		quiet := true
		for _, c := range s.clients {
			if !c.connected {
				c.comeBack()
				quiet = false
			}
			c.window, c.stalled = fake.Unlimited, 0
			c.sock.Free(fake.Unlimited)
		}
		for range 500 {
			s.turnOf(0)
			s.turnOf(1)
		}
		s.settle()
		for _, c := range s.clients {
			c.read(len(c.sock.Got))
			if c.sock.Closed {
				c.answered()
				c.connected, quiet = false, false
			}
		}
		if quiet {
			break
		}
		if round > 20 {
			s.t.Fatal("streams go on ending though their clients read everything")
		}
	}
	for _, c := range s.clients {
		c.complete()
	}
}

// drainAll ends all streams while some do not read. The others have everything.
func (s *sim) drainAll() {
	stuck := map[*simClient]bool{}
	for _, c := range s.clients {
		if s.rng.IntN(10) == 0 {
			stuck[c] = true
			c.sock.Room = s.rng.IntN(100)
		}
	}
	done := 0
	for range 20 {
		s.publishSome()
	}
	for _, shard := range s.shards {
		shard.inbox.call(func() { shard.startDrain(200, 3*time.Second, func() { done++ }) })
	}
	s.pass(4 * time.Second)
	if done != len(s.shards) {
		s.t.Fatalf("%d shards are drained", done)
	}
	for _, c := range s.clients {
		c.read(len(c.sock.Got))
		c.connected = false
		if c.sock.Closed && !stuck[c] {
			c.answered()
		}
		if !c.sock.Closed {
			c.fail("not drained")
		}
		if s.ended[c.owner][0] == ClosedDrain && !stuck[c] && c.wire != WireAnswer {
			c.complete()
		}
	}
}

// checkTable checks that topics are those with history and those that linger, that
// the account of it is right, and that all of it can go.
func (s *sim) checkTable() {
	if err := s.table.Verify(); err != nil {
		s.t.Fatal(err)
	}
	for range 2 { // history, then the topics
		*s.wall += 100_000
		s.table.Expire()
	}
	if s.table.Topics() != 0 || s.table.HistoryBytes() != 0 {
		s.t.Fatalf("%d topics and %d bytes are left when all is expired", s.table.Topics(),
			s.table.HistoryBytes())
	}
}
