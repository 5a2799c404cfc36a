package auth

// Verdict is an authorizer's answer.
type Verdict uint8

const (
	Allowed Verdict = iota
	// there are no credentials, or none for us: 401, with the scheme that is expected
	Unknown
	Invalid // the credentials are invalid: 401. They are never treated as anonymous
)

// Authorizer decides. Its methods are called from many goroutines at once; they
// keep none of their arguments and do not block. authorization is the value of the
// Authorization field, nil if there is none (RFC 9110 11.6.2).
type Authorizer interface {
	// Subscribe decides on a stream of all these topics together.
	Subscribe(authorization []byte, topics [][]byte) Verdict
	// Publish decides on an event for a topic. With a nil topic it decides whether
	// the client may publish at all, before the topic is known.
	Publish(authorization []byte, topic []byte) Verdict
}
