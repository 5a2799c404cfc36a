package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// fixed is the part that every binary header has: the signature, version and command,
// family and transport, and the length of the rest (2.2).
const fixed = 16

// Commands, families with the transport STREAM, and the one extension that concerns us.
const (
	local  = 0x20
	proxy  = 0x21
	unspec = 0x00
	tcp4   = 0x11
	tcp6   = 0x21
	unix   = 0x31

	typeChecksum = 0x03
)

// parse2 reads the binary form (2.2).
func parse2(b []byte) (h Header, n int, err error) {
	if len(b) > 12 && b[12] != local && b[12] != proxy {
		return h, 0, ErrBinary
	}
	// Of a LOCAL connection the rest is to be skipped, the family included.
	relayed, addresses := len(b) > 13 && b[12] == proxy, 0
	if relayed {
		var ok bool
		if addresses, ok = addressBytes(b[13]); !ok {
			return h, 0, ErrBinary
		}
	}
	if len(b) < fixed {
		return h, 0, nil
	}
	n = fixed + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case n > MaxBytes:
		return h, 0, ErrTooLong
	case n < fixed+addresses:
		return h, 0, ErrBinary
	case len(b) < n:
		return h, 0, nil
	case !relayed || b[13] == unspec:
		return h, n, nil
	}
	if err := checkExtensions(b[:n], fixed+addresses); err != nil {
		return h, 0, err
	}
	switch b[13] {
	case tcp4:
		h.Source = source(netip.AddrFrom4([4]byte(b[fixed:])))
	case tcp6:
		h.Source = source(netip.AddrFrom16([16]byte(b[fixed:])))
	}
	return h, n, nil
}

// addressBytes is how much the two addresses of a family take, and whether it is one of streams.
func addressBytes(family byte) (n int, ok bool) {
	switch family {
	case unspec:
		return 0, true
	case tcp4:
		return 2 * (4 + 2), true
	case tcp6:
		return 2 * (16 + 2), true
	case unix:
		return 2 * 108, true
	}
	return 0, false
}

// checkExtensions walks over the extensions (2.2), which begin at from, and holds the
// header against its checksum, if it has one (2.2.4).
func checkExtensions(header []byte, from int) error {
	for rest := header[from:]; len(rest) > 0; {
		if len(rest) < 3 {
			return ErrExtended
		}
		length := int(binary.BigEndian.Uint16(rest[1:]))
		if len(rest) < 3+length {
			return ErrExtended
		}
		if value := rest[3 : 3+length]; rest[0] == typeChecksum {
			if length != 4 ||
				checksum(header, len(header)-len(rest)+3) != binary.BigEndian.Uint32(value) {
				return ErrChecksum
			}
		}
		rest = rest[3+length:]
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of a header whose own four bytes of it, which begin at, count as 0.
func checksum(header []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, []byte{0, 0, 0, 0})
	return crc32.Update(sum, castagnoli, header[at+4:])
}
