package redis

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/topic"
)

// feed keeps one topic's log in step with its stream. It is a state machine:
//
//	away      its channel is not subscribed: nothing is known of what is published
//	catching  it is subscribed, and what it may have missed before is being read; what comes
//	          through the channel meanwhile is held
//	live      the log has everything up to the event that came last
//
// An event that comes through the channel carries the id of its predecessor. If that is the
// newest event of the log, the event follows it. If it is a later one, something was
// missed: the feed is catching again. If it is an earlier one, the servers have forgotten
// events that they had acknowledged, and gone on (a replica was promoted that had not got
// them): a fork.
type feed struct {
	source *Source
	topic  *topic.Topic
	told   atomic.Int32  // how many subscribers it was last said to have
	flags  atomic.Uint32 // flagGone, flagStray

	mu      sync.Mutex
	state   state
	epoch   uint32   // counts subscriptions that were lost
	doubts  uint32   // counts reasons to look at the end of the stream
	unheard *unheard // published through this edge, and not come yet; nil: none, as mostly
	node    *node    // whose connection the channel is subscribed on, or will be
	*todo            // nil while it is live and nothing is to be read, as most are most of the time
}

const (
	flagGone  = 1 << iota // nothing holds the topic any more
	flagStray             // it is among those whose master is not known
)

func (f *feed) isGone() bool { return f.flags.Load()&flagGone != 0 }

// todo is what a feed has to find out, and has found out so far.
type todo struct {
	queue     *node  // the node whose reading queue the feed is in; nil: none
	hurries   bool   // it is among the urgent ones there
	urgent    bool   // a stream waits for what is read
	intact    bool   // it was live when the doubt began, and the subscription was not lost since
	verifying bool   // to be found out: whether the stream has the log's newest event; if not, its history is another one …
	same      bool   // … it has
	forward   bool   // … and then events after that are to be read
	comparing bool   // the stream's last events are to be compared with the log's, newest first
	backward  bool   // events before the log's oldest one are to be read, behind from
	spilt     bool   // held was full: what came then must be read
	lost      bool   // something was given up that cannot be read: it is to be told
	looked    uint32 // the feed's doubts when the last look was asked for
	since     int64  // when the doubt began (times.now), while not live

	asked     uint64 // the last ask, 0 if it is answered
	from      eventid.Position
	floor     eventid.ID // found while reading: the newest id that the servers have no more
	stuck     eventid.ID // of the event whose predecessor was missing last
	read      eventid.ID // of the newest event in what was read last, since the doubt began
	apart     []element  // the last events of the stream, newest first, as far as they were read and the log has none of them …
	apartSize int        // … and their bytes
	readBytes int64      // while reading backward
	held      []string
	heldBytes int
	heldFirst int // so many of them came before the end of the stream was asked for
}

// busy makes the feed's todo, if it has none. The feed's lock is held.
func (f *feed) busy() {
	if f.todo == nil {
		f.todo = &todo{looked: f.doubts, since: f.source.times.now()}
	}
}

type state uint8

const (
	away state = iota
	catching
	live
	states
)

var stateNames = [states]string{"away", "catching_up", "live"}

// What is held of a topic at most, messages and bytes: more of it is read again.
const (
	heldMax      = 64
	heldBytesMax = 256 << 10
)

// key is the name of the topic's stream.
func (f *feed) key() string { return f.source.names.key(f.topic.Name()) }

// Ask is called when a stream wants to go on from where the log does not reach.
func (f *feed) Ask(from eventid.Position) (n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy()
	f.asked = f.source.asks.Add(1)
	if !f.backward || f.reachesFurther(from) {
		f.from = from
	}
	f.backward, f.urgent = f.topic.Extends(), true
	if _, last, _ := f.topic.Span(); last.Less(eventid.Before(from)) { // whatever is being read may be older than that
		f.doubt(causeAsk)
	}
	f.enqueue()
	return f.asked
}

// reachesFurther reports whether more must be read back for that position than for f.from. For a
// time without events it is all that the stream has.
func (f *feed) reachesFurther(from eventid.Position) bool {
	if from.Time != f.from.Time {
		return from.Time
	}
	return eventid.Before(from).Less(eventid.Before(f.from))
}

