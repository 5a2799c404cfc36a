package forwarded

import (
	"net/netip"
	"strings"
)

// node reads the client that a proxy names: an address, in brackets if it is IPv6 and has a port,
// or "unknown", or a name that hides an address, _like-this, which are the zero Addr.
// Ports may be hidden, too (RFC 7239 6).
func node(text string) (a netip.Addr, ok bool) {
	host, port := text, ""
	bracketed := strings.HasPrefix(text, "[")
	if bracketed {
		var closed bool
		if host, port, closed = strings.Cut(text[1:], "]"); !closed {
			return a, false
		}
	} else if i := strings.IndexByte(text, ':'); i >= 0 && i == strings.LastIndexByte(text, ':') {
		host, port = text[:i], text[i:]
	}
	if port != "" && (port[0] != ':' || !isPort(port[1:])) {
		return a, false
	}
	if !bracketed && (strings.EqualFold(host, "unknown") || isHidden(host)) {
		return a, true
	}
	a, err := netip.ParseAddr(host)
	if err != nil || bracketed && !a.Is6() {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

func isPort(s string) bool {
	return isHidden(s) || 1 <= len(s) && len(s) <= 5 && strings.Trim(s, digits) == ""
}

func isHidden(s string) bool {
	return len(s) > 1 && s[0] == '_' && strings.Trim(s, digits+letters+"._-") == ""
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
