package intake

import (
	"sync"
	"time"
)

// rate is a token bucket that holds up to a second's worth.
type rate struct {
	perSecond float64 // 0: no bound
	mu        sync.Mutex
	tokens    float64
	at        time.Time
}

func (r *rate) take(now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	burst := r.burst()
	if r.at.IsZero() {
		r.tokens = burst
	} else {
		r.tokens = min(burst, r.tokens+now.Sub(r.at).Seconds()*r.perSecond)
	}
	r.at = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// undo returns a token that was taken for nothing. There are never more than a burst.
func (r *rate) undo() {
	r.mu.Lock()
	r.tokens = min(r.tokens+1, r.burst())
	r.mu.Unlock()
}

func (r *rate) burst() float64 { return max(r.perSecond, 1) }