// Now is before everything that is still to come.
func (f *feed) Now() eventid.Position { return eventid.At(f.source.times.lower()) }

// Stop is called when the topic was forgotten, with a lock of the table held: appending to
// another log may wait for that, with its feed locked.
func (f *feed) Stop() {
	f.flags.Or(flagGone)
	f.source.leavers.add(f)
}

// lostBy is called when the connection of n, or the subscription on it, is lost. It reports
// whether the feed needs another one.
func (f *feed) lostBy(n *node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node != n || f.isGone() {
		return false
	}
	f.away()
	return true
}

// away is a feed without a subscription. What was read may be of a server that has been replaced.
func (f *feed) away() {
	f.busy()
	if f.state == live {
		f.since = f.source.times.now()
	}
	f.epoch++
	f.intact, f.read = false, eventid.ID{}
	f.verifying, f.same, f.forward, f.comparing, f.apart, f.apartSize = false, false, false, false, nil, 0
	f.set(away)
	f.release()
}

// moveTo has the channel subscribed on n. It returns the node that it is subscribed on now, nil if there
// is none or it is the same.
func (f *feed) moveTo(n *node) (from *node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() || f.node == n && f.state != away {
		return nil
	}
	if f.node != n {
		from, f.node = f.node, n
	}
	f.away()
	n.join(f)
	return from
}

// at reports whether the channel is, or will be, subscribed on n.
func (f *feed) at(n *node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.node == n && !f.isGone()
}

// joins reports whether the channel is to be subscribed on n, and the epoch in which it is.
func (f *feed) joins(n *node) (epoch uint32, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.epoch, f.node == n && f.state == away && !f.isGone()
}

// subscribed is called when the channel is subscribed on n: from here on everything comes through
// it, unless the subscription was lost before this call.
func (f *feed) subscribed(n *node, epoch uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() || f.node != n || f.state != away || f.epoch != epoch {
		return
	}
	c := causeReconnect
	if _, _, placed := f.topic.Span(); !placed {
		c, f.urgent = causeNew, true
	}
	f.set(catching)
	f.doubt(c)
}

// set changes the state, and counts it.
func (f *feed) set(to state) {
	f.source.counts.states[f.state].Add(-1)
	f.source.counts.states[to].Add(1)
	f.state = to
}

// doubt makes the feed look at the end of the stream, anew if it is being looked at.
func (f *feed) doubt(c cause) {
	f.busy()
	f.doubts++
	f.source.counts.catchUps[c].Add(1)
	if f.state == live {
		f.since = f.source.times.now()
		f.intact, f.read = true, eventid.ID{}
		f.set(catching)
	}
	f.enqueue()
}

// receive takes a message from the channel. It is called on the connection's reading goroutine
// and does not block.
func (f *feed) receive(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isGone():
	case f.state == live:
		f.take(text, cameLive)
	case f.state == catching:
		f.hold(text)
	}
}

// hold keeps a message until what may lie before it was read.
func (f *feed) hold(text string) {
	if f.spilt || len(f.held) == heldMax || f.heldBytes+len(text) > heldBytesMax {
		f.release()
		f.drop(text)
		f.spilt = true
		return
	}
	f.held = append(f.held, text)
	f.heldBytes += len(text)
}

// release gives up what is held.
func (f *feed) release() {
	for _, text := range f.held {
		f.drop(text)
	}
	f.held, f.heldBytes, f.heldFirst, f.spilt = nil, 0, 0, false
}

// drop gives up a message. The stream has its event, unless it has no place there.
func (f *feed) drop(text string) {
	if m, err := envelope.Parse(bytesOf(text)); err != nil || m.Raw() {
		f.lost = true
	}
}

// bytesOf is the text itself, which must only be read.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// timing says when a message came.
type timing uint8

const (
	cameLive  timing = iota
	cameLate         // it was held, so what was read meanwhile may contain it …
	cameEarly        // … or must, because it came before the reading began, unless it was let go or an old master answered
)

