package redis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// server is a Redis as edges see it: streams, channels, and a clock. It may forget, and begin
// anew from what it was.
type server struct {
	w       *world
	clock   int64 // by how much it is ahead of the world's, milliseconds
	replica int64 // the same of the server that would be promoted
	streams map[string][]stored
	// what was given last: it outlives the elements, but not the stream
	last   map[string]eventid.ID
	copies []history // what it was: a replica that is behind, a dump
	// counts the histories that it has had; each gives other ids than the others
	epoch int
	kept  int // events of a stream at most
}

// stored is an element of a stream.
type stored struct {
	id, prev eventid.ID
	data     string
	bad      bool // of another program's making
}

// published is an event that was acknowledged to its publisher.
type published struct {
	topic     string
	id        eventid.ID
	seq       int   // of its topic
	at        int   // how many things had happened in the world
	forgotten bool  // it is of a history that the server has not got any more
	through   *edge // through which it was published, if that followed the topic
	unheard   bool  // it was trimmed away before that edge had it
}

func (s *server) now() uint64 { return uint64(s.w.wall() + s.clock) }

// nextID is what XADD gives. The ids of another history are others: two events with the same id
// cannot be told apart, by edges as by clients.
func (s *server) nextID(topic string) eventid.ID {
	ms := s.now()/64*64 + uint64(s.epoch%64)
	id := eventid.ID{MS: ms}
	if last := s.last[topic]; last.MS >= ms {
		id = eventid.ID{MS: last.MS, Seq: last.Seq + 1 + uint64(s.epoch)<<32}
	}
	s.last[topic] = id
	return id
}

// publish is the publish script.
func (s *server) publish(topic string) {
	w := s.w
	var by *edge // through which it is published
	var sent sending
	read := false // that has read the topic
	if w.happened%3 == 0 {
		by = w.edges[w.happened%len(w.edges)]
		sent, read = by.source.sending(topic), by.hasRead(topic)
	}
	e := stored{id: s.nextID(topic)}
	if all := s.streams[topic]; len(all) > 0 {
		e.prev = all[len(all)-1].id
	}
	p := &published{topic: topic, id: e.id, seq: len(w.published[topic]), at: w.happened}
	e.data = payload(topic, p.seq)
	w.published[topic] = append(w.published[topic], p)
	s.streams[topic] = append(s.streams[topic], e)
	s.trim(topic, s.kept)
	m := envelope.Append(nil, &envelope.Message{ID: e.id, Prev: e.prev, Data: []byte(e.data)})
	w.send(topic, string(m))
	if by != nil {
		by.answers = append(by.answers, func() { by.acknowledged(sent, p, read) })
	}
}

// publishRaw is a plain PUBLISH; every fourth cannot be read.
func (s *server) publishRaw(topic string) {
	s.w.raws++
	if s.w.raws%4 == 0 {
		s.w.send(topic, "\x00raw")
		return
	}
	s.w.send(topic, fmt.Sprintf("raw|%s|%d", topic, s.w.raws))
}

func (s *server) trim(topic string, most int) {
	all := s.streams[topic]
	if len(all) <= most {
		return
	}
	gone := all[:len(all)-most]
	s.streams[topic] = all[len(all)-most:]
	for _, p := range s.w.published[topic] {
		if p.through != nil && !p.through.has(p) &&
			slices.ContainsFunc(gone, func(e stored) bool { return e.id == p.id }) {
			p.unheard = true
		}
	}
}

// history is what a server has, and how many events of each topic were published until then.
type history struct {
	streams map[string][]stored
	last    map[string]eventid.ID
	counts  map[string]int
}

// copy is what the server has now, for a failover or a restart to come.
func (s *server) copy() history {
	c := history{map[string][]stored{}, maps.Clone(s.last), map[string]int{}}
	for _, topic := range s.w.names {
		c.streams[topic] = slices.Clone(s.streams[topic])
		c.counts[topic] = len(s.w.published[topic])
	}
	return c
}

// goBack is a restart from a copy, or a failover to a server that has that. Of an empty one all is
// forgotten.
func (s *server) goBack(c history) {
	s.epoch++
	for _, topic := range s.w.names {
		s.goBackOf(topic, c)
	}
}

func (s *server) goBackOf(topic string, c history) {
	s.streams[topic], s.last[topic] = slices.Clone(c.streams[topic]), c.last[topic]
	for _, p := range s.w.published[topic][c.counts[topic]:] {
		p.forgotten = true
	}
}

// xrange is XRANGE or, backward, XREVRANGE. Bounds are as clients write them.
func (s *server) xrange(key, first, last string, count int,
	backward bool) (entries []rueidis.XRangeEntry) {
	topic := key[len("sse:"):]
	all := slices.Clone(s.streams[topic])
	if backward {
		slices.Reverse(all)
	}
	from, fromOut := rangeEnd(first)
	to, toOut := rangeEnd(last)
	for _, e := range all {
		if e.id.Less(from) || to.Less(e.id) || fromOut && e.id == from || toOut && e.id == to {
			continue
		}
		if len(entries) == count {
			break
		}
		fields := map[string]string{"p": e.prev.String(), "e": "", "d": e.data, "r": ""}
		if e.bad {
			fields = map[string]string{"x": "y"}
		}
		entries = append(entries, rueidis.XRangeEntry{ID: e.id.String(), FieldValues: fields})
	}
	return entries
}

// rangeEnd is one end of a range; out says that it is not within.
func rangeEnd(text string) (id eventid.ID, out bool) {
	switch text {
	case "-":
		return eventid.ID{}, false
	case "+":
		return eventid.ID{MS: 1<<64 - 1, Seq: 1<<64 - 1}, false
	}
	if text[0] == '(' {
		text, out = text[1:], true
	}
	id, ok := eventid.Parse([]byte(text))
	if !ok {
		panic("no bound: " + strconv.Quote(text))
	}
	return id, out
}
