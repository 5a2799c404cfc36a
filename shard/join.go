package shard

import (
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// Join is a connection on its way into a shard. With it go the descriptor, which
// the shard closes from then on, and one hold on each topic (Table.Acquire),
// which the shard releases.
type Join struct {
	Fd     int
	Head   []byte         // the response head, sent first; not to be changed any more
	Away   []byte         // the whole answer to a stream that ends before it was sent its head; not to be changed any more
	Chunks bool           // the body is sent in chunks, as Head says
	Topic  *topic.Topic   // of a stream with one topic
	More   []*topic.Topic // all topics, each once, by name, of a stream with several; else nil

	Resume    log.Resume
	Position  eventid.Position   // with log.ResumeAt, one topic
	Positions []eventid.Position // with log.ResumeAt, several: one for each of More

	Owner  uint32 // given back to Config.OnClose
	Client uint64 // stands for the client's address: no client has more than its share of an upstream's readings; 0: it is not known

	greeting greeting
	headSent bool // the response head was sent: the stream had to wait …
	opened   bool // … and so was the opening
	fixed    bool // its positions are times that this node gave it when it had to wait
}

// sub is one topic of a stream with several.
type sub struct {
	cursor uint64
	last   eventid.Position
	state  uint32
	at     uint32 // place among the state's subscribers
}

// bundle is the topics of a stream with several, in the order of Join.More: that of
// the positions in its ids.
type bundle struct {
	check uint32
	next  uint32 // of subs: whose turn it is to be caught up with
	subs  []sub
}

func (b *bundle) appendID(dst []byte) []byte {
	dst = append(dst, "id: "...)
	dst = eventid.AppendVectorHeader(dst, b.check)
	for i := range b.subs {
		dst = eventid.AppendVectorPosition(dst, b.subs[i].last)
	}
	return append(dst, "\n\n"...)
}

// admit makes a stream of a join: a slot, its subscriptions, the response head
// and the opening, and whatever it is behind.
func (s *Shard) admit(j *Join) {
	i, sl := s.slots.take()
	sl.fd = int32(j.Fd)
	sl.owner = j.Owner
	if j.Chunks {
		sl.flags |= flagChunked
	}
	s.stats.Joined.Add(1)
	s.stats.Streams.Add(1)
	if errno := s.kernel.Watch(j.Fd, user(i, sl)); errno != 0 {
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

	if !s.begin(i, sl, j) {
		return
	}
	if sl.flags&flagWaiting == 0 {
		sl.lastWrite = lastWrite
	}
	s.arm(i, sl)
}

// open sends the opening, unless the stream was greeted, and what the stream is
// behind. It reports whether the stream is open.
func (s *Shard) open(i uint32, sl *slot, j *Join) bool {
	switch {
	case j.greeting.done:
		return s.openGreeted(i, sl, j)
	case j.More == nil:
		return s.openOne(i, sl, j)
	}
	return s.openBundle(i, sl, j)
}

// releaseTopics undoes the holds of a join that came to nothing.
func (s *Shard) releaseTopics(j *Join) {
	for _, t := range j.topics() {
		s.table.Release(t)
	}
}

// openOne begins a stream with one topic. The shard must be known to be
// interested before it looks at the log: what is appended later marks it dirty.
func (s *Shard) openOne(i uint32, sl *slot, j *Join) bool {
	sl.topic, sl.at = s.subscribe(i, j.Topic)
	s.places = append(s.places[:0], s.placeOf(j, j.Topic, j.Position))
	p := &s.places[0]
	sl.cursor = p.Cursor
	sl.setLast(p.At)
	s.lead = s.lead[:0]
	head := s.appendHead(j)
	if s.appendBeginning(j, s.places) {
		s.lead = sse.AppendID(s.lead, p.At.Append(s.idBuf[:0]))
	}
	if p.Cursor == p.Head || j.Chunks {
		if !s.pushOpening(i, sl, head) {
			return false
		}
		if p.Cursor == p.Head || sl.flags&flagBlocked != 0 {
			return true
		}
	}
	st := s.states.at(sl.topic)
	st.topic.Snapshot(&s.snap)
	return s.push(i, sl, st)
}

// openBundle begins a stream with several topics.
func (s *Shard) openBundle(i uint32, sl *slot, j *Join) bool {
	b := &bundle{subs: make([]sub, len(j.More))}
	sl.flags |= flagMulti
	sl.topic = s.keepBundle(b)
	s.places = s.places[:0]
	for k, t := range j.More {
		b.check = eventid.Check(b.check, t.Name())
		sub := &b.subs[k]
		sub.state, sub.at = s.subscribe(i, t)
		p := s.placeOf(j, t, j.position(k))
		sub.cursor, sub.last = p.Cursor, p.At
		s.places = append(s.places, p)
	}
	s.lead = s.lead[:0]
	head := s.appendHead(j)
	if s.appendBeginning(j, s.places) {
		s.lead = b.appendID(s.lead)
	}
	if !s.pushOpening(i, sl, head) {
		return false
	}
	if sl.flags&flagBlocked != 0 {
		return true
	}
	return s.catchUpBundle(i, sl, false)
}

// placeOf is where a stream begins in a topic. What is no id at all is a gap of
// unknown extent, and the stream goes on live.
func (s *Shard) placeOf(j *Join, t *topic.Topic, at eventid.Position) log.Place {
	p := t.Locate(j.Resume, at, j.fixed)
	if p.Cause != log.GapNone && s.policy(t.Name()) == PolicyLatest {
		t.Snapshot(&s.snap)
		s.snap.SkipResumed(&p)
	}
	return p
}

// subscribe adds slot i to the subscribers of a topic and returns its state's
// index and the place there.
func (s *Shard) subscribe(i uint32, t *topic.Topic) (stateIndex, at uint32) {
	n := t.State(s.number)
	var st *state
	if n == topic.NoState {
		n, st = s.states.take()
		st.topic = t
		st.policy = s.policy(t.Name())
		t.Join(s.number, n)
		s.stats.Topics.Add(1)
	} else {
		st = s.states.at(n)
	}
	st.subs = append(st.subs, i)
	s.stats.Subscriptions.Add(1)
	return n, uint32(len(st.subs) - 1)
}

// unsubscribe is the inverse: it also gives back the hold that came with the join.
func (s *Shard) unsubscribe(stateIndex, at uint32) {
	st := s.states.at(stateIndex)
	t := st.topic
	st.remove(at, func(moved, place uint32) { s.movedTo(moved, stateIndex, place) })
	s.stats.Subscriptions.Add(-1)
	if len(st.subs) == 0 {
		t.Leave(s.number)
		if st.queued {
			st.topic = nil // the queue gives it back
		} else {
			s.states.give(stateIndex)
		}
		s.stats.Topics.Add(-1)
	}
	s.table.Release(t)
}

// movedTo notes that a slot stands at another place among a state's subscribers.
func (s *Shard) movedTo(i, stateIndex, place uint32) {
	sl := s.slots.at(i)
	if sl.flags&flagMulti == 0 {
		sl.at = place
		return
	}
	s.bundles[sl.topic].of(stateIndex).at = place
}

// of returns the bundle's subscription to the topic with that state.
func (b *bundle) of(stateIndex uint32) *sub {
	for k := range b.subs {
		if b.subs[k].state == stateIndex {
			return &b.subs[k]
		}
	}
	panic("shard: a slot stands among the subscribers of a topic that it does not have")
}

func (s *Shard) keepBundle(b *bundle) uint32 {
	if n := len(s.unused); n > 0 {
		i := s.unused[n-1]
		s.unused = s.unused[:n-1]
		s.bundles[i] = b
		return i
	}
	s.bundles = append(s.bundles, b)
	return uint32(len(s.bundles) - 1)
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
