package log

import (
	"sort"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// The sizes of segments in bytes. A log begins small, for most topics hold a
// short event or two, and each further segment is as large as all that is retained,
// up to segmentBytesMax: so a log doubles, and one that keeps little stays small. An
// event that does not fit gets a segment of its own size.
const (
	segmentBytesMin = 256
	segmentBytesMax = 64 << 10
	entryBytes      = 24
)

// entry is one event of a segment: its id, where its id line begins and where it ends, as offsets
// from the segment's base. It begins where the one before ends.
type entry struct {
	id     eventid.ID
	idLine uint32
	end    uint32
}

// segment is a run of whole events. buf's array never moves and never shrinks, and the elements of
// index never change: what has been published of both may be read without a lock by every holder of
// a snapshot, and of a segment that is not the newest all of it. Segments are left to the garbage
// collector when trimmed; recycling them by hand under a reader is how one client gets another's
// bytes.
type segment struct {
	base  uint64 // position of buf[0] in the topic's log
	buf   []byte
	index []entry
}

func newSegment(base uint64, need int, retained uint64) *segment {
	size := max(segmentBytesMin, int(min(retained, segmentBytesMax)), need)
	return &segment{base: base, buf: make([]byte, 0, size), index: make([]entry, 0, 2)}
}

// add adds an event.
func (g *segment) add(body []byte, id eventid.ID, idText []byte) {
	g.buf = append(g.buf, body...)
	idLine := len(g.buf)
	g.buf = sse.AppendID(g.buf, idText)
	g.index = append(g.index, entry{id: id, idLine: uint32(idLine), end: uint32(len(g.buf))})
}

func (g *segment) end() uint64 { return g.base + uint64(len(g.buf)) }

// held is the memory the segment keeps, in bytes.
func (g *segment) held() int64 { return int64(cap(g.buf) + cap(g.index)*entryBytes) }

// start returns where event i begins, as an offset from base.
func (g *segment) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return g.index[i-1].end
}

// eventAt returns the event of which the byte behind a cursor is.
func (g *segment) eventAt(cursor uint64) int {
	offset := uint32(cursor - g.base)
	return sort.Search(len(g.index)-1, func(i int) bool { return g.index[i].end > offset })
}

// after returns the first event of begin to end that lies after p, end if there is none. Their ids
// stand in their order.
func (g *segment) after(p eventid.Position, begin, end int) int {
	return begin + sort.Search(end-begin, func(i int) bool {
		return p.Precedes(g.index[begin+i].id)
	})
}

// indexAt returns the event that begins at a position of the log.
func (g *segment) indexAt(at uint64) int {
	return 1 + sort.Search(len(g.index)-1, func(i int) bool {
		return g.base+uint64(g.index[i].end) >= at
	})
}
