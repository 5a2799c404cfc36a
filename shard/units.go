package shard

import (
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// batchBytes and batchPieces bound one send: a socket rarely takes more bytes, and the kernel looks
// at no more pieces.
const (
	batchBytes  = 64 << 10
	batchPieces = piecesMax - 8
)

// putUnits sends a stream s.due, the rest of an event that is under way, and what the log has from
// its cursor to the head, or the older events that were read for it, in units.
func (s *Shard) putUnits(i uint32, sl *slot, f *framing, of reading, u underway) bool {
	for len(s.due.lead) > 0 || u.size() > 0 || of.behind(s, sl) {
		b := s.fill(sl, f, of, u)
		n, ok := s.send(i, sl, b.pieces, b.total)
		if !ok {
			return false
		}
		if n < b.promised {
			return s.block(i, sl, outbox{framed: b.between(n, b.promised), underway: u.kept()})
		}
		s.due.reset()
		events, end := 0, b.promised
		for k := range b.units {
			unit := &b.units[k]
			if n == end { // nothing of it is promised
				break
			}
			if events += unit.events; unit.events > 0 {
				of.moveTo(sl, unit.end, unit.at)
			}
			if end += unit.size; n < end {
				s.stats.countEvents(events)
				return s.block(i, sl, b.rest(f, unit, n, end))
			}
			u = unit.left
		}
		s.stats.countEvents(events)
		if n < b.total {
			return s.block(i, sl, outbox{underway: u.kept()})
		}
	}
	return true
}

// rest is what is unsent of a unit that ends at a byte of the batch and was sent up to n, and of
// its last event.
func (b *batch) rest(f *framing, u *unit, n, end int) outbox {
	if !f.promises() { // nothing is promised: an event that is long stays in its log
		left := u.event
		left.cut(n - (end - u.size))
		return unsent(left)
	}
	return outbox{framed: b.between(n, end), underway: u.left.kept()}
}

// fill puts together what goes in one send. u is the rest of an event that is under way.
func (s *Shard) fill(sl *slot, f *framing, of reading, u underway) *batch {
	most := f.unit
	if f.promises() && s.rests.used.Load()+int64(most) > s.rests.max { // copies must fit
		most = restCopyMax
	}
	if of.bundle == nil && of.has && len(s.due.lead) == 0 && u.size() == 0 {
		return s.fillShared(sl, f, of, most)
	}
	b := &s.batch
	b.begin()
	b.addDue(&s.due, f, most)
	for u.size() > 0 && b.hasRoom() {
		b.addPart(f, &u, most)
	}
	switch {
	case u.size() > 0:
	case of.older.left() > 0:
		b.addOlder(f, of.older, most)
	case !of.has:
	case of.bundle != nil:
		s.addEvents(b, f, of, most)
	default:
		s.addRuns(b, f, sl.cursor, of.state, most)
	}
	return b
}

// shared is the batch that most subscribers of a topic are sent: it is put together once for all
// that stand at one cursor.
type shared struct {
	batch
	valid  bool
	f      *framing
	cursor uint64
	most   int
}

func (s *Shard) fillShared(sl *slot, f *framing, of reading, most int) *batch {
	b := &s.shared
	if !b.valid || b.f != f || b.cursor != sl.cursor || b.most != most {
		b.valid, b.f, b.cursor, b.most = true, f, sl.cursor, most
		b.begin()
		s.addRuns(&b.batch, f, sl.cursor, of.state, most)
		b.flatten()
	}
	return &b.batch
}

// addRuns adds the events of a log from a cursor on: as many to a unit as fit.
func (s *Shard) addRuns(b *batch, f *framing, cursor uint64, state uint32, most int) {
	for cursor < s.snap.Head && b.hasRoom() {
		run := s.snap.Run(cursor, most)
		if len(run.Text) > most {
			b.addEvent(f, underway{log: run.Text, state: state, end: run.End}, run.At, most)
		} else {
			b.openUnit(f)
			b.addPayload(run.Text)
			b.units = append(b.units, unit{
				size: b.closeUnit(f), end: run.End, at: run.At,
				events: s.snap.EventsBetween(cursor, run.End),
			})
		}
		cursor = run.End
	}
}

// addEvents adds the events of one topic of several: the body of an event is shared like everything
// else; its id line is the stream's own, a vector of the positions in all its topics, so that one
// Last-Event-ID lets each of them resume exactly.
func (s *Shard) addEvents(b *batch, f *framing, of reading, most int) {
	was := of.sub.last
	need := eventid.VectorBytesMax(len(of.bundle.subs)) + sse.IDOverheadBytes
	var u unit
	open := false
	end := func() {
		if open {
			u.size = b.closeUnit(f)
			b.units = append(b.units, u)
		}
		open, u = false, unit{}
	}
	for cursor := of.sub.cursor; cursor < s.snap.Head &&
		b.total+b.payload < batchBytes && len(b.pieces) < batchPieces; {
		e := s.snap.Event(cursor)
		of.sub.last = e.At
		b.ids = withRoom(b.ids, need)
		begin := len(b.ids)
		b.ids = of.bundle.appendID(b.ids)
		whole := underway{log: e.Body, tail: b.ids[begin:], state: of.sub.state, end: e.End}
		if b.payload+whole.size() > most || !f.promises() {
			end()
		}
		if whole.size() > most {
			b.addEvent(f, whole, e.At, most)
		} else {
			if !open {
				b.openUnit(f)
				open = true
			}
			b.addPayload(whole.log)
			b.addPayload(whole.tail)
			u.end, u.at, u.event = e.End, e.At, whole
			u.events++
		}
		cursor = e.End
	}
	end()
	of.sub.last = was
}

// addOlder adds them to a batch, each with the id line that goes with it.
func (b *batch) addOlder(f *framing, o *older, most int) {
	was := o.join.position(o.k)
	for n := o.begun; n < len(o.events) && b.hasRoom(); n++ {
		e := o.events[n]
		at := eventid.PositionOf(e.ID)
		o.join.setPosition(o.k, at)
		whole := underway{log: e.Body, tail: o.join.appendID(nil), end: uint64(n + 1), own: true}
		b.addEvent(f, whole, at, most)
	}
	o.join.setPosition(o.k, was)
}