// take adds an event to the log, if it is the next one.
func (f *feed) take(text string, came timing) {
	m, err := envelope.Parse(bytesOf(text))
	if err != nil {
		f.source.refuse(f.topic.Name(), err)
		if m.ID.IsZero() || f.source.isForged(m.ID) {
			f.tellLost()
		}
		f.doubt(causeGap) // the stream may have it in order
		return
	}
	if m.Raw() {
		if body, ok := f.source.body(&m); ok {
			f.topic.AppendRaw(body.B)
			bodies.Put(body)
		} else { // it has no place, but it was one
			f.tellLost()
		}
		return
	}
	_, last, _ := f.topic.Span()
	switch {
	case m.ID == last, f.topic.Has(m.ID):
		f.source.counts.duplicates.Add(1)
	case m.Prev == last, begins(&m) && last.IsBound() && last.Less(m.ID): // the topic's first event, if nothing was missed
		f.add(&m)
	case came != cameLive && !f.read.Less(m.ID) && (f.stuck == m.ID || !m.Prev.IsZero() || came == cameEarly): // it was among what was read, and was let go
		f.source.counts.duplicates.Add(1)
		if f.stuck == m.ID && f.source.isForged(m.ID) {
			f.tellLost()
		}
		if m.Prev.IsZero() { // unless an old master answered
			f.source.times.after(phantomPause, f.lookAgain)
		}
	case f.todo != nil && f.stuck == m.ID: // the stream was read since it came, and does not have it
		f.source.counts.phantoms.Add(1)
		if f.source.isForged(m.ID) {
			f.tellLost()
		}
		f.source.times.after(phantomPause, f.lookAgain)
	default:
		f.busy()
		if !last.Less(m.Prev) { // of another history than the log's newest event
			f.compare()
		}
		f.stuck = m.ID
		f.hold(text)
		f.doubt(causeGap)
	}
}

// tellLost tells of something that came through the channel, has no place, and is not delivered.
func (f *feed) tellLost() {
	_, last, _ := f.topic.Span()
	f.topic.Skip(last, eventid.ID{})
}

// isForged reports whether an id is of a time so far from now that no server can have given it to an event that comes
// through a channel.
func (s *Source) isForged(id eventid.ID) bool {
	lower, upper := s.times.lower(), s.times.upper()
	return id.MS < lower && lower-id.MS > s.ttlMS() || id.MS > upper && id.MS-upper > s.ttlMS()
}

// phantomPause is the time between a message whose event the stream does not have and another look at the stream. The event
// may be an old master's, and have been published again at the new one, or it may be gone. If the old master answered the first
// look, the client for commands must have heard of the new one by the second.
const phantomPause = 2 * slotsEvery

// lookAgain has the end of the stream looked at.
func (f *feed) lookAgain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isGone() && f.state != away { // else it will be anyway
		f.doubt(causeGap)
	}
}

// beginAt goes on with an event although it is not known what lies between last and it. A gap tells that.
func (f *feed) beginAt(m *envelope.Message, last eventid.ID) {
	to := m.Prev
	if to.IsZero() { // a stream that begins anew: there is no id for what was before
		to = rightBefore(m)
	}
	f.topic.Skip(last, to)
	f.ackedSkipped(last, to)
	f.add(m)
}

// add appends an event. One that breaks the rule is told as a gap in its place.
func (f *feed) add(m *envelope.Message) {
	f.ackedCame(m.ID)
	body, ok := f.source.body(m)
	if !ok {
		_, last, _ := f.topic.Span()
		f.topic.Skip(last, m.ID)
		return
	}
	f.topic.Append(m.ID, body.B)
	bodies.Put(body)
	f.source.counts.appended(m.ID)
}

// fork goes on after id, which the log has: the servers have forgotten what follows it there.
func (f *feed) fork(id eventid.ID) {
	f.source.counts.forks.Add(1)
	f.topic.Fork(id)
}

// body puts an event into wire form. It reports false for one that breaks the rule: it is counted,
// and never changed to fit.
func (s *Source) body(m *envelope.Message) (*buffer, bool) {
	if s.config.Rule.Event(m.Event, m.Data, m.RetryMS) != nil {
		s.counts.unfit.Add(1)
		return nil, false
	}
	b := bodies.Get()
	b.B = sse.AppendBody(b.B[:0], &sse.Event{Name: m.Event, Data: m.Data, RetryMS: m.RetryMS})
	return b, true
}
