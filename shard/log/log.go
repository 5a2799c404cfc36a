package log

import (
	"iter"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// Log is a topic's append-only sequence of events in wire form. Cursors in it are byte offsets
// since the log was made; they are never reused. It has no lock and no clock: its topic's lock
// guards it, and times are given.
type Log struct {
	segments []*segment
	first    int        // first event of segments[0] that is still retained
	tail     uint64     // cursor at the first retained event
	head     uint64     // cursor behind the newest event
	lowest   uint64     // with foreign: the lowest tail that there has ever been
	events   int        // retained events
	last     eventid.ID // of the newest event that the topic has; zero if there was none yet
	// the id at the tail: of the last event that was let go, or of the log's place
	lost      eventid.ID
	foreign   bool       // the events are those of an upstream, which gives them their ids
	placed    bool       // with foreign: lost is known, so that the log has a place in its topic
	cause     GapCause   // why the last lost event was lost: GapOverrun or GapEvicted
	rewritten *rewritten // nil: the history was never rewritten
	youth     youth      // which of the events the window keeps
}

// New returns the log of a topic whose events are published at this node. It begins after lost, the
// newest id that the topic may have had before.
func New(lost eventid.ID) Log { return Log{lost: lost} }

// foreignHead is where the head of a foreign log begins: there is room for older events before it.
const foreignHead = 1 << 48

// NewForeign returns the log of a topic whose events are those of an upstream. It has no place yet
// ([Log.BeginAt]).
func NewForeign() Log {
	return Log{foreign: true, head: foreignHead, tail: foreignHead, lowest: foreignHead}
}

// BeginAt gives a foreign log its place: the first event follows lost.
func (l *Log) BeginAt(lost eventid.ID) { l.lost, l.placed = lost, true }

// Placed reports whether a foreign log has its place.
func (l *Log) Placed() bool { return l.placed }

// Head is the cursor behind the newest event, Lost the newest id that is not retained, Events how
// many events are, and Bytes their size in wire form.
func (l *Log) Head() uint64     { return l.head }
func (l *Log) Lost() eventid.ID { return l.lost }
func (l *Log) Events() int      { return l.events }
func (l *Log) Bytes() int64     { return int64(l.head - l.tail) }

// Held is the memory of the log in bytes.
func (l *Log) Held() (n int64) {
	for _, g := range l.segments {
		n += g.held()
	}
	return n
}

// Whole reports whether the log has never let an event go: only then events can be put before its
// oldest one.
func (l *Log) Whole() bool { return l.tail == l.lowest }

// Append adds an event: body in wire form without its id (sse.AppendBody), which is copied, then
// its id line and the blank line. It returns by how much the memory held has grown. In a log of
// this node id must be above all that the topic has had.
func (l *Log) Append(body []byte, id eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, id, id.Append(text[:0]))
	l.last = id
	return grown
}

// AppendRaw adds an event that has no id: a receiver stands where it stood.
func (l *Log) AppendRaw(body []byte) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	id := l.HeadID()
	return l.put(body, id, eventid.PositionOf(id).Append(text[:0]))
}

// appendGap adds a gap event. A stream that was sent the gap stands at at; the topic stands at to.
func (l *Log) appendGap(body []byte, at, to eventid.ID) (grown int64) {
	var text [eventid.MaxPositionBytes]byte
	grown = l.put(body, at, eventid.PositionOf(at).Append(text[:0]))
	l.last = to
	return grown
}

// HeadID is the id of the last event in the log. If the history was rewritten, it may differ from
// the id of the topic's newest event.
func (l *Log) HeadID() eventid.ID {
	if l.events == 0 {
		return l.NewestID()
	}
	g := l.newest()
	return g.index[len(g.index)-1].id
}

func (l *Log) put(body []byte, id eventid.ID, idText []byte) (grown int64) {
	need := len(body) + len(idText) + sse.IDOverheadBytes
	l.noteAppended(id)

	g := l.newest()
	if g == nil || cap(g.buf)-len(g.buf) < need {
		g = newSegment(l.head, need, l.head-l.tail)
		l.segments = append(l.segments, g)
		grown = g.held()
	}
	indexed := cap(g.index)
	g.add(body, id, idText)
	grown += int64(cap(g.index)-indexed) * entryBytes

	l.head = g.end()
	l.events++
	return grown
}

// Older is an event from before a foreign log, or in its place a hole.
type Older struct {
	ID eventid.ID // of a hole: of the last event in it
	// in wire form without its id; it is copied. nil: everything after the one before, up to ID,
	// cannot be had
	Body []byte
}

// Prepend adds the events that lie right before the oldest one, at least one; lost is the id before
// them. Holes become gaps of that topic. It returns by how much the memory held has grown. The log
// must be whole: cursors below the tail would be given a second time, and streams that are overrun
// stand there.
func (l *Log) Prepend(topic string, events []Older, lost eventid.ID) (grown int64) {
	var before []*segment
	var text [eventid.MaxPositionBytes]byte
	total := uint64(0)
	last := lost
	for _, e := range events {
		if e.Body == nil {
			e.Body = AppendGap(nil, topic, &Place{From: eventid.PositionOf(last), Known: true,
				To: eventid.PositionOf(e.ID), Cause: GapMissed})
		}
		last = e.ID
		idText := eventid.PositionOf(e.ID).Append(text[:0])
		need := len(e.Body) + len(idText) + sse.IDOverheadBytes
		var g *segment
		if n := len(before); n > 0 && cap(before[n-1].buf)-len(before[n-1].buf) >= need {
			g = before[n-1]
		} else {
			g = newSegment(0, need, total)
			before = append(before, g)
		}
		g.add(e.Body, e.ID, idText)
		total += uint64(need)
	}
	l.tail -= total
	l.lowest = l.tail
	base := l.tail
	for _, g := range before {
		g.base = base
		base += uint64(len(g.buf))
		grown += g.held()
	}
	l.segments = append(before, l.segments...)
	l.events += len(events)
	l.lost = lost
	if l.rewritten != nil {
		l.rewritten.prepended(lost)
	}
	if l.last.IsZero() {
		l.last = events[len(events)-1].ID
	}
	return grown
}

