package shard

import (
	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// due is what the stream under way is owed, beside what its topic's log (Shard.snap) has behind its
// cursor. It knows no wire.
type due struct {
	// opening, gaps, heartbeat, last words; goes first. The names of its topics bound it
	lead []byte
	gaps []toldIn // those in lead, in their order
	head int      // so many bytes of it are a response head, which stands before any unit
	last bool     // nothing follows: the body ends behind it
}

// toldIn is where a gap begins in due.lead, and its topic.
type toldIn struct {
	from  int
	topic string
}

func (d *due) reset() { *d = due{lead: d.lead[:0], gaps: d.gaps[:0]} }

// reading is the log that a stream is sent: none, that of its only topic, or that of one of
// several. A stream that waits is sent older events than its topic's log has.
type reading struct {
	state  uint32
	has    bool    // there is a log
	bundle *bundle // of a stream with several topics …
	sub    *sub    // … the one
	older  *older
}

// moveTo moves a stream to a place in what it is sent.
func (of *reading) moveTo(sl *slot, cursor uint64, at eventid.Position) {
	switch {
	case of.older != nil:
		of.older.moveTo(cursor, at)
	case of.sub != nil:
		of.sub.cursor, of.sub.last = cursor, at
	default:
		sl.cursor = cursor
		sl.setLast(at)
	}
}

// behind reports whether there is anything to send from it.
func (of *reading) behind(s *Shard, sl *slot) bool {
	return of.has && of.cursor(sl) < s.snap.Head || of.older.left() > 0
}

// cursor is where the stream stands in it.
func (of *reading) cursor(sl *slot) uint64 {
	if of.sub != nil {
		return of.sub.cursor
	}
	return sl.cursor
}

// at is the position that its client has.
func (of *reading) at(sl *slot) eventid.Position {
	if of.sub != nil {
		return of.sub.last
	}
	return sl.last()
}

// older is events that were read for a waiting stream, of its topic k. A cursor in them is how many
// were begun.
type older struct {
	join   *Join
	k      int
	events []log.Older
	begun  int
}

// left is how many are still to be sent; of none, 0.
func (o *older) left() int {
	if o == nil {
		return 0
	}
	return len(o.events) - o.begun
}

// moveTo notes that the first events were begun, up to a position.
func (o *older) moveTo(cursor uint64, at eventid.Position) {
	o.begun = int(cursor)
	o.join.setPosition(o.k, at)
}
