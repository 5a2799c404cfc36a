package shard

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// open makes a slot's stream begin: its subscriptions, the opening unless it was greeted, and what
// it is behind. The shard is known to be interested before it looks at a log: what is appended
// later marks it dirty. It reports whether the stream is open.
func (s *Shard) open(i uint32, sl *slot, j *Join) bool {
	behind := s.subscribeAll(i, sl, j)
	if g := &j.greeting; g.done {
		s.stats.countSend(g.sent)
		if len(g.unsent) > 0 {
			return s.block(i, sl, outbox{framed: g.unsent})
		}
	} else if sl.wire == WireAnswer {
		return s.openPoll(i, sl, j, behind)
	} else {
		s.addHead(j)
		s.addBeginning(i, sl, j)
	}
	switch {
	case behind:
		return s.catchUp(i, sl, false)
	case len(s.due.lead) > 0:
		return s.put(i, sl, reading{})
	}
	return true
}

// subscribeAll subscribes a slot to the topics of a join, and sets it to its place in each:
// s.places. It reports whether there is anything to catch up with.
func (s *Shard) subscribeAll(i uint32, sl *slot, j *Join) (behind bool) {
	s.places = s.places[:0]
	if j.More == nil {
		sl.topic, sl.at = s.subscribe(i, j.Topic)
		p := log.Place{Cursor: j.greeting.cursor, At: j.greeting.at}
		if j.greeting.done {
			behind = !j.Topic.HeadAt(p.Cursor)
		} else {
			p = s.placeOf(j, j.Topic, j.Position)
			behind = p.Cursor != p.Head
		}
		s.places = append(s.places, p)
		sl.cursor = p.Cursor
		sl.setLast(p.At)
		return behind
	}
	b := &bundle{subs: make([]sub, len(j.More))}
	sl.flags |= flagMulti
	sl.topic = s.addBundle(b)
	for k, t := range j.More {
		b.check = eventid.Check(b.check, t.Name())
		sub := &b.subs[k]
		sub.state, sub.at = s.subscribe(i, t)
		p := s.placeOf(j, t, j.position(k))
		sub.cursor, sub.last = p.Cursor, p.At
		s.places = append(s.places, p)
		behind = behind || p.Cursor != p.Head
	}
	return behind
}

// placeOf is where a stream begins in a topic. A malformed id is a gap of unknown extent, and the
// stream continues live.
func (s *Shard) placeOf(j *Join, t *topic.Topic, at eventid.Position) log.Place {
	p := j.locate(t, at)
	if p.Cause != log.GapNone && s.policy(t.Name()) == PolicyLatest {
		s.snapshot(t)
		s.snap.SkipResumed(&p)
	}
	return p
}
