package feed

import (
	"github.com/valyala/bytebufferpool"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

// add appends an event. One that breaks the rule is told as a gap in its place.
func (m Machine) add(e *envelope.Message) {
	m.publishedCame(e.ID)
	body := m.Config.body(e)
	if body == nil {
		m.Host.Count(Unfit)
		_, last, _ := m.Log.Span()
		m.Log.Skip(last, e.ID)
		return
	}
	m.Log.Append(e.ID, body.B)
	bodies.Put(body)
	m.Host.Appended(e.ID)
}

// addRaw appends an event that has no id and no place in the stream.
func (m Machine) addRaw(e *envelope.Message) {
	body := m.Config.body(e)
	if body == nil {
		m.Host.Count(Unfit)
		m.tellUntold()
		return
	}
	m.Log.AppendRaw(body.B)
	bodies.Put(body)
}

// addBehindGap appends an event although it is not known what lies between it and the one with the
// id from: a gap tells that.
func (m Machine) addBehindGap(e *envelope.Message, from eventid.ID) {
	to := e.Prev
	if to.IsZero() { // of a stream that begins anew: there is no id for what was before
		to = rightBefore(e)
	}
	m.skip(from, to)
	m.publishedInGap(from, to)
	m.add(e)
}

// skip tells a gap.
func (m Machine) skip(from, to eventid.ID) {
	m.Host.Count(Gap)
	m.Log.Skip(from, to)
}

// tellUntold tells of something that came through the channel, has no place in the stream, and is
// not delivered.
func (m Machine) tellUntold() {
	_, last, _ := m.Log.Span()
	m.Log.Skip(last, eventid.ID{})
}

// fork goes on behind an event that the log has: the servers have forgotten what follows it there.
func (m Machine) fork(id eventid.ID) {
	m.Host.Count(Fork)
	m.Log.Fork(id)
}

// bodies are the buffers in which events are put into wire form.
var bodies bytebufferpool.Pool

// body is an event in wire form, for the caller to give back; nil if it breaks the rule. An event
// is never changed to fit.
func (c *Config) body(e *envelope.Message) *bytebufferpool.ByteBuffer {
	if c.Rule.Event(e.Event, e.Data, e.RetryMS) != nil {
		return nil
	}
	b := bodies.Get()
	b.B = sse.AppendBody(b.B[:0], &sse.Event{Name: e.Event, Data: e.Data, RetryMS: e.RetryMS})
	return b
}
