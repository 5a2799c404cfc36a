package shard

import (
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// Delivery to streams with several topics. The body of an event is shared like
// everything else; its id line is the stream's own, a vector of the positions in
// all its topics, so that one Last-Event-ID lets each of them resume exactly.

// eventEnd is one event of a vectored send: what the subscription becomes once it
// is sent.
type eventEnd struct {
	end  uint64
	last eventid.Position
}

// What goes into one send at most: bundleEventsMax events, each of two pieces; and
// no further one once bundleBytes are reached, for a socket rarely takes more and
// what it does not take was put together in vain.
const (
	bundleEventsMax = (piecesMax - 1) / 2
	bundleBytes     = 64 << 10
)

// deliverBundle brings the subscription of slot i to the topic under way up to
// its head.
func (s *Shard) deliverBundle(i uint32, sl *slot, b *bundle, n uint32, st *state) {
	if sub := b.of(n); sub.cursor != s.snap.Head {
		s.lead = s.lead[:0]
		s.pushSub(i, sl, b, sub, st)
	}
}

// catchUpBundle does so for all topics of the stream, until it is blocked. It
// reports whether the stream is still open. Each time another topic is the first: one
// that the client cannot keep up with must not keep the others from it.
func (s *Shard) catchUpBundle(i uint32, sl *slot, slow bool) bool {
	b := s.bundles[sl.topic]
	for range b.subs {
		sub := &b.subs[b.next]
		if b.next++; int(b.next) == len(b.subs) {
			b.next = 0
		}
		st := s.states.at(sub.state)
		st.topic.Snapshot(&s.snap)
		s.lead = s.lead[:0]
		if slow && st.policy == PolicyLatest {
			s.conflateSub(b, sub, st)
		}
		if !s.pushSub(i, sl, b, sub, st) {
			return false
		}
		if sl.flags&flagBlocked != 0 {
			return true
		}
	}
	return true
}

// pushSub sends s.lead and everything from the subscription's cursor to the head
// of its topic, whose snapshot is taken. It reports whether the stream is still
// open.
func (s *Shard) pushSub(i uint32, sl *slot, b *bundle, sub *sub, st *state) bool {
	if sub.cursor < s.snap.Tail {
		if st.policy == PolicyClose {
			s.close(i, sl, ClosedSlowConsumer)
			return false
		}
		p := s.overrunPlace(sub.cursor, sub.last, st)
		s.moveSub(b, sub, st, &p)
	}
	if len(s.lead) > 0 && sl.flags&flagChunked != 0 {
		if !s.pushLead(i, sl) {
			return false
		}
		if sl.flags&flagBlocked != 0 {
			return true
		}
		s.lead = s.lead[:0]
	}
	for len(s.lead) > 0 || sub.cursor < s.snap.Head {
		if !s.pushEvents(i, sl, b, sub) {
			return false
		}
		if sl.flags&flagBlocked != 0 {
			break
		}
	}
	return true
}

// moveSub sets a subscription to p and tells the gap in s.lead.
func (s *Shard) moveSub(b *bundle, sub *sub, st *state, p *log.Place) {
	sub.cursor, sub.last = p.Cursor, p.At
	s.tellGap(st.topic.Name(), p)
	s.lead = b.appendID(s.lead)
}

func (s *Shard) conflateSub(b *bundle, sub *sub, st *state) {
	if p, ok := s.snap.Conflate(sub.cursor, sub.last); ok {
		s.moveSub(b, sub, st, &p)
	}
}

// pushEvents makes one send of s.lead and of as many events as fit into it.
func (s *Shard) pushEvents(i uint32, sl *slot, b *bundle, sub *sub) bool {
	chunked := sl.flags&flagChunked != 0
	bytesMax := bundleBytes
	if chunked {
		bytesMax = chunkBytes
	}
	pieces := append(s.pieces[:0], s.lead)
	total := len(s.lead)
	ends := s.ends[:0]
	was := sub.last
	ids := s.idLines(len(b.subs))
	for at := sub.cursor; at < s.snap.Head && len(ends) < bundleEventsMax && total < bytesMax; {
		e := s.snap.Event(at)
		if chunked && len(ends) > 0 && total+len(e.Body) > bytesMax {
			break // a long event has a chunk of its own
		}
		sub.last = e.At
		begin := len(ids)
		ids = b.appendID(ids)
		pieces = append(pieces, e.Body, ids[begin:])
		total += len(e.Body) + len(ids) - begin
		ends = append(ends, eventEnd{e.End, e.At})
		at = e.End
	}
	sub.last = was
	s.pieces, s.ends = pieces, ends
	if chunked {
		return s.pushEventsChunked(i, sl, sub, total)
	}

	n, ok := s.send(i, sl, pieces, total)
	if !ok {
		return false
	}
	lead := len(s.lead)
	if n < lead {
		return s.block(i, sl, rest{own: clone(s.lead[n:])})
	}
	s.lead = s.lead[:0]
	left := n - lead
	begun := 0
	for k, e := range ends {
		if left == 0 {
			break
		}
		begun++
		body, idLine := pieces[1+2*k], pieces[2+2*k]
		sub.cursor, sub.last = e.end, e.last
		if size := len(body) + len(idLine); left >= size {
			left -= size
			continue
		}
		s.stats.batch(begun)
		inBody := min(left, len(body))
		return s.block(i, sl, restOf(body[inBody:], idLine[left-inBody:], sub.state, e.end))
	}
	s.stats.batch(begun)
	if n < total { // stopped between two events
		return s.block(i, sl, rest{})
	}
	return true
}

// idLines returns scratch with room for the id lines of one send: they are
// pointed into, so it must not grow on the way.
func (s *Shard) idLines(topics int) []byte {
	need := bundleEventsMax * (eventid.VectorBytesMax(topics) + sse.IDOverheadBytes)
	if cap(s.ids) < need {
		s.ids = make([]byte, 0, need)
	}
	return s.ids[:0]
}

// pushEventsChunked sends s.pieces, the events s.ends, as one chunk.
func (s *Shard) pushEventsChunked(i uint32, sl *slot, sub *sub, bytes int) bool {
	s.size = appendChunkSize(s.size[:0], bytes)
	s.pieces[0] = s.size
	s.pieces = append(s.pieces, chunkEnd)
	total := len(s.size) + bytes + len(chunkEnd)
	n, ok := s.send(i, sl, s.pieces, total)
	if !ok {
		return false
	}
	if n == 0 {
		return s.block(i, sl, rest{})
	}
	last := s.ends[len(s.ends)-1]
	sub.cursor, sub.last = last.end, last.last
	s.stats.batch(len(s.ends))
	if n < total {
		return s.block(i, sl, promised(s.pieces, n, sub.state, last.end))
	}
	return true
}
