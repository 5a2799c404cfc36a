package feed

import (
	"fmt"
	"slices"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// server is a Redis with one topic.
type server struct {
	stream stream
	given  eventid.ID // the last id: it outlives the elements, but not the stream
	clock  int64      // by how much it is ahead of the world's, milliseconds
	epoch  int        // counts histories: each gives other ids than the others
	kept   int        // of the stream's elements, at most
	used   uint64     // when the stream was written to (world.wall)
	behind stream     // a server that is behind has this of the present history
	copies []copied
}

// copied is what the server was.
type copied struct {
	stream    stream
	given     eventid.ID
	published int // how many events were
}

// published is an event that was acknowledged to its publisher.
type published struct {
	id        eventid.ID
	seq, at   int  // its number, and how much had happened in the world
	forgotten bool // it is of a history that the server has not got any more
	trimmed   bool
	arrived   bool // it came through the channel
	bad       bool // it is no event: it can only be told, when it is read
	acked     bool // it was published through the feed's edge …
	awaited   bool // … while the log had its place
}

// nextID is what XADD gives. The ids of another history are others: nothing can tell two events
// with the same id apart.
func (s *server) nextID(wall uint64) eventid.ID {
	ms := uint64(int64(wall)+s.clock)/64*64 + uint64(s.epoch%64)
	id := eventid.ID{MS: ms}
	if s.given.MS >= ms {
		id = eventid.ID{MS: s.given.MS, Seq: s.given.Seq + 1 + uint64(s.epoch)<<32}
	}
	s.given = id
	return id
}

// publish is the publish script.
func (w *world) publish() {
	s := &w.server
	w.happened++
	p := &published{seq: len(w.published), at: w.happened, id: s.nextID(w.wall)}
	e := Element{Message: envelope.Message{ID: p.id, Data: fmt.Appendf(nil, "event %d", p.seq)}}
	if n := len(s.stream); n > 0 {
		e.Prev = s.stream[n-1].ID
	}
	s.stream = append(s.stream, e)
	s.used = w.wall
	w.published = append(w.published, p)
	w.trim(s.kept)
	w.send(string(envelope.Append(nil, &e.Message)))
	w.log("event %d is published, %v behind %v", p.seq, e.ID, e.Prev)
	if w.rng.IntN(3) == 0 {
		_, _, placed := w.topic.Span()
		lost := lostOf(w.rig)
		w.acks = append(w.acks, func() {
			w.log("event %d is acknowledged", p.seq)
			w.machine().Published(p.id, !lost.Less(p.id))
			p.acked, p.awaited = true, placed
		})
	}
}

// publishRaw is a plain PUBLISH, of something that may not be readable.
func (w *world) publishRaw() {
	w.happened++
	w.rawsSent++
	text := fmt.Sprintf("raw %d", w.rawsSent)
	if w.rng.IntN(4) == 0 {
		text = "\x00" + text
	}
	w.log("%q is sent", text)
	w.send(text)
}

func (w *world) trim(most int) {
	s := &w.server
	if n := len(s.stream) - most; n > 0 {
		for _, e := range s.stream[:n] {
			for _, p := range w.published {
				p.trimmed = p.trimmed || p.id == e.ID
			}
		}
		s.stream = slices.Clone(s.stream[n:])
	}
}

// addBad adds an element that is no event.
func (w *world) addBad() {
	w.happened++
	id := w.server.nextID(w.wall)
	w.server.stream = append(w.server.stream, Element{Message: envelope.Message{ID: id}, Bad: true})
	w.server.used = w.wall
	p := &published{seq: len(w.published), at: w.happened, id: id, bad: true}
	w.published = append(w.published, p)
	w.log("%v is added, and no event", id)
}

// remove removes an element.
func (w *world) remove() {
	if s := &w.server; len(s.stream) > 2 {
		k := w.rng.IntN(len(s.stream) - 1)
		w.log("%v is removed", s.stream[k].ID)
		s.stream = slices.Delete(slices.Clone(s.stream), k, k+1)
	}
}

// expire removes a stream that was not written to for the TTL.
func (w *world) expire() {
	s := &w.server
	if len(s.stream) > 0 && w.wall-s.used >= w.config.TTLMS {
		w.log("the stream expires")
		s.stream, s.given, s.behind, s.copies = nil, eventid.ID{}, nil, nil
		s.epoch++
	}
}

// goBack makes the server what it was.
func (w *world) goBack(c copied) {
	s := &w.server
	w.tally.rewrites++
	if len(c.stream) == 0 { // nothing shows what was trimmed
		c.published = 0
	}
	if n := c.published; w.viewer != nil && (n == 0 || w.published[n-1].at <= w.viewer.from) {
		w.parted = true
	}
	s.epoch++
	s.stream, s.given, s.used = slices.Clone(c.stream), c.given, w.wall
	s.behind = slices.Clone(s.stream)
	for _, p := range w.published[c.published:] {
		p.forgotten = true
	}
}

// copy is what the server is now.
func (w *world) copy() copied {
	return copied{slices.Clone(w.server.stream), w.server.given, len(w.published)}
}
