package shard

import (
	"sort"

	"ssedge/proto/eventid"
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

// entry is one event of a segment: its id and where it ends, as an offset from
// the segment's base. It begins where the one before ends.
type entry struct {
	id  eventid.ID
	end uint32
}

// segment is a run of whole events. buf's array never moves and never shrinks:
// what has been published of it is immutable and may be read without a lock by
// every holder of a snapshot. Segments are left to the garbage collector when
// trimmed; recycling them by hand under a reader is how one client gets
// another's bytes.
type segment struct {
	base  uint64 // position of buf[0] in the topic's log
	buf   []byte
	index []entry
}

func newSegment(base uint64, need int, retained uint64) *segment {
	size := max(segmentBytesMin, int(min(retained, segmentBytesMax)), need)
	return &segment{base: base, buf: make([]byte, 0, size), index: make([]entry, 0, 2)}
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

// after returns the first event of begin to end that lies after p, end if there is none. Their ids stand in their order.
func (g *segment) after(p eventid.Position, begin, end int) int {
	return begin + sort.Search(end-begin, func(i int) bool { return p.Precedes(g.index[begin+i].id) })
}

// indexAt returns the event that begins at a position of the log.
func (g *segment) indexAt(at uint64) int {
	return 1 + sort.Search(len(g.index)-1, func(i int) bool { return g.base+uint64(g.index[i].end) >= at })
}
