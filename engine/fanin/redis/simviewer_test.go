package redis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard"
	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// viewer is a client: it reads, breaks off, comes back to some edge with the id it read last, and
// keeps account of all that it was sent and told.
type viewer struct {
	w         *world
	number    int
	topics    []string // by name
	edge      *edge
	life      int // of the edge's process
	sock      *fake.Socket
	window    int
	connected bool
	head      string
	decoder   sse.Decoder
	opened    bool                 // an id has come on this connection
	gapped    bool                 // it was told of a gap on it
	begun     bool                 // … on any
	earliest  bool                 // it asks for all that is kept
	last      byte                 // of the stream, as far as it was read
	first     map[string]beginning // by topic: what it began with
	// by topic: the position that it came back with; absent: none …
	came  map[string]eventid.Position
	base  map[string]eventid.Position // … and the first that it was given on this connection
	got   map[string][]delivery
	gaps  map[string][]told
	blind map[string][]blind // by topic: times that it was given in place of ids
	raws  map[string]int     // the visit at which one came last
	// by topic: the newest event it was sent on this connection, by number
	at     map[string]int
	visits []visit
	trace  []string
}

// beginning is when a viewer began: how much had happened when it first came, and when it first had
// an id.
type beginning struct{ from, to int }

// delivery is an event as it came; told is a gap.
type delivery struct{ seq, at, visit int }

type told struct {
	from, to *eventid.ID // nil: unbounded
	at       int
	cause    string
}

// blind is a time that an edge gave which did not hear the server, and when.
type blind struct {
	id eventid.ID
	at int
}

// visit is a time at an edge.
type visit struct {
	edge     *edge
	life     int
	from, to int
	seq      map[string]int // by topic: the event whose id it came with; absent: none
	awaited  []eventid.ID   // of events of its topics, which the edge had not given up when it left
	unread   bool           // it left a gap unread
}

// come connects the viewer to an edge.
func (v *viewer) come(e *edge) {
	w := v.w
	v.edge, v.life = e, e.life
	v.sock = e.net.Connect()
	v.sock.Room = v.window
	v.connected, v.opened, v.gapped, v.last = true, false, false, 0
	v.head = fmt.Sprintf("HTTP/1.1 200 for %d\r\n\r\n", v.number)
	id := v.decoder.LastEventID()
	v.decoder.Reset(id)
	v.visits = append(v.visits, visit{edge: e, life: e.life, from: w.happened, to: -1})
	v.log("comes to %v with %q", e, id)
	j := shard.Join{Fd: v.sock.FD, Head: []byte(v.head), Owner: uint32(v.number),
		Client: uint64(v.number % 3)}
	var topics []*topic.Topic
	check := uint32(0)
	for _, name := range v.topics {
		t, err := e.group.Table().Acquire([]byte(name))
		if err != nil {
			w.t.Fatal(err)
		}
		topics = append(topics, t)
		check = eventid.Check(check, name)
	}
	clear(v.came)
	clear(v.at)
	if positions := v.positions(id); positions != nil {
		j.Resume = log.ResumeAt
		at := &v.visits[len(v.visits)-1]
		at.seq = map[string]int{}
		for k, p := range positions {
			v.came[v.topics[k]] = p
			for _, e := range w.published[v.topics[k]] {
				if eventid.After(e.id) == p {
					at.seq[v.topics[k]] = e.seq
				}
			}
		}
		j.Position, j.Positions = positions[0], positions
	} else if id != "" {
		w.t.Fatalf("viewer %d was given %q", v.number, id)
	} else if v.earliest {
		j.Resume = log.ResumeEarliest
	}
	j.Topic = topics[0]
	if len(topics) > 1 {
		j.Topic, j.More = nil, topics
	} else {
		j.Positions = nil
	}
	if _, err := e.group.Join(j, nil); err != nil {
		w.t.Fatal(err)
	}
	for _, name := range v.topics {
		if b, ok := v.first[name]; !ok || !v.begun {
			b.from, b.to = w.happened, -1
			if ok {
				b.from = v.first[name].from
			}
			if j.Resume == log.ResumeEarliest {
				b.from = 0
			}
			v.first[name] = b
		}
	}
}

// positions reads an id; nil if there is none.
func (v *viewer) positions(id string) []eventid.Position {
	if len(v.topics) == 1 {
		if p, ok := eventid.ParsePosition([]byte(id)); ok {
			return []eventid.Position{p}
		}
		return nil
	}
	check := uint32(0)
	for _, name := range v.topics {
		check = eventid.Check(check, name)
	}
	p, _ := eventid.ParseVector([]byte(id), check, make([]eventid.Position, len(v.topics)))
	return p
}

// leave ends the connection from the viewer's side, or notes that it has ended.
func (v *viewer) leave() {
	if !v.connected {
		return
	}
	v.connected = false
	at := &v.visits[len(v.visits)-1]
	at.to = v.w.happened
	if v.life == v.edge.life {
		at.awaited = v.edge.awaited(v.topics)
		at.unread = bytes.Contains(v.sock.Got, []byte("event: gap\n")) || v.sock.Full
	}
	v.log("leaves")
	if v.life == v.edge.life && !v.sock.Closed {
		v.sock.HangUp()
	}
}

