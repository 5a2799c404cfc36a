package log

import "ssedge/proto/eventid"

// A log is two things: the history from which clients may resume, and the window from which streams
// are sent what they lack. The retention bounds the history, and may be as small as one event. But
// a stream is sent to once a turn, and needs the whole burst of that turn. So a window of the
// newest events outlasts the retention. A resume does not see events that only the window keeps.

// Retention bounds one topic's history: what may be resumed from. A bound of 0 is no bound.
type Retention struct {
	Events int
	Bytes  int64
	AgeMS  int64
	Window Window // what is kept beyond that, to be sent
}

// Window bounds what a log keeps of its newest events for connected streams. It widens the
// retention: while an event is young, the larger of the two numbers bounds the log. The zero Window
// keeps nothing.
type Window struct {
	Events int
	Bytes  int64
	AgeMS  uint64 // an event is young for at least that time, and at most twice as long; 0: always
}

// SendWindow is enough for a client that keeps reading.
var SendWindow = Window{Events: 1024, Bytes: 64 << 10, AgeMS: 2000}

// youth tells young events by their positions, not by their ids: an event's id may be old when it
// comes.
type youth struct {
	// events that begin before it have been in the log for longer than the window's time
	from    uint64
	next    uint64 // the head …
	sinceMS uint64 // … at that time
}

// grow moves youth on, at most once in the window's time.
func (w *Window) grow(l *Log, nowMS uint64) {
	if y := &l.youth; w.AgeMS > 0 && nowMS >= y.sinceMS+w.AgeMS {
		*y = youth{from: y.next, next: l.head, sinceMS: nowMS}
	}
}

// exceeded reports whether the retention lets the log's oldest event go. The newest event goes
// only by age.
func (r *Retention) exceeded(l *Log, oldest eventid.ID, nowMS uint64) bool {
	return l.events > 1 &&
		(r.Events > 0 && l.events > r.Events || r.Bytes > 0 && l.head-l.tail > uint64(r.Bytes)) ||
		r.AgeMS > 0 && oldest.MS+uint64(r.AgeMS) < nowMS
}

// Full reports whether a log with one more event before its oldest one would exceed the retention.
func (r *Retention) Full(l *Log, idMS uint64) bool {
	if l.events == 0 {
		return false
	}
	return r.Events > 0 && l.events >= r.Events || r.Bytes > 0 &&
		l.head-l.tail >= uint64(r.Bytes) ||
		r.exceeded(l, l.segments[0].index[l.first].id, idMS)
}

// outlasts reports whether the window keeps the log's oldest event, which the retention lets go.
func (w *Window) outlasts(r *Retention, l *Log) bool {
	switch {
	case w.Events == 0,
		r.Events > 0 && l.events > max(r.Events, w.Events),
		r.Bytes > 0 && l.head-l.tail > uint64(max(r.Bytes, w.Bytes)):
		return false
	}
	return l.tail >= l.youth.from
}

// Resumable returns the log as a resume may see it: without what only the window keeps. It shares
// the events with l: it is for reading, and only until l changes.
func (l *Log) Resumable(r *Retention, idMS uint64) Log {
	seen := *l
	if seen.rewritten != nil {
		own := *seen.rewritten
		seen.rewritten = &own
	}
	for seen.events > 0 {
		oldest := seen.segments[0].index[seen.first]
		if !r.exceeded(&seen, oldest.id, idMS) {
			break
		}
		seen.advanceTail(oldest)
		seen.cause = GapOverrun
	}
	return seen
}
