package http1

import (
	"strconv"
	"unicode/utf8"
)

// AppendAnswer appends a complete HTTP/1.1 error response to dst, for a connection that is
// closed after it. The body is one line of JSON, {"error":reason,"status":status}; the
// reason may be any text. Retry-After (RFC 9110 10.2.3) is sent when retryAfterSeconds > 0.
//
// There is no Date field, for this package knows no clock, and a HEAD request gets the
// body too: harmless, as nothing follows it on the connection. A status that must
// carry a field of its own (401 WWW-Authenticate, 405 Allow) is not for this function.
func AppendAnswer(dst []byte, status int, reason string, retryAfterSeconds int) []byte {
	bodyBytes := len(appendBody(dst, status, reason)) - len(dst) // written here, and over by the head

	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(status)...)
	dst = append(dst, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(bodyBytes), 10)
	dst = append(dst, "\r\nCache-Control: no-store\r\nConnection: close\r\n"...)
	if retryAfterSeconds > 0 {
		dst = append(dst, "Retry-After: "...)
		dst = strconv.AppendInt(dst, int64(retryAfterSeconds), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	return appendBody(dst, status, reason)
}

func appendBody(dst []byte, status int, reason string) []byte {
	dst = append(dst, `{"error":`...)
	dst = appendJSONString(dst, reason)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, "}\n"...)
}

// appendJSONString appends s quoted as RFC 8259 7 asks. DEL is escaped
// too, for the sake of terminals, and bytes that are not UTF-8 become U+FFFD: a reason may
// quote what a client sent.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		case r == utf8.RuneError:
			dst = append(dst, `\ufffd`...)
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}

// StatusText returns the reason phrase of the statuses this server sends itself, as in RFC 9110 15
// and RFC 6585, else "".
func StatusText(status int) string {
	switch status {
	case 200:
		return "OK"
	case 204:
		return "No Content"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 406:
		return "Not Acceptable"
	case 408:
		return "Request Timeout"
	case 409:
		return "Conflict"
	case 411:
		return "Length Required"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 415:
		return "Unsupported Media Type"
	case 417:
		return "Expectation Failed"
	case 421:
		return "Misdirected Request"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return ""
}
