package httpapi

import (
	"slices"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"

	"ssedge/engine/refuse"
)

// memory is what the requests that publish hold together: bodies, their events in wire form, and
// receipts. What each holds in small buffers is not counted: the number of connections bounds it.
type memory struct {
	max  int64
	held atomic.Int64
}

// RequestBytesMax bounds what one request holds, by the largest JSON body and the largest event, in
// bytes. An array of the shortest events takes five times its body, most of it for receipts, and so
// does one whose data are all line breaks: each begins a line with a field name. A line of NDJSON
// with one event takes 18 times its data if each byte of that is escaped: the line and its value
// are six times as long. Buffers grow by a quarter more than is needed.
func RequestBytesMax(body, event int64) int64 { return max(6*body, 18*event) + 1<<20 }

// smallBuffer is the size up to which a buffer is not counted, and is kept for another request.
const smallBuffer = 16 << 10

// PublishBytes is how much memory the requests that publish hold at the moment. It may be called
// from any goroutine.
func (s *Public) PublishBytes() int64 { return s.memory.held.Load() }

// share is what one request holds of it. One goroutine uses it.
type share struct {
	of   *memory
	held int64
}

func (s *Public) newShare() *share { return &share{of: &s.memory} }

var memoryFull = causePublishMemory.Say("the requests that publish have all the memory that they may have together (--publish-bytes)")

// grow makes room in a buffer for n bytes more.
func (s *share) grow(b *[]byte, n int) *refuse.Answer {
	old := cap(*b)
	if len(*b)+n <= old {
		return nil
	}
	if p := s.add(len(*b) + n - max(old, smallBuffer)); p != nil {
		return p
	}
	*b = slices.Grow(*b, n)
	s.hold(cap(*b) - max(old, smallBuffer, len(*b)+n))
	return nil
}

// add takes n bytes, if there are so many.
func (s *share) add(n int) *refuse.Answer {
	if n <= 0 {
		return nil
	}
	for { // what others try to take and do not get must not be in the way
		held := s.of.held.Load()
		if held+int64(n) > s.of.max {
			return memoryFull
		}
		if s.of.held.CompareAndSwap(held, held+int64(n)) {
			s.held += int64(n)
			return nil
		}
	}
}

func (s *share) hold(n int) {
	if n > 0 {
		s.of.held.Add(int64(n))
		s.held += int64(n)
	}
}

// release gives everything back.
func (s *share) release() {
	s.of.held.Add(-s.held)
	s.held = 0
}

var buffers bytebufferpool.Pool

// recycle keeps a small buffer for another request.
func recycle(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= smallBuffer {
		buffers.Put(b)
	}
}
