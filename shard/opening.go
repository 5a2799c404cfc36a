package shard

import (
	"strconv"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// A stream begins with an event of the server's own:
//
//	event: ssedge
//	retry: 2345
//	data: {"state":"live","heartbeat":25000}
//	id: 1763880000123-0
//
// The id makes resuming exact before the first published event. No block without data is ever sent:
// the standard keeps the id of such a block (WHATWG HTML 9.2.6), but many clients lose it, and many
// hand out the block as an empty message. So the id and the reconnection time are fields of an
// event with data.
//
// state says how the stream begins: live, with what is published from now on; resumed, behind the
// id that the client gave; gap, with the gap events that follow. Before a gap the opening has no
// id: a client that is cut off before it has read all gaps comes back with the id it had, and is
// told again. heartbeat is the longest silence in milliseconds: a comment is sent at the latest
// then; 0: never.
//
// A drain ends a stream with another event of that name (drain.go).
const (
	stateLive    = "live"
	stateResumed = "resumed"
	stateGap     = "gap"
	stateDrain   = "drain"
)

// appendOpening appends the opening without its id and without the blank line that ends it.
func (c *Config) appendOpening(dst []byte, state string, random func(int64) int64) []byte {
	dst = c.appendOwn(dst, state, random)
	dst = append(dst, `,"heartbeat":`...)
	dst = appendInt(dst, c.Heartbeat.Milliseconds())
	return append(dst, "}\n"...)
}

// appendDrained appends the last words of a stream that was drained.
func (c *Config) appendDrained(dst []byte, random func(int64) int64) []byte {
	return append(c.appendOwn(dst, stateDrain, random), "}\n\n"...)
}

// appendOwn begins an event of the server's own, up to the first member of its data.
func (c *Config) appendOwn(dst []byte, state string, random func(int64) int64) []byte {
	dst = append(dst, "event: ssedge\nretry: "...)
	dst = appendInt(dst, c.retryMS(random))
	dst = append(dst, "\ndata: {\"state\":\""...)
	dst = append(dst, state...)
	return append(dst, '"')
}

// retryMS is the reconnection time for one stream.
func (c *Config) retryMS(random func(int64) int64) int64 {
	ms := c.Retry.Milliseconds()
	if jitter := c.RetryJitter.Milliseconds(); jitter > 0 {
		ms += random(jitter + 1)
	}
	return ms
}

// begins is the state of a stream that has no gap to tell.
func (j *Join) begins() string {
	if j.Resume == log.ResumeNot {
		return stateLive
	}
	return stateResumed
}

// addBeginning adds to s.due what a stream is told before it is sent events: the opening,
// if it was not sent yet, the gaps that the stream begins with (s.places), and its id.
func (s *Shard) addBeginning(i uint32, sl *slot, j *Join) {
	gaps := 0
	for k := range s.places {
		if s.places[k].Cause != log.GapNone {
			gaps++
		}
	}
	ends := !j.opened || gaps > 0
	if !j.opened {
		j.opened = true
		if gaps == 0 {
			s.due.lead = s.config.appendOpening(s.due.lead, j.begins(), s.rng.Int64N)
		} else {
			s.due.lead = append(s.config.appendOpening(s.due.lead, stateGap, s.rng.Int64N), '\n')
		}
	}
	for k, t := range j.topics() {
		if p := &s.places[k]; p.Cause != log.GapNone {
			s.addGap(t.Name(), p)
			if gaps--; gaps > 0 {
				s.due.lead = append(s.due.lead, '\n')
			}
		}
	}
	if ends {
		s.addID(sl)
	}
}

// addParked adds to s.due the opening of a poll that has parked, if it was not added yet.
func (s *Shard) addParked(sl *slot) {
	if sl.flags&flagParked == 0 {
		return
	}
	sl.flags &^= flagParked
	state := stateLive
	if sl.flags&flagResumed != 0 {
		state = stateResumed
	}
	s.due.lead = s.config.appendOpening(s.due.lead, state, s.rng.Int64N)
	s.addID(sl)
}

// appendID appends the id line of a join whose positions are known, and the blank line.
func (j *Join) appendID(dst []byte) []byte {
	var text [eventid.MaxPositionBytes]byte
	if j.More == nil {
		return sse.AppendID(dst, j.Position.Append(text[:0]))
	}
	check := uint32(0)
	for _, t := range j.More {
		check = eventid.Check(check, t.Name())
	}
	dst = eventid.AppendVectorHeader(append(dst, "id: "...), check)
	for _, p := range j.Positions {
		dst = eventid.AppendVectorPosition(dst, p)
	}
	return append(dst, "\n\n"...)
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
