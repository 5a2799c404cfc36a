package shard

import (
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// sendHead sends a waiting stream its response head, if it was not sent yet. A stream that begins
// with what is published from now on also gets its opening, with the position known so far: a
// client that is cut off before its place is known comes back with that position. For other streams
// it is not known yet how they begin; they get a comment. It reports whether the stream is open.
func (s *Shard) sendHead(i uint32, sl *slot) bool {
	j := &s.waits[i].join
	if j.headSent {
		return true
	}
	s.addHead(j)
	if j.Resume == log.ResumeNot {
		j.opened = true
		s.due.lead = s.config.appendOpening(s.due.lead, j.begins(), s.rng.Int64N)
		j.pin()
		s.due.lead = j.appendID(s.due.lead)
	} else {
		s.due.lead = append(s.due.lead, sse.Heartbeat...)
	}
	return s.put(i, sl, reading{})
}

// addHead adds the response head to s.due, if it was not sent yet.
func (s *Shard) addHead(j *Join) {
	if !j.headSent {
		j.headSent = true
		s.due.lead = append(s.due.lead, j.Head...)
		s.due.head = len(j.Head)
	}
}
