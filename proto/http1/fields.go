package http1

import (
	"bytes"
	"math"
)

// field is a field name this package knows; a bit of Parser.seen.
type field uint8

const (
	fieldOther field = iota
	fieldAuthorization
	fieldConnection
	fieldContentLength
	fieldExpect
	fieldHost
	fieldLastEventID
	fieldOrigin
	fieldTransferEncoding
	fieldUpgrade
	fieldCount
)

// once holds the error for the second line of a field that may have only one.
var once = [fieldCount]*Error{
	fieldAuthorization:    errAuthTwice,
	fieldContentLength:    errLengthTwice,
	fieldExpect:           errExpectTwice,
	fieldHost:             errHostRepeated,
	fieldLastEventID:      errEventIDTwice,
	fieldOrigin:           errOriginTwice,
	fieldTransferEncoding: errCodingTwice,
}

// Bits of Parser.options: which connection options were named, RFC 9110 7.6.1.
const (
	connectionClose = 1 << iota
	connectionKeepAlive
)

// fieldNamed recognises a field name. The length decides which one it can be.
func fieldNamed(name []byte) field {
	candidate, lower := fieldOther, ""
	switch len(name) {
	case 4:
		candidate, lower = fieldHost, "host"
	case 6:
		if lowerByte(name[0]) == 'o' {
			candidate, lower = fieldOrigin, "origin"
		} else {
			candidate, lower = fieldExpect, "expect"
		}
	case 7:
		candidate, lower = fieldUpgrade, "upgrade"
	case 10:
		candidate, lower = fieldConnection, "connection"
	case 13:
		if lowerByte(name[0]) == 'l' {
			candidate, lower = fieldLastEventID, "last-event-id"
		} else {
			candidate, lower = fieldAuthorization, "authorization"
		}
	case 14:
		candidate, lower = fieldContentLength, "content-length"
	case 17:
		candidate, lower = fieldTransferEncoding, "transfer-encoding"
	}
	if equalFold(name, lower) {
		return candidate
	}
	return fieldOther
}

// has reports whether field f was seen in this head.
func (p *Parser) has(f field) bool { return p.seen&(1<<f) != 0 }

// beginField refuses what the name alone forbids; its value need not be awaited.
func (p *Parser) beginField(f field) *Error {
	p.field = f
	if f == fieldOther {
		return nil
	}
	if p.has(f) && once[f] != nil {
		return once[f]
	}
	p.seen |= 1 << f
	switch {
	case f == fieldTransferEncoding && p.minor == 0: // RFC 9112 6.1
		return errCodingVersion
	case p.has(fieldContentLength) && p.has(fieldTransferEncoding): // RFC 9112 6.3
		return errLengthCoding
	}
	return nil
}

// endField takes the value of the field begun last. value ends where the CR stands, blanks
// trimmed: p.pos is on the LF.
func (p *Parser) endField(value []byte) *Error {
	switch p.field {
	case fieldConnection:
		p.addOptions(value)
	case fieldContentLength:
		var ok bool
		if p.length, ok = decimal(value); !ok {
			return errLength
		}
	case fieldExpect:
		if !equalFold(value, "100-continue") {
			return errExpect
		}
	case fieldHost:
		if !validHost(value) {
			return errHostValue
		}
		p.hostAt, p.hostEnd = p.mark, p.pos-1
	case fieldTransferEncoding: // coding names are case-insensitive, RFC 9112 7
		if !equalFold(value, "chunked") {
			return errCoding
		}
	}
	return nil
}

// addOptions collects the options of one Connection line; lines add up (RFC 9110 5.3).
func (p *Parser) addOptions(list []byte) {
	for len(list) > 0 {
		var option []byte
		option, list, _ = bytes.Cut(list, comma)
		switch option = trimBlanks(option); {
		case equalFold(option, "close"):
			p.options |= connectionClose
		case equalFold(option, "keep-alive"):
			p.options |= connectionKeepAlive
		}
	}
}

var comma = []byte{','}

// keepAlive decides about the connection's persistence: RFC 9112 9.3.
func (p *Parser) keepAlive() bool {
	if p.options&connectionClose != 0 {
		return false
	}
	return p.minor > 0 || p.options&connectionKeepAlive != 0
}

// decimal reads 1*DIGIT (RFC 9110 8.6) up to the largest int64.
func decimal(s []byte) (n uint64, ok bool) {
	if len(s) == 0 || !digitByte.all(s) {
		return 0, false
	}
	for _, c := range s {
		if n > math.MaxInt64/10 {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > math.MaxInt64 {
			return 0, false
		}
	}
	return n, true
}

// validHost reports whether s is uri-host [":" port] of RFC 9110 7.2, or empty. Its
// characters are checked, not its meaning; escapes are refused, see the package comment.
func validHost(s []byte) bool {
	if len(s) == 0 {
		return true
	}
	var port []byte
	if s[0] == '[' {
		end := bytes.IndexByte(s, ']')
		if end < 2 || !ip6Byte.all(s[1:end]) {
			return false
		}
		port = s[end+1:]
	} else {
		n := hostByte.run(s)
		if n == 0 {
			return false
		}
		port = s[n:]
	}
	return len(port) == 0 || port[0] == ':' && digitByte.all(port[1:])
}
