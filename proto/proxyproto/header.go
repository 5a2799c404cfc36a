package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
)

// MaxBytes bounds a header. One of version 1 has 107 bytes at most; one of version 2
// could have 64 KiB of extensions, of which proxies send some hundred.
const MaxBytes = 4096

// The ways in which a header can be refused.
var (
	ErrNoHeader = errors.New("expected a PROXY protocol header, version 1 or 2, before anything else")
	ErrLine     = errors.New("expected a line like PROXY TCP4 192.0.2.1 192.0.2.2 51234 80")
	ErrBinary   = errors.New("expected a PROXY protocol header of version 2 for a stream over IPv4, IPv6 or unix, with room for its addresses")
	ErrExtended = errors.New("the extensions of the PROXY protocol header do not fill it")
	ErrChecksum = errors.New("the checksum of the PROXY protocol header is wrong")
	ErrTooLong  = errors.New("the PROXY protocol header is longer than 4096 bytes")
)

// Header is what a proxy says of a connection.
type Header struct {
	// Source is the client that connected to the proxy, without zone and never IPv4 in IPv6. It
	// is the zero Addr if the header does not say: the connection is the proxy's own,
	// a health check (LOCAL, UNKNOWN), or came over a unix socket.
	Source netip.Addr
}

// Parse reads the header with which b begins, and returns how many bytes it has: 0
// if b is only its beginning. Everything that a connection has sent so far is in b,
// each time. An error is one of this package's; then nothing of b is to be believed.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case begins(b, signature):
		return parse2(b)
	case begins(b, keyword):
		return parse1(b)
	}
	return h, 0, ErrNoHeader
}

// begins reports whether b begins as whole does, as far as there is of both.
func begins(b, whole []byte) bool {
	n := min(len(b), len(whole))
	return bytes.Equal(b[:n], whole[:n])
}

// source is an address as headers have it.
func source(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
