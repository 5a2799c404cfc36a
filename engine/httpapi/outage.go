package httpapi

import (
	"log/slog"
	"sync"
	"time"

	"ssedge/engine/fanin"
)

// Log lines about a source that cannot store events: the least time between two with the same
// cause, and the most in a minute, for causes may alternate.
const (
	outagePause = 10 * time.Second
	outageLines = 20
)

// outages logs why events could not be stored. Publishers do not see the reason, because it names
// internal servers. Every request may fail, so the lines are rate-limited, and each line says how
// many failures since the last one were not logged.
type outages struct {
	mu      sync.Mutex
	logged  map[string]time.Time // when each cause was logged, since the minute began
	began   time.Time            // of that minute
	skipped int                  // failures without a line
}

func (o *outages) log(l *slog.Logger, now time.Time, err error) {
	skipped, due := o.due(now, fanin.CauseOf(err))
	if !due {
		return
	}
	l.Warn("events could not be stored", "error", err, "not_logged_before", skipped)
}

// due reports whether a line is due, and how many failures had none since the last one.
func (o *outages) due(now time.Time, cause string) (skipped int, due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.began) >= time.Minute {
		o.began, o.logged = now, nil
	}
	if last, known := o.logged[cause]; known && now.Sub(last) < outagePause || !known &&
		len(o.logged) >= outageLines {
		o.skipped++
		return 0, false
	}
	if o.logged == nil {
		o.logged = map[string]time.Time{}
	}
	skipped, o.skipped, o.logged[cause] = o.skipped, 0, now
	return skipped, true
}
