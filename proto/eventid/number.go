package eventid

import "math"

// parseUint reads a number as strconv.AppendUint writes it in that base (10 or 36): at least one
// digit, lower case, no leading zero but in "0" itself, no sign, within uint64. strconv.ParseUint
// is no help here: it takes leading zeros and upper case, and it allocates its errors.
func parseUint(s []byte, base uint64) (uint64, bool) {
	if len(s) == 0 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range s {
		d, ok := digit(c)
		if !ok || d >= base {
			return 0, false
		}
		if n > (math.MaxUint64-d)/base { // n*base+d would wrap
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}

func digit(c byte) (uint64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'a' <= c && c <= 'z':
		return uint64(c-'a') + 10, true
	}
	return 0, false
}
