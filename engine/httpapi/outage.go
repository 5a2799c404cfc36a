package httpapi

import (
	"log/slog"
	"sync"
	"time"
)

// outagePause is the least time between two lines about a source that takes nothing.
const outagePause = 10 * time.Second

// outages logs why events could not be stored. Publishers are not told: the reason names servers
// that are none of their business. As many requests as there are may fail, so lines are few, and
// each says how many failures since the last one had none.
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
