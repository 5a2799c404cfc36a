package shard

// CloseReason is why a stream ended: a metric label and a log field.
type CloseReason uint8

const (
	ClosedClientGone   CloseReason = iota // the client hung up, or its connection broke
	ClosedSlowConsumer                    // it fell behind what the log holds, and the topic's policy is to close, or it stood inside an event that is gone
	ClosedWriteStalled                    // it took no byte for the write-stall deadline
	ClosedMaxLifetime                     // it reached the longest a stream may last
	ClosedDrain                           // the server is going away: it was brought up to date and told when to come back
	ClosedShutdown                        // the same, but there was no time for that
	ClosedOverload                        // there was no room to remember a half-sent event
	ClosedError                           // the kernel refused the connection; a defect or a limit of the host
	closeReasons
)

var closeReasonNames = [closeReasons]string{
	"client_gone", "slow_consumer", "write_stalled",
	"max_lifetime", "drain", "shutdown", "overload", "error",
}

func (r CloseReason) String() string { return closeReasonNames[r] }

// CloseReasons lists all reasons, for metrics of each.
func CloseReasons() []CloseReason { return list(closeReasons) }

// Policy is what becomes of a subscriber that fell behind the log.
type Policy uint8

const (
	PolicyGap    Policy = iota // it is told of the gap and goes on with the oldest event there is
	PolicyClose                // its stream is closed; it comes back and resumes
	PolicyLatest               // it is told of the gap and goes on with the newest event; so is every stream that was blocked
	policies
)

var policyNames = [policies]string{"gap", "close", "latest"}

func (p Policy) String() string { return policyNames[p] }

// ParsePolicy is the inverse of Policy.String.
func ParsePolicy(name string) (Policy, bool) {
	for _, p := range list(policies) {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

func list[T ~uint8](n T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = T(i)
	}
	return all
}
