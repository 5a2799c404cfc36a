package sse

import "unicode/utf8"

// appendUTF8 appends s with invalid UTF-8 replaced as the WHATWG Encoding standard's "UTF-8 decode"
// does, which 9.2.6 prescribes: one U+FFFD for each maximal prefix of a sequence that could have
// become valid. Go's own replacements count otherwise (per byte in a range loop, per run of bytes
// in bytes.ToValidUTF8).
//
// Lines can be decoded one by one: a sequence broken off at the end of a line is
// replaced alike whether a line end or nothing at all follows it.
func appendUTF8(dst, s []byte) []byte {
	if utf8.Valid(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			n = brokenBytes(s)
		}
		dst = utf8.AppendRune(dst, r)
		s = s[n:]
	}
	return dst
}

// brokenBytes returns how many bytes at the start of s, which does not begin
// with a valid sequence, one U+FFFD replaces. The bounds of the second byte
// rule out overlong forms, surrogates and what lies beyond U+10FFFF.
func brokenBytes(s []byte) int {
	lo, hi := byte(0x80), byte(0xBF)
	size := 0
	switch lead := s[0]; {
	case lead < 0xC2 || lead > 0xF4: // no sequence begins so
		return 1
	case lead < 0xE0:
		size = 2
	case lead < 0xF0:
		size = 3
		if lead == 0xE0 {
			lo = 0xA0
		} else if lead == 0xED {
			hi = 0x9F
		}
	default:
		size = 4
		if lead == 0xF0 {
			lo = 0x90
		} else if lead == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for n < size && n < len(s) && lo <= s[n] && s[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}
