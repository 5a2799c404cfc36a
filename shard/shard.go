package shard

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
	"ssedge/shard/wheel"
)

// Config is what the shards of a node have in common. All fields must be set but
// for those whose zero is said to mean something.
type Config struct {
	Turns
	Delivery

	Policy func(topic string) Policy // nil: PolicyGap for all
	// called on the shard's goroutine; nil: it is not called
	OnClose func(owner uint32, reason CloseReason)
	// OnDone takes back the descriptor of a poll that was answered, with Poll.Note. If the
	// connection ended otherwise fd is -1; that is told only if there is a note. It is called on
	// the shard's goroutine and must not block; nil: connections are closed
	OnDone func(fd int, note any)
}

// Shard is one core's loop over its streams. Its fields belong to its goroutine;
// the others reach it through the inbox, and read stats.
type Shard struct {
	number int
	config *Config
	table  *topic.Table
	kernel sys.Kernel
	inbox  inbox
	stats  Stats
	rests  restBudget

	slots       slots
	states      states
	bundles     []*bundle         // of streams with several topics
	freeBundles []uint32          // free elements of bundles
	outboxes    map[uint32]outbox // by slot: what its socket has not taken
	stalls      map[uint32]stall  // by slot: blocked streams that were checked
	// tick since which the process runs, if it was stopped
	ranFrom uint32
	// nanotime at which the next turn is due; 0: never
	dueAt int64
	waits map[uint32]*wait // by slot: streams that cannot begin yet
	// slots that waited for topics that were answered
	woken []map[uint32]struct{}
	// which of them wait for the upstream of a topic
	awaiting map[*topic.Topic]map[uint32]struct{}
	// how many have gone from it since it was made
	awaitedEver  int
	retries      []uint64       // which of them to look at again
	queue        queue          // states that wait for their pass
	forms        []*AnswerForm  // of polls, ever
	notes        map[uint32]any // by slot: Poll.Note
	notesPeak    int            // the most there were
	wheel        *wheel.Wheel   // one entry per slot: heartbeat, stall, end
	drain        drain
	incoming     incoming    // taken from the inbox
	joined       int         // of them joins, in this turn
	sends        uint64      // system calls made for streams, ever
	events       []sys.Event // found by the last wait …
	handled      int         // … and how many of them were dealt with
	noYieldUntil int64       // the time until which the processor is not given up
	crowded      bool        // GOMAXPROCS leaves no place for goroutines beside the shards
	rng          *rand.Rand
	clock        func() int64 // the time inside a turn: nanotime
	now          int64        // of this turn
	tick         uint32       // of this turn
	ended        bool

	// Scratch, valid within one call chain.
	snap    log.Snapshot // of the topic under way
	due     due          // what the stream under way is owed beside that
	places  []log.Place  // where a stream begins in each of its topics
	pieces  [][]byte     // one vectored send
	resumed [][]byte     // what is left of one
	batch   batch        // units of one send
	answer  answer       // to a poll
	shared  shared       // those that several streams are sent
	idBuf   [eventid.MaxPositionBytes]byte

	heartbeatTicks, stallTicks uint32
	waitsPeak, stallsPeak      int // the most there were
}

// Dirty and Answered are topic.Listener's.
func (s *Shard) Dirty(t *topic.Topic)    { s.inbox.markDirty(t) }
func (s *Shard) Answered(t *topic.Topic) { s.inbox.answer(t) }

func listeners(shards []*Shard) (all []topic.Listener) {
	for _, s := range shards {
		all = append(all, s)
	}
	return all
}

// restBudget bounds the copies of half-sent events of all shards together.
type restBudget struct {
	used *atomic.Int64
	max  int64
}

// The wheel: ticks of 16.8 ms, and buckets for 34 s.
const (
	tickShift    = 24
	wheelBuckets = 2048
	firesPerTurn = 64
	eventsMax    = 512
)

