package forwarded

import (
	"errors"
	"net/netip"
	"strings"
)

// ErrXForwardedFor is what is wrong with an X-Forwarded-For.
var ErrXForwardedFor = errors.New("X-Forwarded-For cannot be read: expected addresses joined by commas")

// XForwardedFor calls each for the addresses in the value of an X-Forwarded-For (of several such
// fields, joined by commas), the nearest first: the one that the last proxy has added stands last.
// One that is not said is the zero Addr. It reads no further when each reports false: what stands
// beyond is some client's word, in whatever form. The error is ErrXForwardedFor.
func XForwardedFor(value []byte, each func(netip.Addr) (more bool)) error {
	for rest := string(value); rest != ""; {
		i := strings.LastIndexByte(rest, ',')
		text := strings.Trim(rest[i+1:], " \t")
		rest = rest[:max(i, 0)]
		if text == "" {
			continue // lists may have empty elements (RFC 9110 5.6.1.2)
		}
		a, ok := node(text)
		if !ok {
			return ErrXForwardedFor
		}
		if !each(a) {
			return nil
		}
	}
	return nil
}
