package http1

// Error says why a head is refused. All of them are package-level values: they can be
// compared, and reporting one allocates nothing. After an Error the framing of the
// connection is unknown: answer Status and close.
//
// Parse returns *Error, not error; do not assign a nil *Error to an error variable.
type Error struct {
	Status int    // HTTP status to answer
	Reason string // one line for people: what was expected
	Label  string // metric label, of a small fixed set; several errors may share one
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Errors returns every error this package can report, so that counters can be registered
// before the first one happens. The slice is shared: read only.
func Errors() []*Error { return registry }

var registry []*Error

func newError(status int, label, reason string) *Error {
	e := &Error{Status: status, Reason: reason, Label: label}
	registry = append(registry, e)
	return e
}

// Request line: RFC 9112 2.2, 2.3, 3; RFC 3986 3.
var (
	errTLS = newError(400, "tls_handshake",
		"plain HTTP expected, TLS handshake found: this port does not speak https")
	errEmptyLines = newError(400, "bad_request_line",
		"request line expected after at most two empty lines")
	errRequestLine = newError(400, "bad_request_line",
		"request line of method, target and HTTP/1.1 expected, with one space between them")
	errMethod  = newError(400, "bad_method", "method of 1 to 32 token characters expected")
	errConnect = newError(400, "bad_method", "CONNECT is not served: this is not a proxy")
	errTarget  = newError(400, "bad_target",
		"request target expected as /path, http://host/path or, with OPTIONS, *")
	errTargetByte = newError(400,
		"bad_target", "request target must be visible ASCII without '#', its path without backslash: percent-encode other bytes")
	errEscape = newError(400, "bad_target",
		"percent sign must be followed by two hexadecimal digits")
	errPathNUL   = newError(400, "bad_target", "path must not contain an encoded NUL (%00)")
	errAuthority = newError(400, "bad_target",
		"host or host:port expected after http://, without user information or percent-encoding")
	errTargetLong = newError(414, "target_too_long",
		"request target is longer than this server accepts")
	errVersion = newError(505, "bad_version", "HTTP/1.0 or HTTP/1.1 expected")
)

// Field lines: RFC 9112 2.2, 5; RFC 9110 5.5, 5.6.2.
var (
	errLineEnd = newError(400, "bad_line_end",
		"CRLF expected at the end of each line of the head, bare CR or LF found")
	errFold = newError(400, "bad_field",
		"field line must not begin with a blank: line folding is obsolete")
	errFieldName = newError(400, "bad_field",
		"field name of token characters directly followed by a colon expected")
	errFieldValue = newError(400, "bad_field",
		"field value must not contain control characters other than tab")
	errHeadLong = newError(431, "head_too_large",
		"request head is larger than this server accepts")
	errHeadFields = newError(431, "too_many_fields",
		"request head has more field lines than this server accepts")
)

// Fields with a meaning here: RFC 9110 7.2, 8.6, 10.1.1; RFC 9112 3.2, 6.1, 6.3.
var (
	errHostMissing  = newError(400, "bad_host", "HTTP/1.1 request must have a Host field")
	errHostRepeated = newError(400, "bad_host", "only one Host field is allowed")
	errHostValue    = newError(400, "bad_host",
		"Host must be empty, host or host:port, without percent-encoding")
	errLength = newError(400, "bad_framing",
		"Content-Length must be one decimal number below 2^63")
	errLengthTwice  = newError(400, "bad_framing", "only one Content-Length field is allowed")
	errLengthCoding = newError(400, "bad_framing",
		"Content-Length and Transfer-Encoding exclude each other")
	errCodingTwice   = newError(400, "bad_framing", "only one Transfer-Encoding field is allowed")
	errCodingVersion = newError(400, "bad_framing", "Transfer-Encoding needs HTTP/1.1")
	errCoding        = newError(501, "unknown_coding",
		"the only Transfer-Encoding served is chunked")
	errExpect       = newError(417, "unknown_expect", "the only Expect served is 100-continue")
	errExpectTwice  = newError(400, "repeated_field", "only one Expect field is allowed")
	errEventIDTwice = newError(400, "repeated_field", "only one Last-Event-ID field is allowed")
	errAuthTwice    = newError(400, "repeated_field", "only one Authorization field is allowed")
	errOriginTwice  = newError(400, "repeated_field", "only one Origin field is allowed")
)

// Query strings: see CheckQuery.
var (
	errQuerySemicolon = newError(400, "bad_query",
		"query must separate its pairs with '&': encode ';' as %3B")
	errQueryEscape = newError(400, "bad_query",
		"percent sign in the query must be followed by two hexadecimal digits")
)
