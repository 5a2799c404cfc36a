package redis

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// trouble is one thing that may fail again and again. It is logged when it begins, when its cause
// changes, once a minute while it lasts, and when it is over; lines that exceed a bound are counted
// instead.
type trouble struct {
	mu      sync.Mutex
	err     error     // the first failure of the cause there is; nil: all is well
	cause   string    // of that, or of one before it that said more
	caused  time.Time // when that cause was seen last
	failed  time.Time // when that was
	since   time.Time // when it began
	logged  time.Time // when it was logged last
	window  time.Time // since when lines are counted
	lines   int       // since then
	skipped int       // failures without a line
	told    bool      // the log says that it fails
}

// troubles are those that are no single server's.
type troubles struct {
	connect      trouble // the first connection
	slots        trouble // of a cluster
	uncovered    trouble // those that no master owns
	migrating    trouble // a look at those that are on their way
	clocks       trouble // of servers that may become a master
	presence     trouble
	namesake     trouble // another edge of this one's name
	foreign      trouble // keys of others in the place of an edge's
	compare      trouble // looks at other edges
	fanIn        trouble // of other edges
	reading      trouble // of single topics' streams
	channels     trouble // that may not be subscribed
	afterPublish trouble // what the script writes when an event was sent
}

const (
	troublePause  = time.Minute // between lines of the same trouble with the same cause
	troubleWindow = time.Minute
	troubleLines  = 10 // in that time: causes may alternate
)

// fails notes a failure. The line has the error with what hint makes of it, its cause as metrics
// call it, and args. hint may ask servers, so it is called for a line only, and without the lock.
func (t *trouble) fails(l *slog.Logger, hint func(error) error, level slog.Level, line string,
	err error, args ...any) {
	err = withoutArguments(err)
	more, due := t.note(err)
	if !due {
		return
	}
	hinted := hint(err)
	t.mu.Lock()
	if t.err == err {
		t.err = hinted
	}
	t.mu.Unlock()
	l.Log(context.Background(), level, line,
		slices.Concat([]any{"error", hinted, "cause", errorKind(err)}, args, more)...)
}

// asItIs is no hint.
func asItIs(err error) error { return err }

// note notes a failure, and returns whether a line of the log is due, and what else belongs in it.
func (t *trouble) note(err error) (more []any, due bool) {
	now, cause := time.Now(), causeOf(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.failed) > 2*troublePause { // the end of some goes unnoticed
		t.err = nil
	}
	if t.failed = now; t.err == nil {
		t.since = now
	}
	changed := false
	if vague := cause == "connection"; t.err == nil || !vague || now.Sub(t.caused) > troublePause {
		if changed = t.err == nil || t.cause != cause; changed {
			t.err = err
		}
		t.cause, t.caused = cause, now
	} // else the connection has ended before it said why, as others have
	if !changed && now.Sub(t.logged) < troublePause || !t.mayLog(now) {
		t.skipped++
		return nil, false
	}
	if lasted := now.Sub(t.since); lasted > 0 {
		more = append(more, "for", lasted.Round(time.Millisecond))
	}
	if t.skipped > 0 {
		more = append(more, "not_logged_before", t.skipped)
	}
	t.skipped, t.logged, t.told = 0, now, true
	return more, true
}

// mayLog reports whether there may be another line, and counts it. The lock is held.
func (t *trouble) mayLog(now time.Time) bool {
	if now.Sub(t.window) >= troubleWindow {
		t.window, t.lines = now, 0
	}
	t.lines++
	return t.lines <= troubleLines
}

// ends notes that it did not fail. That is logged if the failure was.
func (t *trouble) ends(l *slog.Logger, line string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told {
		l.Info(line, append(args, "after", time.Since(t.since).Round(time.Millisecond))...)
	}
	t.err, t.told = nil, false
}

// last is the failure that lasts, with its hint if it was logged; nil: there is none.
func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
