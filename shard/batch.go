package shard

import "ssedge/proto/eventid"

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
	events int              // how many begin in it; 0: the stream stays where it stands
	end    uint64           // the stream's cursor behind them
	at     eventid.Position // the stream's position behind them
	event  underway         // what was unsent of the last event in it before the unit
	left   underway         // what is unsent of that event behind the unit
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

// openUnit begins a unit, and addPayload adds to it.
func (b *batch) openUnit(f *framing) {
	b.first, b.payload = len(b.pieces), 0
	if f.promises() {
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
	if f.promises() {
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
