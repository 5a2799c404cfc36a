package shard

// outbox is what the socket of a blocked stream has not taken: bytes that go as they are, then the
// payload of the event under way, not framed yet. Since the cursor has moved past that event,
// nothing else remembers it.
//
// A short remainder is copied, so that the log may move on and the stream survives an overrun. A
// long one stays in the log and is only pointed to: a thousand slow readers of one big event share
// its bytes. If the log lets that event go first, the stream is closed: the event can neither be
// finished nor taken back.
type outbox struct {
	framed []byte // copies
	underway
	held int // memory that is kept for this stream alone, charged to the node's budget
}

// restCopyMax is the longest remainder of an event that is copied, bytes.
const restCopyMax = 4 << 10

// unsent is the outbox of an event that is not framed.
func unsent(u underway) outbox {
	if u.size() > restCopyMax {
		return outbox{underway: u.kept()}
	}
	own := make([]byte, 0, u.size())
	return outbox{framed: append(append(own, u.log...), u.tail...)}
}

func (o *outbox) size() int { return len(o.framed) + o.underway.size() }

func (s *Shard) dropOutbox(i uint32, sl *slot) {
	s.charge(-s.outboxes[i].held)
	delete(s.outboxes, i)
	sl.flags &^= flagOutbox
	if len(s.outboxes) == 0 {
		s.outboxes = make(map[uint32]outbox) // a map does not shrink by itself
	}
}

// charge adds n bytes to what copies take, and returns the total of all shards.
func (s *Shard) charge(n int) int64 {
	s.stats.RestBytes.Add(int64(n))
	return s.rests.used.Add(int64(n))
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

func clone(b []byte) []byte { return append([]byte(nil), b...) }
