package forwarded

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// ErrForwarded is what is wrong with a Forwarded.
var ErrForwarded = errors.New(`Forwarded cannot be read: expected elements like for=192.0.2.1;proto=https joined by commas (RFC 7239)`)

// Forwarded calls each for the addresses in the value of a Forwarded (RFC 7239 4; of several such
// fields, joined by commas), the nearest first, until it reports false. An element without an
// address (for=) is the zero Addr. All of the value must be in order, because a quotation mark that
// a client has put in front changes the meaning of all that follows. The error is ErrForwarded.
func Forwarded(value []byte, each func(netip.Addr) (more bool)) error {
	hops, ok := elements(string(value))
	if !ok {
		return ErrForwarded
	}
	for _, a := range slices.Backward(hops) {
		if !each(a) {
			break
		}
	}
	return nil
}

// elements returns the address of each element.
func elements(rest string) (hops []netip.Addr, ok bool) {
	for {
		var hop netip.Addr
		var empty bool
		if hop, empty, rest, ok = element(rest); !ok {
			return nil, false
		}
		if !empty {
			hops = append(hops, hop)
		}
		if rest == "" {
			return hops, true
		}
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, false
		}
	}
}

// element reads pairs up to a comma or the end.
func element(rest string) (hop netip.Addr, empty bool, _ string, ok bool) {
	empty = true
	for said := false; ; {
		rest = strings.TrimLeft(rest, " \t")
		if name := token(rest); name != "" {
			var value string
			if value, rest, ok = pairValue(rest[len(name):]); !ok {
				return hop, false, rest, false
			}
			if strings.EqualFold(name, "for") {
				if hop, ok = node(value); !ok || said { // each parameter once (RFC 7239 4)
					return hop, false, rest, false
				}
				said = true
			}
			empty = false
			rest = strings.TrimLeft(rest, " \t")
		}
		var more bool
		if rest, more = strings.CutPrefix(rest, ";"); !more {
			return hop, empty, rest, true
		}
	}
}

// pairValue reads the value behind a name, with the = between them.
func pairValue(s string) (value, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "=")
	if !ok {
		return "", "", false
	}
	if strings.HasPrefix(s, `"`) {
		return quoted(s[1:])
	}
	value = token(s)
	return value, s[len(value):], value != ""
}

// quoted reads a quoted string (RFC 9110 5.6.4) behind its first mark.
func quoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// token returns the token (RFC 9110 5.6.2) with which s begins; "" if none.
func token(s string) string {
	i := 0
	for i < len(s) && strings.IndexByte(digits+letters+"!#$%&'*+-.^_`|~", s[i]) >= 0 {
		i++
	}
	return s[:i]
}
