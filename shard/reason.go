package shard

// CloseReason is why a stream ended: a metric label and a log field.
//
// To add a reason, add its constant and its name here. Tests then ask for three things: the HELP
// text of ssedge_streams_closed_total (engine/metrichelp.go), which is where operators read what a
// reason means; what a stream is answered that ends by it before it was sent its response head
// (engine/intake/answers.go); and that it occurs in the simulation (simulation_test.go). Whether a
// body is ended properly by it is said in sendLastUnit (close.go).
type CloseReason uint8

const (
	ClosedClientGone CloseReason = iota // the client hung up, or its connection broke
	// it fell behind the log (PolicyClose), or inside an event
	ClosedSlowConsumer
	ClosedWriteStalled // it took no byte for the write-stall deadline
	ClosedMaxLifetime  // it reached the longest a stream may last
	ClosedDrain        // the server ends: it was told when to come back
	ClosedShutdown     // the server ends, and there was no time for that
	ClosedOverload     // there was no room to remember a half-sent event
	ClosedError        // the kernel refused the connection: a defect or a limit
	ClosedAnswered     // a poll has its answer
	closeReasons
)

var closeReasonNames = [closeReasons]string{
	ClosedClientGone:   "client_gone",
	ClosedSlowConsumer: "slow_consumer",
	ClosedWriteStalled: "write_stalled",
	ClosedMaxLifetime:  "max_lifetime",
	ClosedDrain:        "drain",
	ClosedShutdown:     "shutdown",
	ClosedOverload:     "overload",
	ClosedError:        "error",
	ClosedAnswered:     "answered",
}

func (r CloseReason) String() string { return closeReasonNames[r] }

// CloseReasons lists all reasons, for metrics of each.
func CloseReasons() []CloseReason { return enumerate(closeReasons) }

// Policy is what becomes of a subscriber that fell behind the log.
type Policy uint8

const (
	PolicyGap   Policy = iota // it gets a gap event and continues with the oldest event there is
	PolicyClose               // it is closed; its client comes back and resumes
	// a gap event and the newest event, also for streams that were blocked
	PolicyLatest
	policies
)

var policyNames = [policies]string{
	PolicyGap:    "gap",
	PolicyClose:  "close",
	PolicyLatest: "latest",
}

func (p Policy) String() string { return policyNames[p] }

// ParsePolicy is the inverse of Policy.String.
func ParsePolicy(name string) (Policy, bool) {
	for _, p := range enumerate(policies) {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

func enumerate[T ~uint8](n T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = T(i)
	}
	return all
}
