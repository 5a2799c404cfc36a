package state

import "time"

// Settings say where history is kept over the end of the process.
type Settings struct {
	StateDir      string        `help:"Directory in which history, ids and idempotency keys are kept from a drain to the next start, so that clients resume exactly; for one server, and not with --redis. It is made if it is missing." placeholder:"DIR"`
	StateInterval time.Duration `default:"0s" range:"0 or 1s..500h" metric:"-" help:"How often --state-dir is also written meanwhile, for a process that ends without a drain: what came after the last time is told as a gap. 0: never."`
}
