package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// viewer is a client of the feed's log: it reads everything behind its cursor as soon as it is
// there, and keeps account of what came and of what it was told.
type viewer struct {
	w      *world
	number int              // 0: the viewer that has been there since the log has its place
	from   int              // the events that were published later are its own
	after  eventid.Position // of a client that comes back: what it has seen
	asked  uint64           // the number of its question
	placed bool             // it has a cursor
	cursor uint64
	last   eventid.ID   // of the newest event that came
	came   map[int]bool // by number
	gaps   []told
	raws   []expected
}

// told is a gap.
type told struct {
	from, to *eventid.ID // nil: it is not known; there is nothing to name
	at       int
	there    bool // the stream still had the newest event of when the log was live last
	any      bool // it begins a client's stream: what is missing may have any id
}

// expected is a raw message that came to the feed.
type expected struct {
	text string
	at   int
	came bool
}

func newViewer(w *world, from int) *viewer {
	var s log.Snapshot
	w.topic.Snapshot(&s)
	return &viewer{w: w, from: from, placed: true, cursor: s.Tail, came: map[int]bool{}}
}

// see has all viewers read.
func (w *world) see() {
	if w.viewer == nil {
		return
	}
	w.viewer.read()
	for _, c := range w.clients {
		c.arrive()
		c.read()
	}
}

// read takes everything that is behind the cursor.
func (v *viewer) read() {
	if !v.placed {
		return
	}
	var s log.Snapshot
	v.w.topic.Snapshot(&s)
	if v.cursor < s.Tail {
		v.w.fail("viewer %d was overrun", v.number)
	}
	for v.cursor < s.Head {
		e := s.Event(v.cursor)
		v.take(e.Body, e.At)
		v.cursor = e.End
	}
}

// take takes an event, in wire form without its id.
func (v *viewer) take(body []byte, at eventid.Position) {
	if data, ok := bytes.CutPrefix(body, []byte("event: gap\ndata: ")); ok {
		v.takeGap(data)
		return
	}
	data := strings.TrimSuffix(strings.TrimPrefix(string(body), "data: "), "\n")
	v.w.log("viewer %d gets %s, %v", v.number, data, at)
	if strings.HasPrefix(data, "raw ") {
		v.takeRaw(data)
		return
	}
	var seq int
	if _, err := fmt.Sscanf(data, "event %d", &seq); err != nil {
		v.w.fail("viewer %d gets %q", v.number, body)
	}
	v.w.tally.events++
	p := v.w.published[seq]
	switch {
	case eventid.After(p.id) != at:
		v.w.fail("event %d came to viewer %d with the id %v, expected %v", seq, v.number, at, p.id)
	case v.came[seq] && (v.number == 0 || !v.w.behind): // one behind may hide the log's place
		v.w.fail("event %d came to viewer %d twice", seq, v.number)
	case !v.w.straight():
	case !v.last.Less(p.id):
		v.w.fail("event %d came to viewer %d behind %v", seq, v.number, v.last)
	case v.number > 0 && !v.after.Precedes(p.id):
		v.w.fail("event %d came to viewer %d, which has seen it: %v", seq, v.number, v.after)
	}
	v.came[seq], v.last = true, p.id
}

func (v *viewer) takeRaw(data string) {
	v.w.tally.raws++
	for k := range v.raws {
		if r := &v.raws[k]; r.text == data && !r.came {
			r.came = true
			return
		}
	}
	sent := slices.ContainsFunc(v.raws, func(r expected) bool { return r.text == data })
	if v.number == 0 && !sent {
		v.w.log("%s came from before the log had its place", data)
	} else if v.number == 0 {
		v.w.fail("%s came more often than it was sent", data)
	}
}

func (v *viewer) takeGap(data []byte) {
	var g struct{ From, To *string }
	if err := json.Unmarshal(data, &g); err != nil {
		v.w.fail("viewer %d is told %q: %v", v.number, data, err)
	}
	id := func(text *string) *eventid.ID {
		if text == nil {
			return nil
		}
		p, _ := eventid.ParsePosition([]byte(*text))
		id := eventid.Before(p)
		return &id
	}
	v.tell(told{from: id(g.From), to: id(g.To), at: v.w.happened})
}

