package shard

import "ssedge/proto/eventid"

// slot is one stream. It has no pointers, so the garbage collector never looks at it, and 64 bytes,
// so that delivering to it touches one cache line. It belongs to its shard's goroutine.
type slot struct {
	cursor uint64     // of a stream with one topic: position in its log, always between events
	lastID eventid.ID // what the client has seen: an event's id, or a time (flagLastIsTime)

	fd int32
	// counts the streams that had this slot: epoll's user data is {slot, generation}
	generation uint32
	// index of the topic's state or, with flagMulti, of the bundle; free slots: the next free one
	topic     uint32
	at        uint32 // place among the topic's subscribers (not with flagMulti)
	lastWrite uint32 // tick of the last byte written
	since     uint32 // while blocked: tick since which the socket has taken nothing
	endsAt    uint32 // with flagEnds: tick at which the stream is closed
	owner     uint32 // given with the join and handed back when the stream ends
	form      uint32 // of a poll's answer: index in Shard.forms
	flags     uint16
	wire      Wire
}

const (
	flagUsed       = 1 << iota
	flagMulti      // several topics: topic is the index of a bundle
	flagBlocked    // the socket is full; nothing is sent before it is writable
	flagWatched    // epoll reports when it can be written
	flagOutbox     // Shard.outboxes holds what its socket has not taken
	flagLastIsTime // lastID is a time
	flagEnds       // endsAt is set
	flagWaiting    // it has no subscriptions yet: Shard.waits has what it was joined with
	flagLeaving    // its last words are in the outbox: it is closed when they are sent
	flagParked     // a poll that was sent nothing yet, not even its opening, which …
	flagResumed    // … says that it goes on from where its client was
	flagAnswered   // a poll whose answer was begun: it ends when all of it is sent
	flagKept       // … and its connection goes back (Config.OnDone)
)

func (s *slot) last() eventid.Position {
	return eventid.Position{ID: s.lastID, Time: s.flags&flagLastIsTime != 0}
}

func (s *slot) setLast(p eventid.Position) {
	s.lastID = p.ID
	s.flags &^= flagLastIsTime
	if p.Time {
		s.flags |= flagLastIsTime
	}
}

const (
	slotChunkBits = 9
	slotChunk     = 1 << slotChunkBits
	noSlot        = ^uint32(0)
)

// slots is a slab of slots that grows by chunks and never moves: a slot's index
// and address are stable while it is used.
type slots struct {
	chunks []*[slotChunk]slot
	free   uint32 // first of the free list, linked through slot.topic
	used   int
	ever   uint32 // slots 0..ever-1 have been used at least once
}

func (s *slots) at(i uint32) *slot { return &s.chunks[i>>slotChunkBits][i&(slotChunk-1)] }

func (s *slots) take() (uint32, *slot) {
	s.used++
	if s.free != noSlot {
		i := s.free
		p := s.at(i)
		s.free = p.topic
		*p = slot{generation: p.generation, flags: flagUsed}
		return i, p
	}
	i := s.ever
	s.ever++
	if int(i>>slotChunkBits) == len(s.chunks) {
		s.chunks = append(s.chunks, new([slotChunk]slot))
	}
	p := s.at(i)
	p.flags = flagUsed
	return i, p
}

// give frees slot i. Its generation moves on, so events that are still on their
// way to the old stream are recognised.
func (s *slots) give(i uint32) {
	p := s.at(i)
	*p = slot{generation: p.generation + 1, topic: s.free}
	s.free = i
	s.used--
}

// userData is epoll's user data for a slot; find is its inverse, nil for a stream that is no more.
func userData(i uint32, p *slot) uint64 { return uint64(p.generation)<<32 | uint64(i) }

func (s *slots) find(user uint64) (uint32, *slot) {
	i := uint32(user)
	if i >= s.ever {
		return i, nil
	}
	p := s.at(i)
	if p.flags&flagUsed == 0 || p.generation != uint32(user>>32) {
		return i, nil
	}
	return i, p
}
