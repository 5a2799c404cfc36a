package redis

import (
	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
)

// A follower is its feed's host. The feed calls these methods with the follower's lock held.

func (f *follower) Lower() uint64  { return f.source.times.lower() }
func (f *follower) Upper() uint64  { return f.source.times.upper() }
func (f *follower) Seconds() int64 { return f.source.times.now() }

// Queue queues the follower at its node. A follower that has become urgent is queued twice, and the
// first entry counts.
func (f *follower) Queue(urgent bool) { f.node.fetches.add(f, urgent) }

// alarmPause is after how long a feed is woken. An event that its stream does not have may be an
// old master's, and have been published again at the new one. If the old master answered the first
// look at the stream, the client for commands must have heard of the new one by the second.
const alarmPause = 2 * slotsEvery

func (f *follower) Later(why feed.Alarm) {
	f.source.times.after(alarmPause, func() {
		f.run(func(m feed.Machine) { m.Wake(why) })
	})
}

func (f *follower) Changed(from, to feed.State) {
	f.source.counts.states[from].Add(-1)
	f.source.counts.states[to].Add(1)
}

func (f *follower) Appended(id eventid.ID) { f.source.counts.appended(id) }
func (f *follower) Doubted(why feed.Cause) { f.source.counts.catchUps[why].Add(1) }
func (f *follower) Count(what feed.Count)  { f.source.counts.feeds[what].Add(1) }
func (f *follower) Malformed(err error)    { f.source.refuse(f.topic.Name(), err) }

// feedConfig is what the feeds of this edge share.
func (c *Config) feedConfig() feed.Config {
	ttl := uint64(c.TTL.Milliseconds())
	return feed.Config{Rule: c.Rule, TTLMS: ttl, HistoryBytes: c.HistoryBytes}
}
