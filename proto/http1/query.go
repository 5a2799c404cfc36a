package http1

import "bytes"

// NextPair cuts the next key=value pair off a raw query; rest is what is left. Key and value
// are still encoded and point into query. A pair without '=' has a nil value; empty pairs
// ("a&&b") are skipped, as WHATWG URL 5.1 and net/url do. ok is false at the end.
//
// ';' is an ordinary character here: call CheckQuery first.
func NextPair(query []byte) (key, value, rest []byte, ok bool) {
	for len(query) > 0 {
		pair := query
		if i := bytes.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i:i], query[i+1:]
		} else {
			query = nil
		}
		if len(pair) == 0 {
			continue
		}
		if i := bytes.IndexByte(pair, '='); i >= 0 {
			return pair[:i:i], pair[i+1 : len(pair) : len(pair)], query, true
		}
		return pair, nil, query, true
	}
	return nil, nil, nil, false
}

// CheckQuery refuses a raw query with an incomplete %XX, or with a ';': some readers
// separate pairs by it, others do not (net/url refuses it for that reason). After it,
// AppendUnescaped cannot fail on the query's keys and values.
func CheckQuery(query []byte) *Error {
	for i, c := range query {
		switch {
		case c == ';':
			return errQuerySemicolon
		case c == '%' && !escapeAt(query, i):
			return errQueryEscape
		}
	}
	return nil
}

// AppendUnescaped appends s to dst, form-decoded (WHATWG URL 5.1): '+' becomes a space, %XX a
// byte. With an incomplete %XX it returns dst as it was, and false. The result may be any bytes,
// invalid UTF-8 and control characters included. dst must not overlap s.
func AppendUnescaped(dst, s []byte) ([]byte, bool) {
	start := len(dst)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if !escapeAt(s, i) {
				return dst[:start], false
			}
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

// escapeAt reports whether the '%' at s[i] is followed by two hexadecimal digits.
func escapeAt(s []byte, i int) bool {
	return len(s)-i > 2 && hexByte.has(s[i+1]) && hexByte.has(s[i+2])
}
