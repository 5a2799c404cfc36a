package memory

import (
	"runtime/debug"
	"time"
)

// A collection is followed by a pause of costShare times what it took, at most by giveBackPauseMax:
// with a longer one streams would be refused for what a burst has left, since a collection in the
// middle of a burst takes long.
const (
	costShare        = 10
	giveBackPauseMax = 2 * time.Second
)

// Watch says whether the process takes more than a bound. It belongs to one goroutine.
type Watch struct {
	max   int64
	short bool
	next  time.Time // before which nothing is given back again

	use      func() Usage // for tests
	giveBack func()       // collects garbage, and gives the system what Go holds unused
	now      func() time.Time
}

// NewWatch makes a watch over a bound in bytes.
func NewWatch(max int64) *Watch {
	return &Watch{max: max, use: Use, giveBack: debug.FreeOSMemory, now: time.Now}
}

// Short reports whether more than the bound is in use. If Go holds more than that, used or not, it
// collects and gives back first, unless it did so a short time ago: then the last answer stands
// until no more than the bound is in use.
func (w *Watch) Short() bool {
	switch u := w.use(); {
	case u.Held <= w.max:
		w.short = false
	case !w.now().Before(w.next):
		w.short = w.collect()
	case u.InUse <= w.max:
		w.short = false
	}
	return w.short
}

// collect reports whether more than the bound is in use when all that can be is given back. Pools
// let go of what they have with the second collection.
func (w *Watch) collect() (short bool) {
	began := w.now()
	for range 2 {
		w.giveBack()
		if short = w.use().InUse > w.max; !short {
			break
		}
	}
	ended := w.now()
	w.next = ended.Add(min(costShare*ended.Sub(began), giveBackPauseMax))
	return short
}