// Lower moves the place of the log, before which nothing is, to an earlier id. Events without an id
// at its beginning have that, and so have losses there.
func (l *Log) Lower(lost eventid.ID) {
	was := l.lost
	l.lost = lost
	if l.rewritten != nil {
		for i := range l.rewritten.losses {
			if x := &l.rewritten.losses[i]; x.before == was {
				x.before = lost
			}
		}
	}
	for i, g := range l.segments {
		n := 0
		for n < len(g.index) && g.index[n].id == was {
			n++
		}
		if n > 0 { // snapshots keep what they have
			lowered := *g
			lowered.index = append(make([]entry, 0, cap(g.index)), g.index...)
			for k := range n {
				lowered.index[k].id = lost
			}
			l.segments[i] = &lowered
		}
		if n < len(g.index) {
			return
		}
	}
}

func (l *Log) newest() *segment {
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

// Trim drops the oldest events, idMS being the time of the clock that gives them their ids, until
// the log is within the retention or, where that is wider, its window. It returns by how much the
// memory held has shrunk. The newest event is dropped only for its age.
func (l *Log) Trim(r *Retention, nowMS, idMS uint64) (shrunk int64) {
	r.Window.grow(l, nowMS)
	for l.events > 0 {
		oldest := l.segments[0].index[l.first]
		if !r.exceeded(l, oldest.id, idMS) || r.Window.outlasts(r, l) {
			break
		}
		shrunk += l.drop(oldest)
		l.cause = GapOverrun
	}
	return shrunk
}

// drop lets the oldest event go, and its segment with the last of its events.
func (l *Log) drop(oldest entry) (shrunk int64) {
	segments := l.segments
	if !l.advanceTail(oldest) {
		return 0
	}
	shrunk = segments[0].held()
	segments[0] = nil
	if len(l.segments) == 0 {
		l.segments = nil
	}
	return shrunk
}

// advanceTail moves the tail behind the oldest event. It reports whether that was the last of its
// segment.
func (l *Log) advanceTail(oldest entry) (last bool) {
	g := l.segments[0]
	l.noteDropped(oldest.id)
	displaced := !l.follows() && oldest.id == l.lost
	l.lost, l.tail = oldest.id, g.base+uint64(oldest.end)
	if displaced { // it is no event
		l.rewritten.displaced = l.tail
	}
	l.events--
	if l.first++; l.first < len(g.index) {
		return false
	}
	l.first, l.segments = 0, l.segments[1:]
	return true
}

// Clear lets all events go. It returns the memory that was held.
func (l *Log) Clear() (shrunk int64) {
	lost := l.lost
	for _, g := range l.segments {
		shrunk += g.held()
	}
	for _, e := range l.retained() {
		l.noteDropped(e.id)
		l.lost = e.id
	}
	if l.events > 0 {
		if l.NewestID() != l.HeadID() || !l.follows() && l.NewestID() == lost {
			// the events that go do not lie before the place where the upstream goes on
			newest := l.NewestID()
			l.fall(l.HeadID(), eventid.ID{MS: newest.MS, Seq: newest.Seq + 1})
			l.rewritten.displaced = l.head
		}
		l.lost = l.NewestID() // of a log of events without ids it stays
		l.cause = GapEvicted
	}
	l.segments, l.first, l.events = nil, 0, 0
	l.tail = l.head
	return shrunk
}

// retained yields the log's events, oldest first, and where each begins.
func (l *Log) retained() iter.Seq2[uint64, entry] {
	return func(yield func(uint64, entry) bool) {
		first := l.first
		for _, g := range l.segments {
			for k := first; k < len(g.index); k++ {
				if !yield(g.base+uint64(g.start(k)), g.index[k]) {
					return
				}
			}
			first = 0
		}
	}
}

// segmentAt returns the index of the segment that holds position p, which must be retained.
func (l *Log) segmentAt(p uint64) int {
	for i := len(l.segments) - 1; i > 0; i-- { // readers are near the head
		if l.segments[i].base <= p {
			return i
		}
	}
	return 0
}

// Start is the position that a stream without a history is given: right after the newest event or,
// before the first one, the present. In the millisecond of lost the first event may still come,
// with a higher sequence number: a time could not tell the two apart.
func (l *Log) Start(nowMS uint64) eventid.Position {
	switch {
	case !l.last.IsZero():
		return eventid.PositionOf(l.last)
	case l.foreign || nowMS <= l.lost.MS:
		return eventid.PositionOf(l.lost)
	}
	return eventid.At(nowMS)
}

// NewestID is the id of the topic's newest event or, before the first one, the newest that is
// known to be lost. In a log of this node the next id must be above it.
func (l *Log) NewestID() eventid.ID {
	if l.last.IsZero() {
		return l.lost
	}
	return l.last
}

// Newest is the id of the topic's newest event; zero if there was none.
func (l *Log) Newest() eventid.ID { return l.last }

// Position is the position after the newest event.
func (l *Log) Position() eventid.Position { return eventid.PositionOf(l.NewestID()) }
