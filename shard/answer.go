package shard

import (
	"bytes"
	"strconv"
	"time"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// A poll is a stream that ends with its first answer: what an EventSource would have been sent,
// opening included, as a body whose length is known. It is put together when it is due. Until then
// the poll is parked, at the price of any stream: flags in its slot say what to answer.

// answerMax is the most bytes of an answer's body, unless its first event alone takes more.
const answerMax = 64 << 10

// answer is the answer under way.
type answer struct {
	form   *AnswerForm
	body   []byte
	most   int // bytes of body
	events int
	some   bool   // an array has an element
	id     []byte // scratch: an id line
	whole  []byte // scratch: response head and a short body

	date   []byte
	second int64 // of date
}

// drop gives back the memory of a long event.
func (a *answer) drop() {
	if cap(a.body) > 2*answerMax {
		a.body = nil
	}
}

// putAnswer answers a poll with s.due and what it is behind in one reading. It reports whether the
// stream is still open, which is so only if its socket is full.
func (s *Shard) putAnswer(i uint32, sl *slot, of reading) bool {
	s.beginAnswer(sl)
	s.addAnswer(sl, of)
	return s.sendAnswer(i, sl)
}

// beginAnswer begins the answer to a poll. What a full socket does not take of it is copied: where
// there is little room for that, an answer is short.
func (s *Shard) beginAnswer(sl *slot) {
	a := &s.answer
	a.form, a.body, a.events, a.some = s.forms[sl.form], a.body[:0], 0, false
	a.most = answerMax
	if s.rests.used.Load()+answerMax > s.rests.max {
		a.most = restCopyMax
	}
	if a.form.JSON {
		a.body = append(a.body, '[')
	}
}

// addAnswer adds s.due and the events of a reading, as far as there is room, and moves the stream
// behind them. It reports whether that was all of them.
func (s *Shard) addAnswer(sl *slot, of reading) bool {
	a := &s.answer
	s.addParked(sl)
	a.addLead(&s.due)
	s.due.reset()
	if !of.behind(s, sl) {
		return true
	}
	name := s.nameOf(of)
	for of.behind(s, sl) {
		e, cursor, at := s.nextOf(sl, of)
		of.moveTo(sl, e.End, e.At)
		a.id = s.appendIDOf(a.id[:0], sl, of)
		if !a.addEvent(name, e.Body, a.id) {
			of.moveTo(sl, cursor, at)
			return false
		}
	}
	return true
}

// nameOf is the name of the topic of a reading.
func (s *Shard) nameOf(of reading) string {
	if o := of.older; o != nil {
		return o.join.topics()[o.k].Name()
	}
	return s.states.at(of.state).topic.Name()
}

// nextOf is the next event of a reading, and where the stream stands before it.
func (s *Shard) nextOf(sl *slot, of reading) (e log.Event, cursor uint64, at eventid.Position) {
	if o := of.older; o != nil {
		next := o.events[o.begun]
		e = log.Event{Body: next.Body, At: eventid.PositionOf(next.ID), End: uint64(o.begun + 1)}
		return e, uint64(o.begun), o.join.position(o.k)
	}
	cursor = of.cursor(sl)
	return s.snap.Event(cursor), cursor, of.at(sl)
}

// appendIDOf appends the id line of where a stream stands in a reading, and the blank line.
func (s *Shard) appendIDOf(dst []byte, sl *slot, of reading) []byte {
	switch {
	case of.older != nil:
		return of.older.join.appendID(dst)
	case of.bundle != nil:
		return of.bundle.appendID(dst)
	}
	return sse.AppendID(dst, sl.last().Append(s.idBuf[:0]))
}

// idOf is the id in an id line with the blank line.
func idOf(line []byte) []byte { return line[len("id: ") : len(line)-len("\n\n")] }

// addEvent adds an event. It reports false, and adds nothing, if there is no room, unless it is the
// first.
func (a *answer) addEvent(topic string, body, idLine []byte) bool {
	from, some := len(a.body), a.some
	if a.form.JSON {
		a.addElement(topic, body, idOf(idLine))
	} else {
		a.body = append(append(a.body, body...), idLine...)
	}
	if a.events > 0 && len(a.body)+len(arrayEnd) > a.most {
		a.body, a.some = a.body[:from], some
		return false
	}
	a.events++
	return true
}

// arrayEnd ends a body of JSON.
const arrayEnd = "]\n"

func (a *answer) addElement(topic string, body, id []byte) {
	if a.some {
		a.body = append(a.body, ',')
	}
	a.some = true
	a.body = sse.AppendJSON(a.body, topic, body, id)
}

// addLead adds what a stream is told before events. An array has only the gaps of it.
func (a *answer) addLead(d *due) {
	if !a.form.JSON {
		a.body = append(a.body, d.lead...)
		return
	}
	for k, gap := range d.gaps {
		end := len(d.lead)
		if k+1 < len(d.gaps) {
			end = d.gaps[k+1].from
		}
		block := d.lead[gap.from:end]
		if at := bytes.Index(block, []byte("\nid: ")); at >= 0 {
			a.addElement(gap.topic, block[:at+1], idOf(block[at+1:]))
		} else {
			a.addElement(gap.topic, block[:len(block)-1], nil) // others follow
		}
	}
}

// sendAnswer sends the answer, and ends the stream when all of it is sent. It reports whether the
// stream is still open.
func (s *Shard) sendAnswer(i uint32, sl *slot) bool {
	a := &s.answer
	if s.drain.active {
		sl.flags &^= flagKept
	}
	switch {
	case a.form.JSON:
		a.body = append(a.body, arrayEnd...)
	case sl.flags&flagLeaving != 0:
		a.body = s.config.appendDrained(a.body, s.rng.Int64N)
	}
	a.id = s.appendPosition(a.id[:0], i, sl)
	a.whole = a.appendHead(a.whole[:0], sl, a.id)
	pieces, total := s.pieces[:0], len(a.whole)+len(a.body)
	if total <= flatMax {
		a.whole = append(a.whole, a.body...)
		pieces = append(pieces, a.whole)
	} else {
		pieces = append(pieces, a.whole, a.body)
	}
	s.pieces = pieces
	sl.flags = sl.flags&^flagEnds | flagAnswered
	n, ok := s.send(i, sl, pieces, total)
	if !ok {
		return false
	}
	s.stats.countEvents(a.events)
	if n == total {
		s.close(i, sl, sl.lastReason())
		return false
	}
	rest := make([]byte, 0, total-n)
	for _, p := range pieces {
		rest = append(rest, p[min(n, len(p)):]...)
		n -= min(n, len(p))
	}
	return s.block(i, sl, outbox{framed: rest})
}

// appendPosition appends the id line of where a stream stands; nothing if that is not known yet.
func (s *Shard) appendPosition(dst []byte, i uint32, sl *slot) []byte {
	if sl.flags&flagWaiting != 0 {
		if j := &s.waits[i].join; j.Resume == log.ResumeAt {
			return j.appendID(dst)
		}
		return dst
	}
	of := reading{}
	if sl.flags&flagMulti != 0 {
		of.bundle = s.bundles[sl.topic]
	}
	return s.appendIDOf(dst, sl, of)
}

// dateFormat is IMF-fixdate (RFC 9110 5.6.7).
const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// appendHead appends the response head. idLine is that of the position behind the answer; empty: it
// is not known.
func (a *answer) appendHead(dst []byte, sl *slot, idLine []byte) []byte {
	now := time.Now()
	if second := now.Unix(); second != a.second || len(a.date) == 0 {
		a.second, a.date = second, now.UTC().AppendFormat(a.date[:0], dateFormat)
	}
	dst = append(append(append(dst, a.form.Head...), "Date: "...), a.date...)
	if sl.flags&flagKept == 0 {
		dst = append(dst, "\r\nConnection: close"...)
	}
	if len(idLine) > 0 {
		dst = append(append(dst, "\r\nLast-Event-ID: "...), idOf(idLine)...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	return append(strconv.AppendInt(dst, int64(len(a.body)), 10), "\r\n\r\n"...)
}
