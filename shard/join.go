package shard

import (
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// Join is a connection on its way into a shard. With it go the descriptor, which the shard closes
// from then on, and one hold on each topic (Table.Acquire), which the shard releases.
type Join struct {
	Fd    int
	Head  []byte         // the response head, sent first; not to be changed any more
	Early *EarlyEnds     // the answers if it ends before Head was sent; nil: there are none
	Wire  Wire           // as Head says
	Topic *topic.Topic   // of a stream with one topic
	More  []*topic.Topic // all topics, each once, by name, of a stream with several; else nil

	Resume    log.Resume
	Position  eventid.Position   // with log.ResumeAt, one topic
	Positions []eventid.Position // with log.ResumeAt, several: one for each of More

	Owner uint32 // given back to Config.OnClose
	// stands for the client's address: no client has more than its share of an upstream's readings;
	// 0: it is not known
	Client uint64

	greeting greeting
	headSent bool // the response head was sent: the stream had to wait …
	opened   bool // … and so was the opening
	pinned   bool // its positions are times that this node gave it when it had to wait
}

// EarlyEnds has whole answers, by the reason for which a stream ended before it was sent its head.
// nil is no answer. It may be shared between joins, and must not be changed any more.
type EarlyEnds [closeReasons][]byte

// admit makes a stream of a join: a slot, its subscriptions, the response head
// and the opening, and whatever it is behind.
func (s *Shard) admit(j *Join) {
	i, sl := s.slots.take()
	sl.fd = int32(j.Fd)
	sl.owner = j.Owner
	sl.wire = j.Wire
	s.stats.Joined.Add(1)
	s.stats.Streams.Add(1)
	if errno := s.kernel.Watch(j.Fd, userData(i, sl)); errno != 0 {
		s.releaseTopics(j)
		s.end(i, sl, ClosedError)
		return
	}
	s.setEnd(sl)

	// Heartbeats of streams that come together are spread by pretending that each
	// was last written to at another time.
	sl.lastWrite = s.tick
	if s.heartbeatTicks > 0 {
		sl.lastWrite -= s.rng.Uint32N(s.heartbeatTicks)
	}
	lastWrite := sl.lastWrite

	if !s.beginOrWait(i, sl, j) {
		return
	}
	if sl.flags&flagWaiting == 0 {
		sl.lastWrite = lastWrite
	}
	s.arm(i, sl)
}

// releaseTopics undoes the holds of a join that came to nothing.
func (s *Shard) releaseTopics(j *Join) {
	for _, t := range j.topics() {
		s.table.Release(t)
	}
}

func (s *Shard) policy(topic string) Policy {
	if s.config.Policy == nil {
		return PolicyGap
	}
	return s.config.Policy(topic)
}

func (s *Shard) setEnd(sl *slot) {
	if life := s.config.Lifetime; life > 0 {
		life -= time.Duration(s.rng.Int64N(int64(life)/10 + 1))
		sl.flags |= flagEnds
		sl.endsAt = s.tick + ticks(life)
	}
}