func newShard(number int, c *Config, t *topic.Table, k sys.Kernel, rests restBudget, now int64,
	seed uint64) *Shard {
	s := &Shard{
		number: number, config: c, table: t, kernel: k, rests: rests,
		inbox:    inbox{kernel: k, joinsMax: c.InboxMax},
		slots:    slots{free: noSlot},
		outboxes: make(map[uint32]outbox), stalls: make(map[uint32]stall),
		notes: make(map[uint32]any),
		waits: make(map[uint32]*wait), awaiting: make(map[*topic.Topic]map[uint32]struct{}),
		wheel:  wheel.New(wheelBuckets, uint32(now>>tickShift)),
		clock:  nanotime,
		events: make([]sys.Event, min(c.TurnSends, eventsMax))[:0], // each may cost a send
		rng:    rand.New(rand.NewPCG(seed, uint64(number))),
	}
	s.stats.init()
	s.setNow(now)
	s.stallTicks = ticks(c.WriteStall)
	if c.Heartbeat > 0 {
		s.heartbeatTicks = ticks(c.Heartbeat)
	}
	return s
}

// keepMax is the longest that a shard with work keeps its processor from others.
const keepMax = 100 * time.Millisecond

// joinPause is how long a shard to which streams have just come, and which has nothing else to do,
// waits before it looks again. In a storm a turn takes in dozens of them, instead of being woken
// for each. They have their answer already (greet), and a stream that comes alone does not wait.
const joinPause = 500 * time.Microsecond

// run is the shard's goroutine. It returns when stopped. It has a thread of its own:
// the scheduler interrupts a goroutine that works for 10 ms, and another thread that
// took it on would have to wait for the kernel's turn again.
func (s *Shard) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		wait := s.step(nanotime())
		switch {
		case s.ended: // stop was called
			s.kernel.Release()
			return
		case wait == 0:
			s.yield() // there is more to do at once
			s.poll(0)
		case s.joined > 0:
			time.Sleep(joinPause)
			s.poll(0)
		default:
			s.sleep(wait)
		}
	}
}

// yield lets others go first: pollers, publishers and, on one machine, clients. Whenever
// they wake up they would otherwise wait for the end of the time slice that the kernel
// has given the shard, 3 ms. (Measured: bench/results/README.md.)
//
// A yield costs more than a turn: beside a thread that is always runnable, a shard that yielded
// after each turn would get a tenth of the processor. So after a yield it runs for as long as the
// others ran before it yields again, but at most for keepMax, since the whole process may have been
// stopped for minutes.
func (s *Shard) yield() {
	if s.crowded {
		runtime.Gosched()
	}
	began := s.clock()
	if began < s.noYieldUntil {
		return
	}
	s.kernel.Yield()
	ended := s.clock()
	s.noYieldUntil = ended + min(ended-began, int64(keepMax))
}

// sleep waits for an event, or until the time is over. It checks the inbox again once asleep is
// set: an entry that came before that has not woken the shard.
func (s *Shard) sleep(wait time.Duration) {
	s.inbox.asleep.Store(true)
	if s.inbox.depth.Load() != 0 {
		wait = 0
	}
	s.poll(wait)
	s.inbox.asleep.Store(false)
}

// poll asks the kernel for events and waits up to wait for the first. It does nothing while events
// of the last call are still to be handled.
func (s *Shard) poll(wait time.Duration) {
	if s.handled == len(s.events) {
		s.events, s.handled = s.events[:s.kernel.Wait(s.events[:cap(s.events)], wait)], 0
	}
}

// step is one turn, in this order:
//
//  1. the inbox: a stream that joined must be there before the events for it are
//     looked for, and what is dirty must be known before anything is sent;
//  2. hang-ups and writable sockets: hang-ups come before the fan-out so that closed
//     connections are not written to. A stream that becomes writable gets its whole
//     backlog in one send;
//  3. fan-out, within a budget: the one part that can be long;
//  4. the wheel: last, so that a stream that was just written to needs no
//     heartbeat.
//
// It returns how long nothing needs to be done: 0 if there is more to do now,
// negative if only an event or the inbox can change anything.
func (s *Shard) step(now int64) time.Duration {
	s.noticeStop(now)
	wait := s.turn(now)
	s.dueAt = 0
	if wait >= 0 {
		s.dueAt = now + int64(wait)
	}
	return wait
}

