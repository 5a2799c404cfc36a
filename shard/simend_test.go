package shard

import (
	"time"

	"ssedge/shard/sys/fake"
)

// nobodyIsBehind checks, when the shards are idle, that all streams that are not
// blocked have been sent everything. A wake-up that was missed would else be made
// up for by the next event.
func (s *sim) nobodyIsBehind() {
	behind := func(shard *Shard, state uint32, cursor uint64) {
		if topic := shard.states.at(state).topic; cursor != topic.log.Head() {
			s.t.Fatalf("shard %d is idle, and a stream of topic %s stands at %d of %d", shard.number, topic.name, cursor, topic.log.Head())
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
		if !c.sock.Closed {
			c.fail("not drained")
		}
		if s.ended[c.owner][0] == ClosedDrain && !stuck[c] {
			c.complete()
		}
	}
}

// checkTable checks that topics are those with history and those that linger, that
// the account of it is right, and that all of it can go.
func (s *sim) checkTable() {
	listed, held := 0, int64(0)
	for _, l := range []*topicList{&s.table.recency.used, &s.table.recency.idle} {
		for topic := l.oldest; topic != nil; topic = topic.newer {
			if s.table.stripe([]byte(topic.name)).byName[topic.name] == topic {
				listed++
			}
		}
	}
	for i := range s.table.stripes {
		for _, topic := range s.table.stripes[i].byName {
			if topic.refs.Load() != 0 || topic.interested.Load() != 0 {
				s.t.Fatalf("topic %s has %d holders, interested %b", topic.name, topic.refs.Load(), topic.interested.Load())
			}
			held += topic.log.Held()
		}
	}
	if got := s.table.Topics(); got != listed {
		s.t.Fatalf("%d topics, of which %d can be forgotten", got, listed)
	}
	if got := s.table.HistoryBytes(); got != held {
		s.t.Fatalf("%d bytes of history by account, %d in the logs", got, held)
	}
	for range 2 { // history, then the topics
		*s.wall += 100_000
		s.table.expire()
	}
	if s.table.Topics() != 0 || s.table.HistoryBytes() != 0 {
		s.t.Fatalf("%d topics and %d bytes are left when all is expired", s.table.Topics(), s.table.HistoryBytes())
	}
}
