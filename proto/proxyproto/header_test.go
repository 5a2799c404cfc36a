package proxyproto

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// binaryHeader makes a header of version 2 with that command and family, and what
// stands behind the length.
func binaryHeader(command, family byte, rest string) string {
	b := append([]byte{}, signature...)
	b = append(b, command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	return string(b) + rest
}

const (
	four = "\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x00\x50" // 192.0.2.1 192.0.2.2 51234 80
	six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc8\x22\x00\x50"
)

var good = map[string]string{ // header → source
	"PROXY TCP4 192.0.2.1 192.0.2.2 51234 80\r\n":            "192.0.2.1",
	"PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n": "255.255.255.255",
	"PROXY TCP6 2001:db8::1 2001:db8::2 51234 80\r\n":        "2001:db8::1",
	"PROXY TCP6 ::ffff:192.0.2.1 ::1 51234 80\r\n":           "192.0.2.1",
	"PROXY UNKNOWN\r\n": "",
	"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 1 2\r\n": "",
	binaryHeader(proxy, tcp4, four):                         "192.0.2.1",
	binaryHeader(proxy, tcp6, six):                          "2001:db8::1",
	binaryHeader(proxy, unix, strings.Repeat("\x00", 216)):  "",
	binaryHeader(proxy, unspec, ""):                         "",
	binaryHeader(proxy, unspec, "whatever"):                 "",
	binaryHeader(local, unspec, ""):                         "",
	// a health check: the addresses are not the client's
	binaryHeader(local, tcp4, four): "",
	binaryHeader(local, 0x12, four): "", // whatever family that is
	binaryHeader(local, 0xff, ""):   "",
	binaryHeader(local, tcp4, ""):   "",
	// NOOP, and a unique id of no bytes
	binaryHeader(proxy, tcp4, four+"\x04\x00\x02ab\x05\x00\x00"): "192.0.2.1",
}

var bad = map[string]error{
	"GET / HTTP/1.1\r\n":     ErrNoHeader,
	"\r\n\r\n\x00\r\nQUIT\r": ErrNoHeader,
	"PROXY\r\n":              ErrNoHeader,
	"proxy TCP4 192.0.2.1 192.0.2.2 51234 80\r\n":     ErrNoHeader,
	"PROXY TCP4 192.0.2.1 192.0.2.2 51234 80\n":       ErrLine,
	"PROXY TCP4 192.0.2.1 192.0.2.2 51234\r\n":        ErrLine,
	"PROXY TCP4 192.0.2.1 192.0.2.2 51234 80 81\r\n":  ErrLine,
	"PROXY TCP4  192.0.2.1 192.0.2.2 51234 80\r\n":    ErrLine,
	"PROXY TCP4 192.0.2.01 192.0.2.2 51234 80\r\n":    ErrLine,
	"PROXY TCP4 192.0.2.1 192.0.2.2 051234 80\r\n":    ErrLine,
	"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n":     ErrLine,
	"PROXY TCP4 192.0.2.1 192.0.2.2 +1 80\r\n":        ErrLine,
	"PROXY TCP4 2001:db8::1 2001:db8::2 51234 80\r\n": ErrLine,
	"PROXY TCP6 192.0.2.1 192.0.2.2 51234 80\r\n":     ErrLine,
	"PROXY TCP6 fe80::1%eth0 fe80::2 51234 80\r\n":    ErrLine,
	"PROXY UDP4 192.0.2.1 192.0.2.2 51234 80\r\n":     ErrLine,
	"PROXY TCP4 192.0.2.1 host 51234 80\r\n":          ErrLine,
	"PROXY \r\n":                                      ErrLine,
	// 108 bytes
	"PROXY UNKNOWN " + strings.Repeat("x", lineMax-15) + "\r\n": ErrLine,
	// version 1
	binaryHeader(0x11, tcp4, four): ErrBinary,
	// no such command
	binaryHeader(0x22, tcp4, four): ErrBinary,
	// datagrams
	binaryHeader(proxy, 0x12, four): ErrBinary,
	// no such family
	binaryHeader(proxy, 0x41, four):                                                  ErrBinary,
	binaryHeader(proxy, tcp4, four[1:]):                                              ErrBinary,
	binaryHeader(proxy, tcp6, four):                                                  ErrBinary,
	binaryHeader(proxy, tcp4, four+"\x04\x00"):                                       ErrExtended,
	binaryHeader(proxy, tcp4, four+"\x04\x00\x01"):                                   ErrExtended,
	binaryHeader(proxy, tcp4, four+"\x03\x00\x04\x00\x00\x00\x00"):                   ErrChecksum,
	binaryHeader(proxy, tcp4, four+"\x03\x00\x01\x00"):                               ErrChecksum,
	binaryHeader(proxy, tcp4, four+strings.Repeat("\x04\x00\x00", MaxBytes))[:fixed]: ErrTooLong,
}

// TestHeaders: each of them, wherever it is cut, and whatever stands behind it.
func TestHeaders(t *testing.T) {
	for header, want := range good {
		for cut := range len(header) {
			if _, n, err := Parse([]byte(header[:cut])); n != 0 || err != nil {
				t.Errorf("%q, its first %d bytes: %d, %v", header, cut, n, err)
			}
		}
		for _, behind := range []string{"", "GET / HTTP/1.1\r\n", "\n", "PROXY "} {
			h, n, err := Parse([]byte(header + behind))
			if got := h.Source.String(); err != nil || n != len(header) || got != want &&
				h.Source.IsValid() || h.Source.IsValid() != (want != "") {
				t.Errorf("%q: %s, %d, %v", header, got, n, err)
			}
		}
	}
	for header, want := range bad {
		if h, n, err := Parse([]byte(header)); err != want || n != 0 || h.Source.IsValid() {
			t.Errorf("%q: %+v, %d, %v; expected %v", header, h, n, err, want)
		}
	}
}

// A header of version 2 may be just so long, and no byte longer.
func TestLongestHeader(t *testing.T) {
	noop := func(total int) string { // one extension that fills it up
		length := total - fixed - len(four) - 3
		return binaryHeader(proxy, tcp4,
			four+"\x04"+string([]byte{byte(length >> 8), byte(length)})+strings.Repeat("x", length))
	}
	if h, n, err := Parse([]byte(noop(MaxBytes))); err != nil || n != MaxBytes ||
		!h.Source.IsValid() {
		t.Errorf("%+v, %d, %v", h, n, err)
	}
	if _, _, err := Parse([]byte(noop(MaxBytes + 1))); err != ErrTooLong {
		t.Error(err)
	}
	longest := "PROXY UNKNOWN " + strings.Repeat("x", lineMax-16) + "\r\n"
	if _, n, err := Parse([]byte(longest)); err != nil || n != lineMax {
		t.Errorf("%d, %v", n, err)
	}
}

// A header with the right checksum is taken, one with any bit changed is not. (That
// HAProxy computes the same is tried in tuning/proxy.)
func TestChecksum(t *testing.T) {
	header := []byte(binaryHeader(proxy, tcp4, four+"\x03\x00\x04\x00\x00\x00\x00\x04\x00\x01x"))
	at := fixed + len(four) + 3
	binary.BigEndian.PutUint32(header[at:], checksum(header, at))
	if _, n, err := Parse(header); err != nil || n != len(header) {
		t.Fatalf("%d, %v", n, err)
	}
	for i := fixed; i < len(header); i++ {
		changed := bytes.Clone(header)
		changed[i] ^= 1
		if i == at-3 {
			continue // it is no checksum then
		}
		if _, _, err := Parse(changed); err != ErrChecksum && err != ErrExtended {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

func TestBinaryHeadersAllocateNothing(t *testing.T) {
	b := []byte(binaryHeader(proxy, tcp6, six))
	if n := testing.AllocsPerRun(100, func() { Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: what is read does not depend on where the input was cut, and no more is
// said to belong to the header than there is.
func FuzzParse(f *testing.F) {
	for header := range good {
		f.Add([]byte(header + "GET"))
	}
	for header := range bad {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		if n < 0 || n > len(b) || n > MaxBytes || err != nil && (n != 0 || h.Source.IsValid()) {
			t.Fatalf("%+v, %d, %v", h, n, err)
		}
		for cut := range b[:min(len(b), 300)] {
			before, m, failed := Parse(b[:cut])
			switch {
			case failed != nil && failed != err:
				t.Fatalf("of %d bytes: %v, of all: %v", cut, failed, err)
			case m > 0 && (m != n || before != h):
				t.Fatalf("of %d bytes: %+v, %d, of all: %+v, %d", cut, before, m, h, n)
			case m == 0 && failed == nil && n > 0 && cut >= n:
				t.Fatalf("%d bytes are not enough, of which %d are it", cut, n)
			}
		}
	})
}