func (v *viewer) tell(g told) {
	v.w.tally.gaps++
	v.w.log("viewer %d is told of a gap %v", v.number, g)
	if g.from != nil && g.to != nil && !g.from.Less(*g.to) {
		v.w.fail("viewer %d is told of a gap of nothing: %v", v.number, g)
	}
	left := func(e Element) bool { return e.ID == v.w.left }
	g.there = slices.ContainsFunc(v.w.server.stream, left)
	v.gaps = append(v.gaps, g)
}

func (g told) String() string {
	text := func(id *eventid.ID) string {
		if id == nil {
			return "…"
		}
		return id.String()
	}
	return text(g.from) + " to " + text(g.to)
}

func (g *told) holds(p *published) bool {
	below := g.to == nil && g.any || g.to != nil && !g.to.Less(p.id)
	return g.at >= p.at && below && (g.from == nil || g.from.Less(p.id))
}

// expect notes that a message came to the feed.
func (v *viewer) expect(text string) {
	if v != nil && strings.Contains(text, "raw ") {
		v.raws = append(v.raws, expected{text: text, at: v.w.happened})
	}
}

// newClient has a client come back, with the id of an event or with a time before them all.
func (w *world) newClient() {
	if w.viewer == nil {
		return
	}
	c := &viewer{w: w, number: len(w.clients) + 1, came: map[int]bool{}}
	c.after = eventid.At(rigBegan - 1000)
	if n := len(w.published); n > 0 && w.rng.IntN(5) > 0 {
		if w.rng.IntN(3) == 0 { // another edge has sent it the newest one
			n = min(n, 1+w.rng.IntN(2))
		}
		if p := w.published[len(w.published)-1-w.rng.IntN(n)]; !p.bad {
			c.after = eventid.After(p.id)
		}
	}
	w.log("client %d comes with %v", c.number, c.after)
	w.clients = append(w.clients, c)
	c.arrive()
	c.read()
}

// arrive gives a client its cursor, if it is known where that is.
func (c *viewer) arrive() {
	w := c.w
	switch {
	case c.placed:
		return
	case c.asked == 0 && w.topic.Doubts(log.ResumeAt, c.after, 0):
		w.asks++
		c.asked = w.asks
		w.machine().Ask(c.after, c.asked)
		return
	case c.asked > 0 && w.topic.Doubts(log.ResumeAt, c.after, c.asked):
		return
	}
	at := c.after
	for w.straight() && w.topic.MayHaveOlder(at, false) {
		next, more := c.page(at)
		if !more {
			break
		}
		at = next
	}
	place := w.topic.Locate(log.ResumeAt, at, false)
	c.placed, c.cursor = true, place.Cursor
	w.log("client %d begins at %v, %v", c.number, place.At, place.Cause)
	if place.Cause != log.GapNone {
		g := told{at: w.happened, any: true}
		if from := eventid.Before(place.From); place.Known {
			g.from = &from
		}
		if to := eventid.Before(place.To); !to.IsZero() && (g.from == nil || g.from.Less(to)) {
			g.to = &to
		}
		c.tell(g)
	}
}

// page gives a client some of what the servers have before the log.
func (c *viewer) page(from eventid.Position) (at eventid.Position, more bool) {
	w := c.w
	r := Request{Last: w.topic.ResumableAfter().String(), Count: 3}
	r.First = "(" + eventid.Before(from).String()
	if from.Time {
		r.First = "-"
	}
	events := w.server.stream.rangeOf(&r)
	if len(events) == 0 || w.topic.ResumableAfter().IsBound() {
		return from, false
	}
	w.tally.pages++
	history, _, _ := w.machine().History(from, events, 20)
	for _, e := range history {
		if e.Body == nil {
			before, to := eventid.Before(from), e.ID
			g := told{from: &before, to: &to, at: w.happened}
			if !before.Less(to) {
				g.from = nil
			}
			c.tell(g)
		} else {
			c.take(e.Body, eventid.After(e.ID))
		}
		from = eventid.After(e.ID)
	}
	return from, true
}
