package http1

// Limits bounds a request head. No field may be zero; offsets are kept in 32 bits, so
// HeadBytes must stay below 4 GiB. A TargetBytes that does not fit into HeadBytes never
// takes effect. Do not change limits while a head is being read.
type Limits struct {
	// of the whole head, with skipped empty lines and the final one; more is 431
	HeadBytes int `type:"size" default:"16KiB" range:"256..1MiB" metric:"head_bytes_max" help:"Bytes of a request head, with an id to resume from."`
	// field lines; more is 431
	HeadersMax int `default:"100" range:"8.." metric:"headers_max" help:"Header fields of a request."`
	// of the request target as sent; more is 414
	TargetBytes int `type:"size" default:"8KiB" range:"16.." metric:"target_bytes_max" help:"Bytes of a request target, with an id to resume from."`
}

// DefaultLimits is for reading: copy it to change it.
var DefaultLimits = Limits{HeadBytes: 8192, HeadersMax: 100, TargetBytes: 4096}

// methodBytesMax bounds a method name. The longest registered one, UPDATEREDIRECTREF, has 17.
const methodBytesMax = 32

// emptyLinesMax bounds the empty lines skipped before a request line (RFC 9112 2.2 asks for
// at least one: old clients end a POST body with a CRLF that is not counted).
const emptyLinesMax = 2
