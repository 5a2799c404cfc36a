package auth

// Verdict is an authorizer's answer.
type Verdict uint8

const (
	Allowed      Verdict = iota
	Unknown              // nothing was said of who is asking, or nothing to us: 401, and how to say it
	Invalid              // what was said is not valid: 401. It is never taken for nothing said
	NotPermitted         // who is asking may not: 403
)

// Authorizer decides. Its methods are called from many goroutines at once; they
// keep none of their arguments and do not block. authorization is the value of the
// Authorization field, nil if there is none (RFC 9110 11.6.2).
type Authorizer interface {
	// Subscribe decides on a stream of all these topics together.
	Subscribe(authorization []byte, topics [][]byte) Verdict
	// Publish decides on an event for a topic. With a nil topic it decides whether
	// there may be one at all for whoever asks, before it is known which.
	Publish(authorization []byte, topic []byte) Verdict
}