// read takes in the first n bytes of what has arrived.
func (v *viewer) read(n int) {
	b := v.sock.Got[:n]
	v.sock.Got = v.sock.Got[n:]
	k := min(n, len(v.head))
	if string(b[:k]) != v.head[:k] {
		v.fail("got the head %q", b[:k])
	}
	v.head, b = v.head[k:], b[k:]
	for len(b) > 0 { // an id counts when its block has ended
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line = b[:i+1]
		}
		b = b[len(line):]
		if err := v.decoder.Feed(line, v.take); err != nil {
			v.fail("%v", err)
		}
		if string(line) == "\n" && v.last == '\n' && !v.begun &&
			(v.decoder.LastEventID() != "" || !v.earliest) {
			// it has been answered: from here on events are its own
			v.begin()
		}
		v.last = line[len(line)-1]
	}
}

func (v *viewer) begin() {
	v.begun = true
	for _, name := range v.topics {
		b := v.first[name]
		b.to = v.w.happened
		v.first[name] = b
	}
}

func (v *viewer) take(m sse.Message) {
	if !v.opened && m.LastEventID != "" &&
		(m.Event != "ssedge" || !strings.Contains(m.Data, "\"gap\"")) {
		v.opened = true
		for k, p := range v.positions(m.LastEventID) {
			v.base[v.topics[k]] = p
			if p.ID.IsBound() { // a time, of an edge that heard nothing
				name := v.topics[k]
				v.blind[name] = append(v.blind[name], blind{p.ID, v.w.happened})
			}
		}
	}
	switch {
	case m.Event == "ssedge":
		v.log("is told %s, id %q", m.Data, m.LastEventID)
	case m.Event == "gap":
		v.gap(m)
	case strings.HasPrefix(m.Data, "raw|"):
		v.raw(m)
	default:
		v.event(m)
	}
}

func (v *viewer) raw(m sse.Message) {
	v.log("gets %s, id %q", m.Data, m.LastEventID)
	// another edge may have it behind other events
	here := m.Data + " at " + v.edge.String()
	if visit, ok := v.raws[here]; ok && (v.w.rewrites == 0 || visit == len(v.visits)) {
		// a viewer may have been set back
		v.fail("%s came twice", m.Data)
	}
	v.raws[here] = len(v.visits)
	if strings.HasPrefix(m.LastEventID, "0-0") {
		v.fail("%s came with the id %s", m.Data, m.LastEventID)
	}
}

func (v *viewer) event(m sse.Message) {
	var seq int
	topic, rest, _ := strings.Cut(m.Data, "|")
	if _, err := fmt.Sscanf(rest, "%d|", &seq); err != nil || !slices.Contains(v.topics, topic) ||
		m.Data != payload(topic, seq) {
		v.fail("foreign bytes: %.100q", m.Data)
	}
	v.log("gets %s %d, id %q", topic, seq, m.LastEventID)
	p := v.w.published[topic][seq]
	from, came := v.came[topic]
	for _, d := range v.got[topic] {
		// A history that was rewritten may have it behind the id that the viewer came back with, or
		// was set back to.
		if d.seq == seq && (v.w.rewrites == 0 || d.visit == len(v.visits) || came && !from.Time &&
			!from.Precedes(p.id) && !v.gapped) {
			v.fail("event %d of %s (%v) came twice", seq, topic, p.id)
		}
	}
	// A history that was rewritten may bring events of before.
	if last, ok := v.at[topic]; ok && seq < last && v.w.rewrites == 0 {
		v.fail("event %d of %s came after event %d", seq, topic, last)
	}
	if p.at < v.first[topic].from && !(came && from.Precedes(p.id)) &&
		!v.base[topic].Precedes(p.id) && v.w.rewrites == 0 && !from.ID.IsBound() &&
		!v.base[topic].ID.IsBound() {
		v.fail("event %d of %s (%v) is from before it came first, and not behind %v", seq, topic,
			p.id, from)
	}
	v.at[topic] = seq
	v.got[topic] = append(v.got[topic], delivery{seq, v.w.happened, len(v.visits)})
	v.w.delivered++
	v.edge.know(v.life, topic, seq)
}

func (v *viewer) gap(m sse.Message) {
	var g struct {
		Topic, Cause string
		From, To     *string
	}
	if err := json.Unmarshal([]byte(m.Data), &g); err != nil ||
		!slices.Contains(v.topics, g.Topic) {
		v.fail("gap %s", m.Data)
	}
	v.log("is told of a gap: %s, id %q", m.Data, m.LastEventID)
	v.gapped = true
	t := told{cause: g.Cause, at: v.w.happened}
	read := func(text *string) *eventid.ID {
		if text == nil {
			return nil
		}
		p, ok := eventid.ParsePosition([]byte(*text))
		if !ok {
			v.fail("gap %s", m.Data)
		}
		id := eventid.Before(p)
		return &id
	}
	t.from, t.to = read(g.From), read(g.To)
	if t.from != nil && t.to != nil && !t.from.Less(*t.to) {
		v.fail("gap %s is of nothing", m.Data)
	}
	v.gaps[g.Topic] = append(v.gaps[g.Topic], t)
	v.w.causes[g.Cause]++
}

func (v *viewer) log(format string, args ...any) {
	v.trace = append(v.trace, fmt.Sprintf("%d: ", v.w.happened)+fmt.Sprintf(format, args...))
}

func (v *viewer) fail(format string, args ...any) {
	v.w.t.Helper()
	v.w.t.Fatalf("viewer %d of %v: %s\n%s\n%s", v.number, v.topics, fmt.Sprintf(format, args...),
		strings.Join(v.trace, "\n"), strings.Join(v.w.trace, "\n"))
}
