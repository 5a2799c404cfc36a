package feed

import (
	"slices"

	"ssedge/proto/eventid"
)

// The publisher of an event that was published through this edge knows its id. If the servers
// forget the event before it has come to the topic's feed, nothing in the stream says so: the event
// that follows names the log's newest one as its predecessor. So a feed awaits such events.

// awaited are the events of one topic that were published through this edge and have not come to
// the log, in the order in which they were acknowledged.
type awaited struct {
	all   []acked
	timed bool // the host was asked to wake the feed for them
}

// acked is an event that was acknowledged to its publisher.
type acked struct {
	id     eventid.ID
	doubts uint32 // the feed's then: what is read for a later one has the event, or it is lost
	apart  bool   // the other history was read since
	old    bool   // it was awaited when the feed was woken last
	many   bool   // it stands for several, of which this is the highest id
}

// awaitedMax bounds how many ids a feed keeps. Those behind are kept as one, and told as a gap even
// if they come.
const awaitedMax = 1024

// Published says that an event was published through this edge, and has that id. The log may have
// it by now, or have let it go. behind says that, before the event was published, the log had let
// go of one with a higher id: then it is of a clock that went back.
func (m Machine) Published(id eventid.ID, behind bool) {
	_, _, placed := m.Log.Span()
	if !placed || id.IsZero() || m.Log.Has(id) || !behind && !m.Log.MayNeverHaveHad(id) {
		return
	}
	if m.published == nil {
		m.published = &awaited{}
	}
	m.published.add(acked{id: id, doubts: m.doubts})
	if !m.published.timed {
		m.published.timed = true
		m.Host.Later(LookPublished)
	}
}

func (p *awaited) add(a acked) {
	if len(p.all) < awaitedMax {
		p.all = append(p.all, a)
		return
	}
	last := &p.all[awaitedMax-1]
	a.id, a.many = eventid.Max(a.id, last.id), true
	*last = a
}

// Awaited are the ids of the events that were published through this edge and have not come.
func (f *Feed) Awaited() (ids []eventid.ID) {
	if f.published != nil {
		for _, a := range f.published.all {
			ids = append(ids, a.id)
		}
	}
	return ids
}

// lookForPublished looks at the end of the stream if events have been awaited for long.
func (m Machine) lookForPublished() {
	p := m.published
	if p == nil {
		return
	}
	if len(p.all) == 0 {
		m.published = nil
		return
	}
	if p.all[0].old && m.state == Live {
		m.doubt(CauseGap)
	}
	for i := range p.all {
		p.all[i].old = true
	}
	m.Host.Later(LookPublished)
}

// publishedCame notes that an event is about to be added. Those that were published before it and
// have not come are lost.
func (m Machine) publishedCame(id eventid.ID) {
	if m.published == nil {
		return
	}
	m.published.all = slices.DeleteFunc(m.published.all, func(a acked) bool {
		return a.id == id && !a.many
	})
	m.tellLost(func(a acked) bool { return a.id.Less(id) })
}

// publishedInGap takes those for lost that lie in a gap which was just told.
func (m Machine) publishedInGap(from, to eventid.ID) {
	if m.published == nil {
		return
	}
	m.published.all = slices.DeleteFunc(m.published.all, func(a acked) bool {
		skipped := !a.many && from.Less(a.id) && !to.Less(a.id)
		if skipped {
			m.Log.LostInGap(a.id)
		}
		return skipped
	})
}

// markApart is called when the other history is about to be read, from its end.
func (m Machine) markApart() {
	if m.published == nil {
		return
	}
	for i := range m.published.all {
		m.published.all[i].apart = true
	}
}

// tellUnreadApart tells those that are not in the other history, before that is added: its ids may
// be lower. theirs is all of it that the log has not got.
func (m Machine) tellUnreadApart(theirs []Element) {
	m.tellLost(func(a acked) bool {
		return a.apart && !slices.ContainsFunc(theirs, func(e Element) bool { return e.ID == a.id })
	})
}

// tellUnread tells those that are not in what was read since they were acknowledged.
func (m Machine) tellUnread(q *inquiry) {
	m.tellLost(func(a acked) bool { return a.doubts != q.looked })
}

// tellLost tells those that are lost, in one gap: the log has not got them, and has what would come
// after them.
func (m Machine) tellLost(lost func(a acked) bool) {
	if m.published == nil {
		return
	}
	to := eventid.ID{}
	m.published.all = slices.DeleteFunc(m.published.all, func(a acked) bool {
		if !lost(a) {
			return false
		}
		if a.many || !m.Log.Has(a.id) {
			to = eventid.Max(to, a.id)
		}
		return true
	})
	if !to.IsZero() {
		m.Host.Count(Gap)
		m.Log.Lose(to, m.state != Live)
	}
}
