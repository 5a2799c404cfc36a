package redis

import (
	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
)

// sending is an event that is being published through this edge. The feed of its topic awaits it.
type sending struct {
	source   *Source
	topic    string
	follower *follower  // of the topic; nil: this edge does not follow it
	lost     eventid.ID // the newest event that its log had let go of before
}

// sending is called before an event is published.
func (s *Source) sending(topic string) sending {
	e := sending{source: s, topic: topic, follower: s.followerOf(topic)}
	if e.follower != nil {
		e.lost, _, _ = e.follower.topic.Span()
	}
	return e
}

// acknowledged is called when the event was stored. The topic may have been forgotten since, and be
// followed again.
func (e sending) acknowledged(id eventid.ID) {
	if f := e.source.followerOf(e.topic); f != nil {
		behind := f == e.follower && !e.lost.Less(id)
		f.run(func(m feed.Machine) { m.Published(id, behind) })
	}
}