// turn is step without its watch over time.
func (s *Shard) turn(now int64) time.Duration {
	s.setNow(now)
	busy := !s.takeInbox()
	busy = !s.handleEvents() || busy
	busy = !s.fanOut() || busy
	if s.drain.active {
		s.drainSome()
	}
	idle := s.wheel.Advance(s.tick, firesPerTurn, s.fire)
	s.stats.Turns.Add(1)
	s.stats.Turn.observeNanos(s.clock() - now)
	if busy || !idle || s.hasRetries() {
		return 0
	}
	s.dropBytes()
	return s.untilDeadline()
}

// dropBytes forgets the bytes of logs that scratch still points to, so that an
// idle shard keeps no trimmed segment alive.
func (s *Shard) dropBytes() {
	s.snap.Drop()
	clear(s.pieces[:cap(s.pieces)])
	clear(s.resumed[:cap(s.resumed)])
	s.batch.drop()
	s.shared.drop()
	s.answer.drop()
	s.shared.valid = false
}

func (s *Shard) untilDeadline() time.Duration {
	wait := time.Duration(-1)
	if tick, ok := s.wheel.Next(); ok {
		wait = max(1, time.Duration(int64(tick-s.tick)<<tickShift-(s.now&(1<<tickShift-1))))
	}
	if s.drain.active {
		wait = s.drain.wait(wait)
	}
	return wait
}

// hasRetries reports whether streams that waited are still to be looked at again.
func (s *Shard) hasRetries() bool { return len(s.retries) > 0 || len(s.woken) > 0 }

// takeInbox handles what is in the inbox, within a budget for each kind: a storm of joins must not
// delay events for the streams that are there. It reports whether the inbox is empty.
func (s *Shard) takeInbox() bool {
	in := &s.incoming
	s.joined = 0
	if s.inbox.depth.Load() == 0 && in.left() == 0 && !s.hasRetries() {
		s.stats.Inbox.Store(0)
		return true
	}
	s.inbox.take(in)
	b := s.newBudget()
	for more := true; more && in.admitted < len(in.joins); s.joined++ {
		s.admit(&in.joins[in.admitted])
		in.joins[in.admitted] = Join{}
		in.admitted++
		s.inbox.joining.Add(-1)
		s.sends++ // a join costs as much
		more = b.spend(s)
	}
	b = s.newBudget()
	for more := true; more && in.queued < len(in.dirty); in.queued++ {
		s.enqueue(in.dirty[in.queued])
		more = b.spend(s)
	}
	b = s.newBudget()
	more := true
	for ; more && in.noted < len(in.answered); in.noted++ {
		s.answered(in.answered[in.noted])
		more = b.spend(s)
	}
	more = more && s.queueRetries(&b)
	for ; more && len(s.retries) > 0; more = b.spend(s) {
		stream := s.retries[len(s.retries)-1]
		s.retries = s.retries[:len(s.retries)-1]
		s.retry(stream)
		s.sends++ // as much as a join
	}
	b = s.newBudget() // a call may send older events to a stream
	// Callers wait for their calls, also when the shard ends.
	for more := true; (more || s.ended) && in.called < len(in.calls); more = b.spend(s) {
		f := in.calls[in.called]
		in.calls[in.called] = nil
		in.called++ // before: it may be the last one, which ends the shard
		f()
	}
	in.forget()
	s.stats.Inbox.Store(int64(in.left()))
	return in.left() == 0 && !s.hasRetries()
}

// handleEvents takes what the kernel has reported, within a budget: a stream that
// becomes writable may have a large backlog. It reports whether that was all.
func (s *Shard) handleEvents() bool {
	b := s.newBudget()
	for more := true; more && s.handled < len(s.events); s.handled++ {
		s.handle(s.events[s.handled])
		more = b.spend(s)
	}
	return s.handled == len(s.events)
}

// handle takes one report of the kernel. Hang-ups come before writability: a
// connection that is gone is not written to.
func (s *Shard) handle(e sys.Event) {
	i, sl := s.slots.find(e.User)
	if sl == nil {
		return // about a stream that is no more
	}
	if e.Flags&sys.HangUp != 0 {
		s.close(i, sl, ClosedClientGone)
		return
	}
	if e.Flags&sys.Writable != 0 && sl.flags&flagBlocked != 0 {
		s.unblock(i, sl)
	}
}
