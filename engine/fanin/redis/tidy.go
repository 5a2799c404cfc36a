package redis

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// tidyTopics is how many topics must have been read, or told of, for what that has left to be worth
// collecting: some hundred bytes each, most of them answers of the servers.
const tidyTopics = 10_000

// tidyEvery is how long none must have been.
const tidyEvery = 2 * time.Second

// tidy gives memory back to the system after such a burst, until ctx ends. A heap whose garbage is
// not collected because nothing is allocated any more would stay twice as large as what is in it.
func (s *Source) tidy(ctx context.Context) {
	before, tidied := uint64(0), uint64(0)
	for sleep(ctx, tidyEvery) {
		n := s.counts.readings.Load() + s.counts.told.Load()
		if n == before && n-tidied >= tidyTopics {
			runtime.GC() // pools let go of what they have with the second one
			debug.FreeOSMemory()
			tidied = n
		}
		before = n
	}
}
