package log

import (
	"ssedge/proto/eventid"
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

// Older is an event from before a foreign log, or in its place a hole.
type Older struct {
	ID eventid.ID // of a hole: of the last event in it
	// in wire form without its id; it is copied. nil: everything after the one before, up to ID,
	// cannot be had
	Body []byte
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

// HeadID is the id of the last event in the log. If the history was rewritten, it may differ from
// the id of the topic's newest event.
func (l *Log) HeadID() eventid.ID {
	if l.events == 0 {
		return l.NewestID()
	}
	g := l.newest()
	return g.index[len(g.index)-1].id
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

func (l *Log) newest() *segment {
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}
