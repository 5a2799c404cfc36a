package httpapi

import (
	"log/slog"
	"sync"
	"time"
)

// outagePause is the least time between two log lines about a source that cannot store events.
const outagePause = 10 * time.Second

// outages logs why events could not be stored. Publishers do not see the reason, because it names
// internal servers. Every request may fail, so the lines are rate-limited, and each line says how many
// failures since the last one were not logged.
type outages struct {
	mu      sync.Mutex
	next    time.Time // no line before
	skipped int       // failures without a line
}

func (o *outages) log(l *slog.Logger, now time.Time, err error) {
	o.mu.Lock()
	if now.Before(o.next) {
		o.skipped++
		o.mu.Unlock()
		return
	}
	skipped := o.skipped
	o.skipped, o.next = 0, now.Add(outagePause)
	o.mu.Unlock()
	l.Warn("events could not be stored", "error", err, "not_logged_before", skipped)
}
