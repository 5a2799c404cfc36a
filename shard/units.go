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

// flatMax is the size up to which a batch is copied into one piece: that costs less than a vectored
// send.
const flatMax = 2 << 10

// batch is units that go in one send. First stands what must go in any case: s.due.
type batch struct {
	pieces   [][]byte
	units    []unit
	promised int // bytes that are promised though none may have been sent
	total    int
	first    int    // of pieces, in the unit that is being put together …
	payload  int    // … and the payload that it has so far
	frames   []byte // what stands between payloads; pointed into
	ids      []byte // id lines of a stream with several topics; pointed into
	flat     []byte
}

// unit is one unit of a batch.
type unit struct {
	size   int              // bytes, with its frame
	end    uint64           // once it is begun: the cursor …
	at     eventid.Position // … and the position
	events int              // that begin in it; 0: the stream stays where it stands
	event  underway         // the last event in it, as it is before it …
	left   underway         // … and behind it
}

// underway is an event of which some was sent: its payload that was not, in a log and, behind that,
// in scratch.
type underway struct {
	log   []byte
	tail  []byte
	state uint32 // whose log …
	end   uint64 // … and where the event ends in it
	own   bool   // log is no topic's, but memory that is kept for this stream (older)
}

// kept is u for longer than this call: scratch is copied, and so is what lies in the log if it is
// short, since the log may drop it.
func (u underway) kept() underway {
	if len(u.log) > 0 && u.size() <= restCopyMax {
		return underway{tail: append(append(make([]byte, 0, u.size()), u.log...), u.tail...)}
	}
	u.tail = clone(u.tail)
	return u
}

func (u *underway) size() int { return len(u.log) + len(u.tail) }

// cut takes the first n bytes off.
func (u *underway) cut(n int) (ofLog, ofTail []byte) {
	k := min(n, len(u.log))
	ofLog, u.log = u.log[:k], u.log[k:]
	ofTail, u.tail = u.tail[:n-k], u.tail[n-k:]
	return ofLog, ofTail
}

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
		s.due = due{lead: s.due.lead[:0]}
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
	if f.head == nil { // nothing is promised: an event that is long stays in its log
		left := u.event
		left.cut(n - (end - u.size))
		return unsent(left)
	}
	return outbox{framed: b.between(n, end), underway: u.left.kept()}
}

// between copies bytes of a batch.
func (b *batch) between(from, to int) []byte {
	all := make([]byte, 0, to-from)
	for _, p := range b.pieces {
		lo, hi := min(max(from, 0), len(p)), min(max(to, 0), len(p))
		all = append(all, p[lo:hi]...)
		from -= len(p)
		to -= len(p)
	}
	return all
}

// fill puts together what goes in one send. u is the rest of an event that is under way.
func (s *Shard) fill(sl *slot, f *framing, of reading, u underway) *batch {
	most := f.unit
	if f.head != nil && s.rests.used.Load()+int64(most) > s.rests.max { // copies must fit
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

func (b *batch) begin() {
	b.pieces, b.units, b.frames, b.ids = b.pieces[:0], b.units[:0], b.frames[:0], b.ids[:0]
	b.promised, b.total, b.payload = 0, 0, 0
}

// drop forgets the bytes of logs.
func (b *batch) drop() {
	clear(b.pieces[:cap(b.pieces)])
	clear(b.units[:cap(b.units)])
}

// flatten copies a batch that is short into one piece.
func (b *batch) flatten() {
	if b.total > flatMax || len(b.pieces) < 2 {
		return
	}
	b.flat = b.flat[:0]
	for _, p := range b.pieces {
		b.flat = append(b.flat, p...)
	}
	b.pieces = append(b.pieces[:0], b.flat)
}

func (b *batch) hasRoom() bool { return b.total < batchBytes && len(b.pieces) < batchPieces }

// openUnit begins a unit, and pay adds payload to it.
func (b *batch) openUnit(f *framing) {
	b.first, b.payload = len(b.pieces), 0
	if f.head != nil {
		b.pieces = append(b.pieces, nil)
	}
}

func (b *batch) addPayload(piece []byte) {
	if len(piece) > 0 {
		b.pieces = append(b.pieces, piece)
		b.payload += len(piece)
	}
}

// closeUnit ends a unit, which must have payload. It returns its size.
func (b *batch) closeUnit(f *framing) (size int) {
	size = b.payload + len(f.tail)
	if f.head != nil {
		b.frames = withRoom(b.frames, headMax)
		from := len(b.frames)
		b.frames = f.head(b.frames, b.payload)
		b.pieces[b.first] = b.frames[from:]
		size += len(b.frames) - from
	}
	if len(f.tail) > 0 {
		b.pieces = append(b.pieces, f.tail)
	}
	b.total += size
	b.payload = 0
	return size
}

// withRoom returns scratch with room for n bytes more. What was pointed into stays as it is.
func withRoom(scratch []byte, n int) []byte {
	if cap(scratch)-len(scratch) < n {
		return make([]byte, 0, max(n, 4<<10))
	}
	return scratch
}

// addDue adds what goes first in any case.
func (b *batch) addDue(d *due, f *framing, most int) {
	if d.head > 0 {
		b.pieces = append(b.pieces, d.lead[:d.head])
		b.total = d.head
	}
	for lead := d.lead[d.head:]; len(lead) > 0; {
		n := min(len(lead), most)
		b.openUnit(f)
		b.addPayload(lead[:n])
		b.closeUnit(f)
		lead = lead[n:]
	}
	if d.last && len(f.lastUnit) > 0 {
		b.pieces = append(b.pieces, f.lastUnit)
		b.total += len(f.lastUnit)
	}
	b.promised = b.total
}

// addPart adds a unit of an event that is under way.
func (b *batch) addPart(f *framing, u *underway, most int) {
	was := *u
	b.openUnit(f)
	ofLog, ofTail := u.cut(min(u.size(), most))
	b.addPayload(ofLog)
	b.addPayload(ofTail)
	b.units = append(b.units, unit{size: b.closeUnit(f), event: was, left: *u})
}

// addEvent adds an event in units of its own, as far as there is room, but at least one.
func (b *batch) addEvent(f *framing, u underway, at eventid.Position, most int) {
	first := len(b.units)
	for u.size() > 0 && (b.hasRoom() || len(b.units) == first) {
		b.addPart(f, &u, most)
	}
	b.units[first].end, b.units[first].at, b.units[first].events = u.end, at, 1
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
		if b.payload+whole.size() > most || f.head == nil {
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
