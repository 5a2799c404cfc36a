package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
)

var keyword = []byte("PROXY ")

// lineMax is the longest line there is, with its CRLF: two IPv6 addresses (2.1).
const lineMax = 107

// parse1 reads the text form (2.1).
func parse1(b []byte) (h Header, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), lineMax)], '\n')
	if end < 0 {
		if len(b) >= lineMax {
			return h, 0, ErrLine
		}
		return h, 0, nil
	}
	line := b[:end]
	if len(line) < len(keyword) || line[end-1] != '\r' {
		return h, 0, ErrLine
	}
	line = line[len(keyword) : end-1]
	family, rest, _ := bytes.Cut(line, blank)
	switch string(family) {
	case "UNKNOWN": // whatever stands behind it is to be ignored
		return h, end + 1, nil
	case "TCP4", "TCP6":
	default:
		return h, 0, ErrLine
	}
	fields := [4][]byte{} // source and destination, and their ports
	for i := range fields {
		var more bool
		fields[i], rest, more = bytes.Cut(rest, blank)
		if more != (i < len(fields)-1) {
			return h, 0, ErrLine
		}
	}
	from, ok := address(fields[0], family[3] == '6')
	_, okTo := address(fields[1], family[3] == '6')
	if !ok || !okTo || !port(fields[2]) || !port(fields[3]) {
		return h, 0, ErrLine
	}
	return Header{Source: source(from)}, end + 1, nil
}

var blank = []byte{' '}

func address(text []byte, six bool) (netip.Addr, bool) {
	a, err := netip.ParseAddr(string(text))
	return a, err == nil && a.Is6() == six && a.Zone() == ""
}

// port: "0" to "65535", without leading zeros.
func port(text []byte) bool {
	n, err := strconv.ParseUint(string(text), 10, 16)
	return err == nil && len(text) == len(strconv.AppendUint(nil, n, 10))
}
