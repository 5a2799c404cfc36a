package redis

import (
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/eventid"
	"ssedge/shard/topic"
)

// follower follows one topic at the servers. It runs the topic's feed under a lock, and knows the
// node that the feed's messages and readings come from.
type follower struct {
	source *Source
	topic  *topic.Topic
	told   atomic.Int32  // how many subscribers the topic had when that was written last
	flags  atomic.Uint32 // flagGone, flagStray

	mu   sync.Mutex // guards node and feed
	node *node      // whose connection the channel is subscribed on, or will be
	feed feed.Feed
}

const (
	flagGone  = 1 << iota // nothing holds the topic any more
	flagStray             // the follower is among those whose master is not known
)

func (f *follower) isGone() bool { return f.flags.Load()&flagGone != 0 }

// key is the name of the topic's stream.
func (f *follower) key() string { return f.source.names.key(f.topic.Name()) }

// machine is the feed at work. The lock is held.
func (f *follower) machine() feed.Machine {
	return feed.Machine{Feed: &f.feed, Log: f.topic, Host: f, Config: &f.source.feeds}
}

// run lets the feed work, unless the topic was forgotten.
func (f *follower) run(work func(feed.Machine)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isGone() {
		work(f.machine())
	}
}

// receive takes a message from the channel. It is called on the connection's reading goroutine and
// does not block.
func (f *follower) receive(text string) {
	f.run(func(m feed.Machine) { m.Receive(text) })
}

// again has the stream read again, after that has failed.
func (f *follower) again() { f.run(feed.Machine.Failed) }

// recheck has the end of the stream looked at, because its slot is on its way to another master.
func (f *follower) recheck() { f.run(feed.Machine.Migrating) }

// Ask is called when a stream wants to go on from where the log does not reach.
func (f *follower) Ask(from eventid.Position) (n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = f.source.asks.Add(1)
	f.machine().Ask(from, n)
	return n
}

// Now is before everything that is still to come.
func (f *follower) Now() eventid.Position { return eventid.At(f.source.times.lower()) }

// Stop is called when the topic was forgotten. A lock of the table is held, for which appending to
// another log may wait with its follower locked: so this one is not locked here.
func (f *follower) Stop() {
	f.flags.Or(flagGone)
	f.source.leavers.add(f)
}

// forget lets go of what the follower of a topic that was forgotten keeps. It returns the node that
// its channel is subscribed on.
func (f *follower) forget() *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.machine().Forget()
	f.source.counts.states[f.feed.State()].Add(-1)
	return f.node
}

// lostBy is called when the connection of n, or the subscription on it, is lost. It reports whether
// the follower needs another one.
func (f *follower) lostBy(n *node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node != n || f.isGone() {
		return false
	}
	f.machine().Away()
	return true
}

// moveTo has the channel subscribed on n. It returns the node that it is subscribed on now; nil if
// there is none or it is the same.
func (f *follower) moveTo(n *node) (from *node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() || f.node == n && f.feed.State() != feed.Away {
		return nil
	}
	if f.node != n {
		from, f.node = f.node, n
		f.machine().Unqueue()
	}
	f.machine().Away()
	n.join(f)
	return from
}

// at reports whether the channel is, or will be, subscribed on n.
func (f *follower) at(n *node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.node == n && !f.isGone()
}

// joins reports whether the channel is to be subscribed on n, and the feed's epoch in which it is.
func (f *follower) joins(n *node) (epoch uint32, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.feed.Epoch(), f.node == n && f.feed.State() == feed.Away && !f.isGone()
}

// subscribed is called when the channel is subscribed on n: from here on everything comes through
// it, unless the subscription was lost before this call.
func (f *follower) subscribed(n *node, epoch uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node == n && f.feed.State() == feed.Away && f.feed.Epoch() == epoch && !f.isGone() {
		f.machine().Subscribed()
	}
}

// compares reports whether the log is being compared with another history.
func (f *follower) compares() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.feed.Comparing()
}

// request is a reading of a feed's stream.
type request struct {
	feed.Request
	follower *follower
}

// next says what to read of the stream on n; false: nothing.
func (f *follower) next(n *node) (request, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() || f.node != n {
		return request{}, false
	}
	r, ok := f.machine().Next()
	return request{r, f}, ok
}

// command is the command that reads it.
func (r *request) command(client rueidis.Client) rueidis.Completed {
	key, n := r.follower.key(), int64(r.Count)
	if r.Backward {
		return client.B().Xrevrange().Key(key).End(r.Last).Start(r.First).Count(n).Build()
	}
	return client.B().Xrange().Key(key).Start(r.First).End(r.Last).Count(n).Build()
}

// answer takes what was read.
func (r *request) answer(entries []rueidis.XRangeEntry) {
	events := r.follower.source.elements(entries)
	r.follower.run(func(m feed.Machine) { m.Take(r.Request, events) })
}

// elements are the elements of a stream that have an id.
func (s *Source) elements(entries []rueidis.XRangeEntry) []feed.Element {
	all := make([]feed.Element, 0, len(entries))
	for _, e := range entries {
		element, ok := s.feeds.Parse(e.ID, e.FieldValues)
		if element.Bad {
			s.counts.malformed.Add(1)
		}
		if ok {
			all = append(all, element)
		}
	}
	return all
}
